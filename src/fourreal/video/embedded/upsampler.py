"""The upsampler: a noisy clip at full size and a small clip in, the clean clip at full size out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .blocks import FrameMix, ResBlock, fourier

SCALE = 4


@dataclass(frozen=True)
class UpsamplerConfig:
    """Size of the upsampler: frames of a clip, channels at low resolution, blocks."""

    frames: int = 16
    channels: int = 128
    depth: int = 5
    condition: int = 128

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


class UpsamplerNetwork(nn.Module):
    """Convolutions at the low resolution, attention along time; works on any picture size."""

    def __init__(self, config: UpsamplerConfig) -> None:
        super().__init__()
        self.config = config
        c, d = config.channels, config.condition
        self.noise = nn.Sequential(nn.Linear(64, d), nn.SiLU(), nn.Linear(d, d))
        self.enter = nn.Conv2d(3 + 3 * SCALE**2, c, 3, padding=1)
        self.blocks = nn.ModuleList(ResBlock(c, d) for _ in range(config.depth))
        self.mixes = nn.ModuleList(FrameMix(c, config.frames) for _ in range(config.depth))
        self.leave = nn.Conv2d(c, 3 * SCALE**2, 3, padding=1)
        for value in self.leave.parameters():
            nn.init.zeros_(value)

    def forward(
        self,
        noisy: Float[Tensor, "B F 3 H W"],
        level: Float[Tensor, "B F"],
        low: Float[Tensor, "B F 3 h w"],
        low_level: Float[Tensor, " B"],
    ) -> Float[Tensor, "B F 3 H W"]:
        """The clean clip, about [-1, 1].

        Args:
            noisy: (1 - level) clean + level noise.
            level: share of noise of each frame, 0..1; 0 for frames that are given.
            low: the small clip, H = 4 h, with noise of strength `low_level` mixed in.
            low_level: share of noise in `low`; what it hides is to be invented.
        """
        batch, frames = noisy.shape[:2]
        small = low.flatten(0, 1)
        hidden = fourier(low_level, 16, 400.0)[:, None].expand(-1, frames, -1)
        condition = F.silu(self.noise(torch.cat((fourier(level, 16, 400.0), hidden), -1))).flatten(0, 1)
        x = torch.cat((small, F.pixel_unshuffle(noisy.flatten(0, 1), SCALE)), 1)
        x = self.enter(x.contiguous(memory_format=torch.channels_last))
        for block, mix in zip(self.blocks, self.mixes, strict=True):
            x = mix(block(x, condition))
        detail = F.pixel_shuffle(self.leave(F.silu(x)), SCALE)
        smooth = F.interpolate(small, scale_factor=SCALE, mode="bicubic", align_corners=False)
        return (smooth + detail).unflatten(0, (batch, frames))
