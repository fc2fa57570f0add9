"""The fourth stage: motion, from the reference clip (4Real, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from fourreal.core.errors import FourRealError
from fourreal.core.gaussians import Gaussians
from fourreal.core.scene import Scene
from fourreal.core.storage import read_json, write_json
from fourreal.deform import MlpConfig, NodeConfig, load_field
from fourreal.deform.nodes import NodeField
from fourreal.deform.storage import Field
from fourreal.fit.bounds import Lens
from fourreal.fit.carried import carry_motion
from fourreal.fit.checkpoint import fingerprint
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective, render_dynamic
from fourreal.fit.formed import CameraIncrements, field_of
from fourreal.fit.guess import Followed, guess_motion
from fourreal.fit.loop import Progress
from fourreal.fit.moving import inner_space, moving
from fourreal.fit.phases import Phase, frozen_leads
from fourreal.fit.spin import find_spin, upwards
from fourreal.fit.state import FitState
from fourreal.fit.stereo import find_ground, focus_distance
from fourreal.fit.turned import shown_by_turning, shows_more
from fourreal.pose.tracks import find_again, follow_from
from fourreal.raster import select

from . import canonical, poses, videos
from .canonical import told
from .fitting import Beginning, Curve, Glances, OnProgress, OnState, fit_from
from .lifted import LIFTED, save_lift
from .news import Desk, News, Tell
from .poses import read_run_clips
from .scoring import Teacher, taught

REPORT = "temporal/report.json"


@dataclass(frozen=True)
class TemporalConfig:
    """How motion is fitted.

    Attributes:
        phases: to go through.
        nodes: control nodes of the motion.
        seed: of everything random.
        field: "nodes" for control nodes, or "mlp" for the paper's network, which wants a GPU.
        follow: whether the reference clip gives nodes a first guess of the motion: how its subject turns about itself,
            and where points that are followed through it go.
        turns: whether its subject is known to turn about itself, on and on; "auto" believes the words that a clip was
            drawn for, and of one's own clips looks whether they speak for it.
    """

    phases: tuple[Phase, ...]
    nodes: int = 256
    seed: int = 0
    field: Literal["nodes", "mlp"] = "nodes"
    follow: bool = True
    turns: bool | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise FourRealError(f"temporal.nodes must be at least 1, got {self.nodes}")


def fit_temporal(
    clips: Clips,
    gaussians: Gaussians,
    modules: Mapping[str, nn.Module],
    config: TemporalConfig,
    *,
    teacher: Teacher | None = None,
    checkpoint: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    on_state: OnState = lambda _: None,
) -> FitState:
    """Fit motion, then all together, to both clips.

    Args:
        clips: with a reference.
        gaussians: of the canonical scene, on the device to work on.
        modules: its "warp" and "poses".
        config: phases, nodes, seed.
        teacher: scores the phases that have a guidance.
        checkpoint, on_progress, on_state: see `fit_from`.
    """
    assert clips.reference is not None
    device = gaussians.means.device
    motion, gaussians, led = _motion(clips, gaussians, config)
    phases = frozen_leads(config.phases) if led else config.phases
    lens = Lens.of(clips.freeze.cameras, focus_distance(clips.freeze))
    beginning = Beginning(gaussians, clips.freeze.extent(), config.seed + 1, {**modules, "motion": motion}, lens)
    run = fingerprint(phases, str(asdict(replace(config, phases=()))), device.type)
    objective = taught(
        dynamic_objective(clips, select(device), shown_only=config.field == "mlp"), clips, teacher, select(device)
    )
    return fit_from(
        beginning, phases, objective, run, checkpoint=checkpoint, on_progress=on_progress, on_state=on_state
    )


def _motion(clips: Clips, gaussians: Gaussians, config: TemporalConfig) -> tuple[Field, Gaussians, bool]:
    """The field as the fit begins: the network at rest; nodes where the clip moves, as the subject turns and followed
    points move. And the Gaussians, with those of the side that a subject turns to the camera; and whether it turns, and
    the freeze-time clip shows it from wherever the reference clip does."""
    assert clips.reference is not None
    means = gaussians.means
    space, frames = inner_space(clips.freeze, means), len(clips.reference.cameras)
    if config.field == "mlp":
        return MlpConfig().build(means, frames, clips.instant, seed=config.seed, space=space), gaussians, False
    ground = find_ground(clips.freeze)
    busy = moving(clips, means, space.centre, space.extent, ground)
    render = select(means.device)
    spin = None
    if config.follow and config.turns is not False:
        axis, known = upwards(clips, ground), config.turns is True
        spin = find_spin(gaussians, clips, busy, axis, render, told=known)
    if spin is not None:
        busy = busy & spin.room.holds(means)
        gaussians = shown_by_turning(gaussians, clips, spin, busy, render)
        means, busy = gaussians.means, F.pad(busy, (0, len(gaussians) - len(means)), value=True)
    field = NodeConfig(nodes=config.nodes).build(means, frames, clips.instant, space=space, busy=busy)
    if spin is not None:
        spin.turn(field)
        field.rebind(means)
    if config.follow:
        followed = Followed(*follow_from(clips.reference.images, clips.instant))
        if spin is None:
            carry_motion(field, gaussians, clips, followed, find_again, render, busy)
        else:  # its course is known, from the far side, too
            guess_motion(field, gaussians, clips, followed, render, busy)
    return field, gaussians, spin is not None and not bool(shows_more(clips, spin).any())


def make_temporal(
    config: TemporalConfig, device: torch.device, desk: Desk, tell: Tell, teacher: Teacher | None = None
) -> None:
    """Fit the run's reference clip on top of its canonical scene; write the scene in motion and how the fit went.

    Without a reference clip the scene is the canonical one, and static.

    Raises:
        FourRealError: if a file is missing or damaged, or the fit diverges.
    """
    clips, fps = read_run_clips(desk.run)
    frozen = Scene.load(desk.run / canonical.SCENE)
    clips = replace(clips, freeze=replace(clips.freeze, cameras=frozen.cameras["freeze"])).to(device)
    gaussians = frozen.gaussians.to(device)
    modules = _modules(desk.run, clips, gaussians)
    curve = Curve.open(desk.scratch / "curve.jsonl")
    if config.turns == "auto" and _told_to_turn(desk.run):
        config = replace(config, turns=True)
    tell(News(doing="first guess of the motion", share=0.0))

    def progress(news: Progress) -> None:
        curve.add(news)
        tell(told(news))

    def glance(state: FitState) -> None:
        assert clips.reference is not None
        which = [0, len(clips.reference.cameras) // 2]
        cameras = clips.reference.cameras[which]
        shown = render_dynamic(state.splats(), field_of(state, "motion"), cameras, select(device)).cpu()
        tell(News(picture=torch.cat([clips.reference.images[which[1]].cpu(), *shown.flip(0)], -1)))

    if clips.reference is None:
        state = FitState.begin(gaussians, clips.freeze.extent(), config.seed, modules)
    else:
        state = fit_temporal(
            clips, gaussians, modules, config, teacher=teacher, checkpoint=desk.scratch / "checkpoint.safetensors",
            on_progress=progress, on_state=Glances(glance),
        )  # fmt: skip
        glance(state)
    save_lift(desk.out / LIFTED, state, clips, fps, _notes(desk.run))
    motion = state.modules.get("motion")
    turns = isinstance(motion, NodeField) and bool(motion.room.any())
    if turns:
        tell(News("the subject turns about itself: its motion began with the turning that fits the clip best"))
    write_json(desk.out / REPORT, {"gaussians": len(state.params["means"]), "turns": turns, "curve": curve.rows})


def _modules(run: Path, clips: Clips, gaussians: Gaussians) -> dict[str, nn.Module]:
    """The warp of the canonical stage, and increments of cameras that hold its increments already."""
    device = gaussians.means.device
    warp = load_field(run / canonical.WARP, device)
    warp.rebind(gaussians.means)
    focus = focus_distance(clips.freeze)
    return {"warp": warp, "poses": CameraIncrements(len(clips.freeze.cameras), clips.canonical, focus, device)}


def _told_to_turn(run: Path) -> bool:
    """Whether the clips were drawn for words that have their subject turn about itself."""
    return (run / videos.NOTES).is_file() and read_json(run / videos.NOTES).get("turns") is True


def _notes(run: Path) -> dict[str, object]:
    """What is known of the lift as a whole: how its cameras came about."""
    return dict(read_json(run / poses.REPORT))
