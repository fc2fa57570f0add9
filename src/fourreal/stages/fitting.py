"""What both fits share: going on from a checkpoint, the curve of the losses, and how it looks on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fourreal.core.gaussians import Gaussians
from fourreal.fit.bounds import Lens
from fourreal.fit.checkpoint import load_checkpoint, save_checkpoint
from fourreal.fit.loop import Objective, Progress, fit
from fourreal.fit.phases import Phase
from fourreal.fit.state import FitState

SAVE_EVERY = 20.0  # seconds between checkpoints

OnProgress = Callable[[Progress], None]
OnState = Callable[[FitState], None]


@dataclass(frozen=True, eq=False)
class Beginning:
    """Where a fit begins if there is no checkpoint.

    Attributes:
        gaussians: at the start.
        extent: scene size, see `FitState`.
        seed: of everything random.
        modules: what is trained beside the Gaussians; filled from the checkpoint if there is one.
        lens: what growth keeps free.
    """

    gaussians: Gaussians
    extent: float
    seed: int
    modules: Mapping[str, nn.Module]
    lens: Lens | None = None


def fit_from(
    beginning: Beginning,
    phases: Sequence[Phase],
    objective: Objective,
    run: str,
    *,
    checkpoint: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    on_state: OnState = lambda _: None,
) -> FitState:
    """Fit, from `checkpoint` on if that holds the same run; the end is kept there as well.

    Args:
        beginning: where it begins otherwise.
        phases: to go through.
        objective: what to descend.
        run: fingerprint of all that decides the result.
        checkpoint: file that is written every 20 seconds; None for none.
        on_progress: told how it goes.
        on_state: shown the state now and then.
    """
    device, modules = beginning.gaussians.means.device, dict(beginning.modules)
    state = load_checkpoint(checkpoint, run, device, modules) if checkpoint else None
    if state is None:
        state = FitState.begin(beginning.gaussians, beginning.extent, beginning.seed, modules)
    state.lens = beginning.lens
    saved = time.monotonic()

    def save(state: FitState) -> None:
        nonlocal saved
        if checkpoint and time.monotonic() - saved >= SAVE_EVERY:
            save_checkpoint(checkpoint, state, run)
            saved = time.monotonic()
        on_state(state)

    before = state.phase, state.step
    state = fit(state, phases, objective, on_progress=on_progress, save=save)
    if checkpoint and before != (state.phase, state.step):
        save_checkpoint(checkpoint, state, run)
    return state


@dataclass
class Curve:
    """The losses of a fit, step by step, kept in a file so that a resumed fit has the whole curve.

    Attributes:
        path: the file, a line of JSON a row.
        rows: phase, step over all phases, Gaussians and losses.
    """

    path: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path) -> Curve:
        """The curve so far; a last line that was cut off is left out."""
        rows = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return cls(path, rows)

    def add(self, news: Progress) -> None:
        """Note `news`; rows from this step on, of an attempt that was stopped, go."""
        self.rows = [row for row in self.rows if row["step"] < news.step]
        losses = {k: float(f"{v:.5g}") for k, v in news.terms.items()}
        self.rows.append({"phase": news.phase, "step": news.step, "gaussians": news.gaussians, "losses": losses})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.rows[-1]) + "\n")


class Glances:
    """Calls a function with the state, at most every so many seconds."""

    def __init__(self, look: OnState, every: float = 10.0) -> None:
        self._look, self._every, self._last = look, every, time.monotonic()

    @torch.no_grad()
    def __call__(self, state: FitState) -> None:
        """Look, if it is time."""
        if time.monotonic() - self._last >= self._every:
            self._look(state)
            self._last = time.monotonic()
