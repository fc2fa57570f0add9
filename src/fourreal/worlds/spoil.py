"""Clips spoiled on purpose, as imperfect video models spoil theirs, with the damage known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .errors import LabelError
from .hashing import uniforms
from .render import Shots

_WARP, _DRIFT = 20_000, 40_000


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A spoiled clip and how it was made.

    Attributes:
        rgb: [B, F, 3, H, W] in [0, 1].
        flow: [B, F, 2, H, W] pixels (x, y): the spoiled pixel p shows what the truth has at p + flow(p).
        gain: [B, F, 3] factor and
        offset: [B, F, 3] addend on the colours, after the warp and before clamping to [0, 1].
    """

    rgb: Float[Tensor, "B F 3 H W"]
    flow: Float[Tensor, "B F 2 H W"]
    gain: Float[Tensor, "B F 3"]
    offset: Float[Tensor, "B F 3"]


def spoil(
    rgb: Float[Tensor, "B F 3 H W"], seeds: Int64[Tensor, " B"], *, warp: float = 0.0, drift: float = 0.0
) -> Spoiled:
    """Bend every frame by its own smooth non-rigid warp and let colours drift over the clip.

    Strength 0 returns the input bit for bit. The same seeds spoil in the same way, in proportion to the strength.

    Args:
        rgb: clips in [0, 1].
        seeds: [B] seed of each clip.
        warp: 0..1; at 1 displacements reach about 4 % of the height. The first frame stays as it is.
        drift: 0..1; at 1 gains drift by up to 25 % and offsets by 0.1 at the end of the clip.

    Raises:
        LabelError: if a strength is outside 0..1.
    """
    for name, value in (("warp", warp), ("drift", drift)):
        if not 0 <= value <= 1:
            raise LabelError(
                f"{name} must lie in 0..1, got {value!r}; the nearest valid strength is {min(max(value, 0.0), 1.0)}"
            )
    batch, frames, _, height, width = rgb.shape
    flow = warp * _waves(seeds, frames, height, width) if warp > 0 else rgb.new_zeros(batch, frames, 2, height, width)
    out = bend(rgb, flow) if warp > 0 else rgb
    gain, offset = _drifts(seeds, frames, drift)
    if drift > 0:
        out = (out * gain[..., None, None] + offset[..., None, None]).clamp(0, 1)
    return Spoiled(out, flow, gain, offset)


def thaw(shots: Shots, strength: float) -> Shots:
    """A frozen clip in which the subject moves after all: time runs over `strength` (0..1) of the clip."""
    if not 0 <= strength <= 1:
        raise LabelError(
            f"strength must lie in 0..1, got {strength!r}; the nearest valid one is {min(max(strength, 0.0), 1.0)}"
        )
    frames = shots.times.shape[1]
    run = torch.arange(frames, device=shots.times.device) / frames
    return replace(shots, times=shots.times + strength * run) if strength > 0 else shots


def bend(rgb: Float[Tensor, "B F 3 H W"], flow: Float[Tensor, "B F 2 H W"]) -> Float[Tensor, "B F 3 H W"]:
    """Frames looked up at p + flow(p), bilinear, edges repeated."""
    height, width = rgb.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=rgb.device) + 0.5, torch.arange(width, device=rgb.device) + 0.5, indexing="ij"
    )
    place = torch.stack((x, y), -1) + flow.flatten(0, 1).permute(0, 2, 3, 1)
    grid = place / place.new_tensor([width, height]) * 2 - 1
    out = torch.nn.functional.grid_sample(rgb.flatten(0, 1), grid, padding_mode="border", align_corners=False)
    return out.reshape(rgb.shape)


def _waves(seeds: Tensor, frames: int, height: int, width: int) -> Tensor:
    """[B, F, 2, H, W] sums of three smooth waves with other directions and phases in every frame; zero in the first."""
    count = 3
    draw = uniforms(seeds, _WARP, frames * 2 * count * 3).reshape(len(seeds), frames, 2, count, 3, 1, 1)
    y = (torch.arange(height, device=seeds.device) + 0.5)[:, None] / height
    x = (torch.arange(width, device=seeds.device) + 0.5)[None] / height
    angle = 2 * math.pi * draw[..., 0, :, :]
    pace = 2 * math.pi * (0.5 + 1.2 * draw[..., 1, :, :])
    wave = (pace * (angle.cos() * x + angle.sin() * y) + 2 * math.pi * draw[..., 2, :, :]).sin().sum(3)
    later = (torch.arange(frames, device=seeds.device) > 0).float()
    return wave * (0.018 * height) * later[None, :, None, None, None]


def _drifts(seeds: Tensor, frames: int, strength: float) -> tuple[Tensor, Tensor]:
    draw = uniforms(seeds, _DRIFT, 6) * 2 - 1
    ramp = torch.arange(frames, device=seeds.device) / max(frames - 1, 1) * strength
    gain = 1 + 0.25 * draw[:, None, :3] * ramp[None, :, None]
    return gain, 0.1 * draw[:, None, 3:] * ramp[None, :, None]
