"""What the upsampler learns, and how it is used."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .objective import draw_known, draw_levels
from .solver import solve
from .stream import Clips
from .upsampler import SCALE, UpsamplerNetwork

_MOST_LOW = 0.4  # most noise mixed into the small clip in training
_KNOWN = 0.5  # share of the clips that may have given frames


def shrunk(clips: Float[Tensor, "*B 3 H W"], factor: int = SCALE) -> Float[Tensor, "*B 3 h w"]:
    """Mean of every `factor` x `factor` pixels."""
    return F.avg_pool2d(clips.flatten(0, -4), factor).unflatten(0, clips.shape[:-3])


def upsampling_loss(network: Callable[..., Tensor], clips: Clips, generator: torch.Generator) -> Float[Tensor, ""]:
    """Squared error of the clean clip, over the level as for the base; half of the batch starts from pure noise."""
    clean = clips.frames.float() / 127.5 - 1
    count, device = len(clean), clean.device

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    level = torch.where(rand(count) < 0.5, 1.0, draw_levels(count, generator, device))
    weight = 1 / level.clamp(min=0.2).square().view(-1, 1, 1, 1, 1)
    known = draw_known(torch.zeros_like(clips.context), clean.shape[1], generator) & (rand(count, 1) < _KNOWN)
    levels = level[:, None] * ~known
    low_level = torch.where(rand(count) < 0.3, 0.0, _MOST_LOW * rand(count).square())

    def mixed(x: Tensor, share: Tensor) -> Tensor:
        noise = torch.randn(x.shape, generator=generator, device=device)
        return x + share[..., None, None, None] * (noise - x)

    predicted = network(mixed(clean, levels), levels, mixed(shrunk(clean), low_level[:, None]), low_level)
    error = (predicted.float() - clean).square() * weight * (~known)[..., None, None, None]
    return error.sum() / ((~known).sum() * clean[0, 0].numel())


@torch.no_grad()
def upsample(
    network: UpsamplerNetwork,
    low: Float[Tensor, "F 3 h w"],
    *,
    steps: int = 2,
    low_level: float = 0.0,
    known: Float[Tensor, "F 3 H W"] | None = None,
    is_known: Bool[Tensor, " F"] | None = None,
    seed: int = 0,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "F 3 H W"]:
    """A clip four times as large.

    Args:
        network: the upsampler.
        low: the small clip in [0, 1].
        steps: evaluations; 1 gives the mean of what the clip may be, smooth, more give texture.
        low_level: noise mixed into the small clip, 0..0.4: hides its faults and leaves more to invent.
        known: frames at full size in [0, 1], used where `is_known`; they lend their texture to the others.
        is_known: which frames are given.
        seed: of the noise.
        on_step: called with evaluations done and in all.
    """
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    small = (2 * low - 1).to(device)
    hide = torch.randn(small.shape, generator=generator).to(device)
    small = ((1 - low_level) * small + low_level * hide)[None]
    frames, _, height, width = low.shape
    shape = (1, frames, 3, SCALE * height, SCALE * width)
    noise = torch.randn(shape, generator=generator).to(device)
    hidden = torch.full((1,), low_level, device=device)
    given = torch.zeros(frames, dtype=torch.bool) if is_known is None else is_known
    mask = given.to(device)[None, :, None, None, None]
    clear = torch.zeros(shape[1:]) if known is None else 2 * known - 1
    clear = clear.to(device)[None]

    def clean_of(x: Tensor, level: float) -> Tensor:
        levels = level * (~given).float().to(device)[None]
        return torch.where(mask, clear, network(torch.where(mask, clear, x), levels, small, hidden).float())

    return ((solve(clean_of, noise, steps, on_step=on_step)[0] + 1) / 2).clamp(0, 1)
