"""Two subjects side by side: each half of the picture is drawn by words that have its subject in both places.

Told of both, the network gives one the look of the other. Predictions by several captions are joined as in
MultiDiffusion (arXiv 2302.08113), and what another caption would have drawn in a half is dropped at every step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .network import Conditions
from .objective import Denoiser

_SEAM = 0.1  # of the width, over which one half goes over into the other


def by_halves(
    denoise: Denoiser,
    noisy: Float[Tensor, "B F C H W"],
    level: Float[Tensor, " B"],
    given: Conditions,
    halves: Int64[Tensor, "2 B L"],
    weight: Float[Tensor, " B"] | None,
) -> Float[Tensor, "B F C H W"]:
    """Clean clips whose halves follow words of their own, guided by `weight` if there is one (arXiv 2207.12598).

    Args:
        denoise: the network.
        noisy, level: (1 - level) clean + level noise.
        given: the other conditions.
        halves: ids of words for the left and the right.
        weight: of guidance; None for a single evaluation without it.
    """
    told = [given._replace(words=words) for words in halves]
    free = [] if weight is None else [given.without_text()]
    batch = Conditions(*(torch.cat(values) for values in zip(*told, *free, strict=True)))
    count = len(told) + len(free)
    left, right, *rest = denoise(noisy.repeat(count, 1, 1, 1, 1), level.repeat(count), batch).float().chunk(count)
    width = noisy.shape[-1]
    place = (torch.arange(width, device=noisy.device) + 0.5) / width
    joined = torch.lerp(left, right, ((place - 0.5) / _SEAM + 0.5).clamp(0, 1))
    if weight is None:
        return joined
    return rest[0] + weight.view(-1, 1, 1, 1, 1) * (joined - rest[0])
