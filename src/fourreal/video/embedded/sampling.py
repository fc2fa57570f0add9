"""Clips from the base network, many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .network import BaseNetwork, Conditions
from .objective import guided
from .solver import solve

GUIDANCE = 3.0
# Of frozen clips with known frames, which say more than the words: at 3 they turn less and hold together less well.
FROZEN_GUIDANCE = 1.5
STEPS = 10


def conditions(
    words: Int64[Tensor, "B L"],
    context: Int64[Tensor, " B"],
    frames: int,
    *,
    known: Bool[Tensor, "B F"] | None = None,
    camera: Float[Tensor, "B F 3"] | None = None,
) -> Conditions:
    """Conditions for sampling; without a camera the network chooses its own."""
    count, device = len(words), words.device
    return Conditions(
        words,
        context,
        torch.zeros(count, frames, dtype=torch.bool, device=device) if known is None else known,
        torch.zeros(count, frames, 3, device=device) if camera is None else camera - camera[:, :1],
        torch.full((count,), camera is not None, device=device),
        torch.ones(count, device=device),
    )


def predict(
    network: BaseNetwork, noisy: Tensor, level: Tensor, given: Conditions, guidance: float, distilled: bool
) -> Float[Tensor, "B F 3 H W"]:
    """The guided clean clip: one evaluation of a distilled network, two of another."""
    device = noisy.device.type
    with torch.no_grad(), torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        if guidance == 1:
            return network(noisy, level, given).float()
        weight = torch.full_like(level, guidance)
        if distilled:
            return network(noisy, level, given._replace(guidance=weight)).float()
        return guided(network, noisy, level, given, weight)


def noise_of(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Float[Tensor, "B F 3 H W"]:
    """Unit normal noise for every seed, the same on any device and in any batch."""
    rows = [torch.randn(*shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.stack(rows).to(device)


def sample(
    network: BaseNetwork,
    given: Conditions,
    clear: Float[Tensor, "B F 3 H W"] | None,
    seeds: Sequence[int],
    *,
    distilled: bool,
    guidance: float = GUIDANCE,
    steps: int = STEPS,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "B F 3 H W"]:
    """Clips in [-1, 1].

    Args:
        network: the base network.
        given: conditions of every clip.
        clear: the known frames in [-1, 1], anything elsewhere; None if none are known.
        seeds: one for every clip.
        distilled: whether the network has guidance built in.
        guidance: weight of classifier-free guidance; 1 is none.
        steps: network evaluations.
        on_step: called with evaluations done and in all.
    """
    c = network.config
    noise = noise_of(seeds, (c.frames, 3, c.height, c.width), given.words.device)
    mask = given.known[:, :, None, None, None]
    clear = torch.zeros_like(noise) if clear is None else clear

    def clean_of(x: Tensor, level: float) -> Tensor:
        noisy = torch.where(mask, clear, x)
        levels = torch.full((len(x),), level, device=x.device)
        return torch.where(mask, clear, predict(network, noisy, levels, given, guidance, distilled))

    return torch.where(mask, clear, solve(clean_of, noise, steps, on_step=on_step).clamp(-1, 1))
