"""Two clips become a 4D scene, in memory: cameras, then the frozen instant, then motion (4Real, sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fourreal.fit.clips import Clips
from fourreal.fit.loop import Progress
from fourreal.fit.phases import Phase
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.video import read_video
from fourreal.pose import Wanted, locate, prepare_clips

from .canonical import CanonicalConfig, fit_canonical
from .lifted import MOTION, NOTES, SCENE, WARP, load_lift, save_lift
from .scoring import Teacher
from .temporal import TemporalConfig, fit_temporal

__all__ = ["MOTION", "NOTES", "SCENE", "WARP", "LiftConfig", "fit_clips", "load_lift", "read_clips", "save_lift"]


@dataclass(frozen=True)
class LiftConfig:
    """What to lift, and how.

    Attributes:
        freeze: the freeze-time clip.
        reference: the reference clip; None gives a static scene.
        cameras: known cameras (`cameras.json` with groups "freeze" and "ref").
        freeze_frame: frame of the freeze clip that shows the same moment from the same camera as `reference_frame`.
        reference_frame: see there; where one is None, the most alike frames are taken.
        width: pictures are fitted with at most the pixels of a 16:9 clip of this width.
        seeds: Gaussians to start from.
        nodes: control nodes of each deformation.
        seed: of everything random.
    """

    freeze: Path
    reference: Path | None = None
    cameras: Path | None = None
    freeze_frame: int | None = None
    reference_frame: int | None = None
    width: int = 512
    seeds: int = 20_000
    nodes: int = 256
    seed: int = 0


def read_clips(config: LiftConfig, tell: Callable[[str], None] = lambda _: None) -> tuple[Clips, dict[str, Any]]:
    """The clips with their cameras, and notes about how these came about.

    Raises:
        FourRealError: if a clip cannot be read, cameras do not fit, or poses cannot be found.
    """
    reference = None if config.reference is None else read_video(config.reference)
    freeze, reference, sentences = prepare_clips(
        read_video(config.freeze), reference, width=config.width, trim=config.cameras is None
    )
    given = None if config.cameras is None else read_cameras_json(config.cameras)
    where = locate(freeze, reference, Wanted(given, config.freeze_frame, config.reference_frame))
    for sentence in (*sentences, *where.notes):
        tell(sentence)
    seen = None
    if reference is not None and where.reference is not None:
        seen = Targets(reference.frames, where.reference.cameras)
    clips = Clips(
        Targets(freeze.frames, where.freeze.cameras),
        seen,
        where.canonical,
        where.instant,
        given=where.freeze.report.given,
    )
    return clips, {**where.report(), "notes": [*sentences, *where.notes]}


def fit_clips(
    clips: Clips,
    config: LiftConfig,
    canonical: Sequence[Phase],
    temporal: Sequence[Phase],
    *,
    teacher: Teacher | None = None,
    checkpoint: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_canonical: Callable[[FitState], None] = lambda _: None,
) -> FitState:
    """Fit both stages where the clips are; goes on from `checkpoint` (and a file beside it) if these hold the same run.

    A `teacher` scores the phases that have a guidance. `on_canonical` is shown the frozen instant as it was fitted.
    """
    device = clips.freeze.images.device
    first = CanonicalConfig(tuple(canonical), config.seeds, config.nodes, config.seed)
    later = TemporalConfig(tuple(temporal), config.nodes, config.seed)
    done = sum(p.steps for p in canonical)
    steps = done + (sum(p.steps for p in temporal) if clips.reference is not None else 0)
    state = fit_canonical(
        clips, first, device, teacher=teacher, checkpoint=checkpoint,
        on_progress=lambda n: on_progress(replace(n, steps=steps)),
    )  # fmt: skip
    on_canonical(state)
    if clips.reference is None:
        return state
    beside = None if checkpoint is None else checkpoint.with_name(f"{checkpoint.name}.temporal")
    return fit_temporal(
        clips, state.gaussians(), state.modules, later, teacher=teacher, checkpoint=beside,
        on_progress=lambda n: on_progress(replace(n, step=n.step + done, steps=steps)),
    )  # fmt: skip
