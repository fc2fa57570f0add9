"""Few-step solvers for any denoiser in the flow form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor


def levels(steps: int, shift: float) -> list[float]:
    """Noise levels from 1 to 0 in `steps` steps, denser at the noisy end for `shift` > 1 (arXiv 2403.03206, eq. 23)."""
    even = [1 - i / steps for i in range(steps + 1)]
    return [shift * s / (1 + (shift - 1) * s) for s in even]


def solve(
    clean_of: Callable[[Tensor, float], Tensor],
    noise: Float[Tensor, "*B F C H W"],
    steps: int,
    *,
    shift: float = 2.5,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "*B F C H W"]:
    """A clip from pure noise by DPM-Solver++(2M) (arXiv 2211.01095) with x_t = (1 - t) clean + t noise.

    Args:
        clean_of: prediction of the clean clip from x_t and t; clamped to [-1, 1] here.
        noise: the clip at t = 1, unit normal.
        steps: evaluations of `clean_of`.
        shift: see `levels`.
        on_step: called with evaluations done and in all.
    """
    x, times = noise, levels(steps, shift)
    before: Tensor | None = None
    for i, (now, then) in enumerate(pairwise(times)):
        clean = clean_of(x, now).clamp(-1, 1)
        estimate = clean
        if before is not None and then > 0:
            # Extrapolate in half log-SNR, as the multistep formula does.
            step, last = _log_snr(then) - _log_snr(now), _log_snr(now) - _log_snr(times[i - 1])
            estimate = clean + step / (2 * last) * (clean - before)
        ratio = then / now
        x = ratio * x + (1 - then - ratio * (1 - now)) * estimate
        before = clean
        if on_step is not None:
            on_step(i + 1, steps)
    return x


def solve_afresh(
    clean_of: Callable[[Tensor, float], Tensor],
    noises: Iterator[Float[Tensor, "*B F C H W"]],
    steps: int,
    *,
    shift: float = 2.5,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "*B F C H W"]:
    """A clip from pure noise: the clean clip is predicted, and new noise takes it to the next level.

    This is multistep sampling of consistency models (arXiv 2303.01469, algorithm 1), with a denoiser in their place.
    `solve` takes to the next level the noise that its last prediction implies, and the faults of that prediction with
    it: of a few steps, shapes that came apart early stay so. New noise forgets them.

    Args:
        clean_of: prediction of the clean clip from x_t and t; clamped to [-1, 1] here.
        noises: unit normal, another one for every step.
        steps: evaluations of `clean_of`.
        shift: see `levels`.
        on_step: called with evaluations done and in all.
    """
    x, times = next(noises), levels(steps, shift)
    for i, (now, then) in enumerate(pairwise(times)):
        x = clean_of(x, now).clamp(-1, 1)
        if then > 0:
            x = (1 - then) * x + then * next(noises)
        if on_step is not None:
            on_step(i + 1, steps)
    return x


def _log_snr(level: float) -> float:
    """log(alpha / sigma) of the flow form, finite at its noisy end."""
    level = min(level, 0.9995)
    return float(torch.log(torch.tensor((1 - level) / level, dtype=torch.float64)))
