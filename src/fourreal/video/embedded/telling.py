"""Which words a clip was made of, asked of the base network itself."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .network import BaseNetwork, Conditions
from .objective import noised
from .sampling import noise_of


@torch.no_grad()
def missed(
    base: BaseNetwork,
    clip: Float[Tensor, "1 F 3 H W"],
    given: Conditions,
    words: Int64[Tensor, "P L"],
    level: float,
    seed: int = 0,
) -> Float[Tensor, " P"]:
    """How far the network misses a noisy clip, told each of some words: least if told those that are true.

    A diffusion model is a classifier so (arXiv 2303.16203).

    Args:
        base: the network.
        clip: what is asked about, in [-1, 1].
        given: its conditions; `words` take the place of theirs.
        words: ids of words.
        level: share of noise.
        seed: of the noise, the same for clips that are compared.

    Returns:
        Mean squared errors.
    """
    count = len(words)
    told = Conditions(*(value.expand(count, *value.shape[1:]) for value in given))
    told = told._replace(words=words, guidance=torch.ones_like(told.guidance))
    levels = torch.full((count,), level, device=clip.device)
    clips = clip.expand(count, *clip.shape[1:])
    noise = noise_of([seed], clip.shape[1:], clip.device).expand_as(clips)
    with torch.autocast(clip.device.type, torch.bfloat16, enabled=clip.is_cuda):
        mended = base(noised(clips, noise, levels, told.known), levels, told).float()
    return (mended - clips).square().flatten(1).mean(1)
