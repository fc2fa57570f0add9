"""Noise levels: t in (0, 1) for people and schedules, sigma = t / (1 - t) for models, and how they fall."""

from __future__ import annotations

import math

from fourreal.core.errors import FieldError


def sigma_of(level: float) -> float:
    """The ratio of noise to signal, t / (1 - t), at level t of a flow: x_t = (1 - t) clean + t noise.

    Raises `FieldError` unless 0 < t < 1.
    """
    if not 0 < level < 1:
        raise FieldError(f"a noise level must lie between 0 and 1, got {level!r}")
    return level / (1 - level)


def level_of(sigma: float) -> float:
    """The level t = sigma / (1 + sigma) of x = clean + sigma * noise. Raises `FieldError` unless sigma > 0."""
    if not (math.isfinite(sigma) and sigma > 0):
        raise FieldError(f"sigma must be positive and finite, got {sigma!r}")
    return sigma / (1 + sigma)


def annealed_level(step: int, steps: int, *, highest: float = 0.98, lowest: float = 0.02) -> float:
    """t_max - (t_max - t_min) sqrt(i / N): HiFA's annealing (arXiv 2305.18766), which 4Real uses.

    4Real does not state the bounds; these are HiFA's own. A scene that is reconstructed already needs less noise.

    Args:
        step: i, counted from the start of guidance.
        steps: N, after which the level stays at the lowest.
        highest, lowest: levels in (0, 1).

    Raises:
        FieldError: if a number is out of range.
    """
    if not (0 < lowest <= highest < 1):
        raise FieldError(f"levels must satisfy 0 < lowest <= highest < 1, got {lowest!r} and {highest!r}")
    if step < 0 or steps < 1:
        raise FieldError(f"step must not be negative and steps must be positive, got {step!r} and {steps!r}")
    return highest - (highest - lowest) * math.sqrt(min(step / steps, 1.0))
