"""Sampling a clip: the family's velocity integrated by the scheduler that came with the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.video.base import UnsupportedConditionError

from .condition import Condition, FamilyCode
from .text import EncodedText


def sample(
    family: FamilyCode,
    scheduler: Any,
    noise: Float[Tensor, "1 C f h w"],
    text: EncodedText,
    condition: Condition,
    *,
    steps: int,
    guidance: float,
    on_step: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "1 C f h w"]:
    """Latents of a clip, from unit normal noise.

    Args:
        family: whose network it is.
        scheduler: a flow-matching scheduler of diffusers; a fresh copy is used, so that its state does not matter.
        noise: float32, on the networks' device.
        text, condition: what is told.
        steps: evaluations.
        guidance: weight of the text.
        on_step: called with evaluations done and in all.

    Raises:
        UnsupportedConditionError: if the scheduler has no schedule of so few steps.
    """
    scheduler = type(scheduler).from_config(scheduler.config)
    with np.errstate(invalid="ignore"):
        family.timesteps(scheduler, steps, noise)
    times = scheduler.timesteps
    if not bool(torch.isfinite(times).all()):  # LTX's stretch to a last noise level divides by zero for one step
        raise UnsupportedConditionError(f"this model's scheduler cannot do with --steps {steps}; 2 are the least")
    z = condition.pin(noise)
    with torch.random.fork_rng(devices=[noise.device] if noise.device.type == "cuda" else []):
        torch.manual_seed(0)  # few-step schedulers of distilled models draw noise of their own
        for i, time in enumerate(times):
            v = family.velocity(z, float(time), text, condition, guidance)
            z = condition.pin(scheduler.step(v, time, z, return_dict=False)[0])
            if on_step is not None:
                on_step(i + 1, len(times))
    return z
