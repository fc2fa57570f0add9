"""Phases are data: what is trained, how fast, against which losses, and whether the set of Gaussians may grow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fourreal.core.errors import FieldError

# Of what turns as one, known from all sides: the share of the motion's rate, that of the steps for motion alone, and
# how many times as rigid it is.
_CALM, _BRIEF, _STIFF = 0.3, 0.3, 10.0
_SETTLE = 25  # steps at least between two rounds of growth: what is new must find its place first


@dataclass(frozen=True)
class Rate:
    """A learning rate that decays exponentially from `start` to `end` over a phase (3DGS: positions)."""

    start: float
    end: float

    def at(self, progress: float) -> float:
        """The rate when `progress` in [0, 1] of the phase is done."""
        return self.start * (self.end / self.start) ** progress


@dataclass(frozen=True)
class Growth:
    """Adaptive density control (3DGS, arXiv 2308.04079, section 5.2; gsplat's `DefaultStrategy` without its resets).

    Attributes:
        every: steps between two rounds.
        start, stop: fractions of the phase within which Gaussians are added; pruning goes on to the end.
        grad_threshold: mean absolute screen-space gradient (normalised device units) above which a Gaussian grows.
        max_gaussians: the set never exceeds this; where more want to grow, those with the largest gradients do.
        max_share: at most this share of the set grows in one round.
        split_extent: Gaussians larger than this times the scene extent are split, smaller ones cloned.
        min_opacity: Gaussians below are pruned.
        max_extent: Gaussians larger than this times the scene extent times their relative distance are pruned.
    """

    every: int = 100
    start: float = 0.0
    stop: float = 0.75
    grad_threshold: float = 8e-4
    max_gaussians: int = 50_000
    max_share: float = 0.2
    split_extent: float = 0.01
    min_opacity: float = 5e-3
    max_extent: float = 1.0


@dataclass(frozen=True)
class Guidance:
    """Score distillation within a phase (4Real, sections "Multi-view SDS" and "Joint SDS").

    Attributes:
        clips: "multi-view": paths from the canonical camera at the frozen instant, Gaussians as they are; "joint":
            times seen from one camera, and paths at one time, in turn at random.
        weight: of the sum of squares over 15 x 3 x 36 x 64 numbers in [-1, 1], beside a reconstruction that is summed
            over 3 x 288 x 512 numbers: the paper's are 5 and 20.
        every: steps between two scores; each counts so many times.
        highest, lowest: noise levels in (0, 1) at the start and the end of the phase (`annealed_level`).

    Raises:
        FieldError: if a number is out of range.
    """

    clips: Literal["multi-view", "joint"]
    weight: float
    every: int = 1
    highest: float = 0.98
    lowest: float = 0.02

    def __post_init__(self) -> None:
        if not (0 < self.lowest <= self.highest < 1):
            raise FieldError(
                f"Guidance levels must satisfy 0 < lowest <= highest < 1, got {self.lowest} and {self.highest}"
            )
        if self.weight <= 0 or self.every < 1:
            raise FieldError(
                f"Guidance.weight must be positive and every at least 1, got {self.weight} and {self.every}"
            )


@dataclass(frozen=True)
class Phase:
    """One stretch of optimisation.

    Attributes:
        name: shown to the user and stored in checkpoints.
        steps: optimiser steps.
        rates: learning rate by parameter name; parameters that are not named stay frozen. The rate of "means" is
            multiplied by the scene extent, as in 3DGS.
        losses: weight by name of a function in `fit.losses` (IMAGE_LOSSES or SPLAT_LOSSES).
        views: images of the canonical instant rendered and compared a step.
        frames: images of the reference clip, of other instants, rendered and compared a step: pairs of successive
            ones, or 1, beside which the state at a neighbouring time is only formed, for the losses between times.
        fields: deformations that apply, trained or not: "warp" (per-frame inconsistency), "motion" (time).
        shrink: images are compared at 1/shrink of their size (coarse to fine).
        most: pictures with more pixels than a 16:9 one of this width are shrunk further, by a whole factor; 0 for no
            limit. Large clips are fitted small first.
        growth: density control, or None to keep the set as it is.
        guidance: score distillation by a video model, where one is given to the fit.
        hold: Gaussians that are there when the phase begins stay as they are; only those that it adds are trained
            (4Real, section 4: what motion reveals is filled by new Gaussians).
        led: frames of the reference clip train the motion alone; what moves, and how it looks, the freeze-time clip
            says.
        betas: Adam's decay of its averages a step.

    Raises:
        FieldError: if steps, views or shrink are not positive, frames are odd, or nothing is trained or compared.
    """

    name: str
    steps: int
    rates: Mapping[str, Rate]
    losses: Mapping[str, float] = field(default_factory=lambda: {"l1": 0.8, "dssim": 0.2})
    views: int = 1
    frames: int = 0
    fields: tuple[str, ...] = ()
    shrink: int = 1
    most: int = 0
    growth: Growth | None = None
    guidance: Guidance | None = None
    hold: bool = False
    led: bool = False
    betas: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("views", int(self.frames == 0)), ("frames", 0), ("shrink", 1), ("most", 0)):
            if getattr(self, name) < least:
                raise FieldError(f"Phase.{name} must be at least {least}, got {getattr(self, name)}")
        if self.frames % 2 and self.frames > 1:
            raise FieldError(f"Phase.frames must be 1 or even, for frames come in pairs, got {self.frames}")
        if not self.rates or not self.losses:
            raise FieldError(f"Phase {self.name!r} must train something and have a loss")

    def shrink_of(self, height: int, width: int) -> int:
        """By which factor pictures of a size are shrunk."""
        share = height * width / (self.most * self.most * 9 / 16) if self.most else 1.0
        return self.shrink * max(1, round(math.sqrt(share)))


def frozen_leads(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """`phases` for a subject that turns about itself, and that the freeze-time clip shows from all sides.

    A clip's frames draw a body anew with every turn. What they add to one that is known already contradicts it: it
    hangs about as shreds where no frame looks, and a motion that is free to follow it tears the body. So the reference
    clip tells the motion alone, of what is known to turn as one, and nothing is left to reveal.
    """
    out = []
    for phase in phases:
        if not phase.hold:
            rates = {k: Rate(_CALM * v.start, _CALM * v.end) if k == "motion" else v for k, v in phase.rates.items()}
            losses = {k: _STIFF * v if k == "arap" else v for k, v in phase.losses.items()}
            steps = phase.steps if phase.views else max(1, round(_BRIEF * phase.steps))
            out.append(replace(phase, steps=steps, rates=rates, losses=losses, growth=None, led=True))
    return tuple(out)


def batched(phase: Phase, views: int, frames: int = 0) -> Phase:
    """`phase`, which looks at one image a step, as fewer steps that look at `views` + `frames` images each.

    It sees as many images in all. For B images a step, rates grow by sqrt(B) and Adam's averages decay as far by the
    image, beta^B: gradients of a Gaussian from different views are nearly independent of each other, so that their mean
    is sqrt(B) times less noisy (Grendel-GS, arXiv 2406.18533, section 4.2, for 3DGS; S. Malladi et al., NeurIPS 2022,
    for networks). Growth gathers as many views between its rounds, but its rounds are at least 25 steps apart; its
    thresholds are of means over views and stay. A score is a batch by itself and keeps its place beside the images, so
    there are as many fewer scores.
    """
    count = views + frames
    root = math.sqrt(count)
    growth = phase.growth and replace(
        phase.growth, every=max(min(_SETTLE, phase.growth.every), phase.growth.every // count)
    )
    return replace(
        phase,
        steps=max(1, round(phase.steps / count)),
        rates={k: Rate(root * v.start, root * v.end) for k, v in phase.rates.items()},
        views=views,
        frames=frames,
        growth=growth,
        betas=(phase.betas[0] ** count, phase.betas[1] ** count),
    )
