"""The one fitting loop: walks a table of phases, steps the optimiser, grows the set, recovers from divergence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fourreal.core.errors import DivergenceError
from fourreal.raster.base import Rendering

from .density import GrowthStats, accumulate, grow
from .phases import Phase
from .state import FitState

CHECK_EVERY = 50  # steps between looks at the loss: each look waits for the device


class Evaluation(NamedTuple):
    """One evaluation of the objective."""

    loss: Tensor  # scalar to descend
    terms: Mapping[str, Tensor]  # unweighted losses by name, detached scalars
    rendering: Rendering  # what was rendered, for density control
    rows: Tensor | None = None  # [C, M] int64 the Gaussians that each image was drawn from; None for all


Objective = Callable[[FitState, Phase], Evaluation]


@dataclass(frozen=True)
class Progress:
    """News of a running fit, sent every `CHECK_EVERY` steps and at the end of each phase."""

    phase: str
    step: int  # steps done over all phases
    steps: int  # steps of all phases
    terms: Mapping[str, float]
    gaussians: int
    recovered: bool = False  # the last stretch diverged and is being repeated at half the rate


def fit(
    state: FitState,
    phases: Sequence[Phase],
    objective: Objective,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    save: Callable[[FitState], None] = lambda _: None,
) -> FitState:
    """Run what is left of `phases` from where `state` stands, and return the final state.

    `save` is called with the state after every look at the loss that found it finite; it decides whether to write.
    On a CPU the result depends only on the state, the phases and the objective, so a run resumed from any saved state
    equals an uninterrupted one bit for bit.

    Raises:
        DivergenceError: if the loss is not finite again after one recovery (last good state, half the rate).
    """
    good = state.snapshot()
    while state.phase < len(phases):
        phase = phases[state.phase]
        count = min(CHECK_EVERY - state.step % CHECK_EVERY, phase.steps - state.step)
        terms = _stretch(state, phase, objective, count)
        done = sum(p.steps for p in phases[: state.phase]) + state.step
        finite = all(math.isfinite(v) for v in terms.values())
        if not finite:
            state = _recover(good, state, phase)
        elif state.step == phase.steps:
            state.phase, state.step = state.phase + 1, 0
            state.stats = GrowthStats.zeros(state.params["means"])
        total = sum(p.steps for p in phases)
        on_progress(Progress(phase.name, done, total, terms, len(state.params["means"]), not finite))
        if finite:
            state.rebind()  # here, where states are saved, so that a resumed run is bound alike
            good = state.snapshot()
            save(state)
    return state


def _stretch(state: FitState, phase: Phase, objective: Objective, count: int) -> dict[str, float]:
    """`count` steps without waiting for the device; returns the mean of each loss term over them."""
    sums: dict[str, Tensor] = {}
    for _ in range(count):
        for name, value in _step(state, phase, objective).items():
            sums[name] = sums[name] + value if name in sums else value
    means = {k: float(v) / count for k, v in sums.items()}
    trained = [p for name in (*state.params, *state.modules) for p in state.trained(name)]
    if not all(bool(torch.isfinite(p).all()) for p in trained):
        means["parameters"] = math.nan
    return means


def _step(state: FitState, phase: Phase, objective: Objective) -> Mapping[str, Tensor]:
    """One step; returns the terms alone, so that the rest of the evaluation is gone before the next."""
    state.optimizer.zero_grad(set_to_none=True)
    if state.step == 0:
        state.held = 0
        if phase.hold:
            state.hold()
    _set_trainable(state, phase)
    evaluation = objective(state, phase)
    growing = phase.growth is not None and state.step < phase.growth.stop * phase.steps
    if growing:
        evaluation.rendering.means2d.retain_grad()
    evaluation.loss.backward()
    state.drop_held_gradients()
    if growing:
        state.stats = accumulate(state.stats, evaluation.rendering, evaluation.rows)
    state.optimizer.step()
    state.project()
    state.step += 1
    if phase.growth is not None and state.step % phase.growth.every == 0 and state.step < phase.steps:
        begun = state.step >= phase.growth.start * phase.steps
        grow(
            state.params,
            state.optimizer,
            state.stats,
            phase.growth,
            state.bounds,
            state.generator,
            growing and begun,
            state.held,
        )
        state.stats = GrowthStats.zeros(state.params["means"])
        state.rebind()
    return evaluation.terms


def _set_trainable(state: FitState, phase: Phase) -> None:
    """Learning rates of this step; parameters without one are frozen."""
    progress = state.step / phase.steps
    for group in state.optimizer.param_groups:
        name = group["name"]
        rate = phase.rates.get(name)
        for param in state.trained(name):
            param.requires_grad_(rate is not None)
        if rate is not None:
            scale = state.extent if name == "means" else 1.0
            group["lr"] = rate.at(progress) * scale * state.rate_factor
            group["betas"] = phase.betas


def _recover(good: tuple[dict[str, Tensor], Mapping], state: FitState, phase: Phase) -> FitState:
    """The last good state at half the rate; the second time it is an error."""
    if state.rate_factor < 1:
        raise DivergenceError(
            f"the fit diverged twice in phase {phase.name!r} (step {state.step}), also at half the learning rate; "
            "check the input images and cameras, or lower the rates of the recipe"
        )
    tensors, scalars = good
    restored = FitState.restore(tensors, scalars, state.params["means"].device, state.modules)
    restored.rate_factor, restored.lens = 0.5, state.lens
    return restored
