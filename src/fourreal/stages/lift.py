"""Two clips become a 4D scene: cameras, then the frozen instant, then motion (4Real, sections 3 and 4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fourreal.core.errors import FieldError
from fourreal.core.paths import look_target
from fourreal.core.scene import Scene
from fourreal.core.storage import write_json
from fourreal.deform import NodeConfig, Space, load_field, save_field
from fourreal.deform.storage import Field
from fourreal.fit.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from fourreal.fit.dynamic import CameraIncrements, Clips, dynamic_objective
from fourreal.fit.loop import Progress, fit
from fourreal.fit.phases import Phase
from fourreal.fit.seeding import focus_distance, seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.video import read_video
from fourreal.pose import Wanted, locate, prepare_clips
from fourreal.raster import select

SCENE, MOTION, WARP, NOTES = "scene.safetensors", "motion.safetensors", "warp.safetensors", "lift.json"
_SAVE_EVERY = 20.0  # seconds
_INNER = 0.5  # of the distance of the cameras from what they look at: half-size of the cube in which things move


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
    width: int = 256
    seeds: int = 20_000
    nodes: int = 256
    seed: int = 0


def read_clips(config: LiftConfig, tell: Callable[[str], None] = lambda _: None) -> tuple[Clips, dict[str, Any]]:
    """The clips with their cameras, and notes about how these came about.

    Raises:
        FourRealError: if a clip cannot be read, cameras do not fit, or poses cannot be found.
    """
    reference = None if config.reference is None else read_video(config.reference)
    freeze, reference, sentences = prepare_clips(read_video(config.freeze), reference, width=config.width)
    given = None if config.cameras is None else read_cameras_json(config.cameras)
    where = locate(freeze, reference, Wanted(given, config.freeze_frame, config.reference_frame))
    for sentence in (*sentences, *where.notes):
        tell(sentence)
    seen = None
    if reference is not None and where.reference is not None:
        seen = Targets(reference.frames, where.reference.cameras)
    clips = Clips(Targets(freeze.frames, where.freeze.cameras), seen, where.canonical, where.instant)
    return clips, {**where.report(), "notes": [*sentences, *where.notes]}


def fit_clips(
    clips: Clips,
    config: LiftConfig,
    canonical: Sequence[Phase],
    temporal: Sequence[Phase],
    device: torch.device,
    *,
    checkpoint: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> FitState:
    """Seed and fit both stages as one table of phases; goes on from `checkpoint` if that holds the same run."""
    freeze = clips.freeze
    phases = (*canonical, *(temporal if clips.reference is not None else ()))
    run = fingerprint(phases, str(asdict(config)), device.type)
    seeds = seed_gaussians(freeze, config.seeds, torch.Generator().manual_seed(config.seed))
    modules = _modules(clips, seeds.means, config)
    state = load_checkpoint(checkpoint, run, device, modules) if checkpoint else None
    if state is None:
        state = FitState.begin(seeds, freeze.extent(), config.seed, modules)
    saved = time.monotonic()

    def save(state: FitState) -> None:
        nonlocal saved
        if checkpoint and time.monotonic() - saved > _SAVE_EVERY:
            save_checkpoint(checkpoint, state, run)
            saved = time.monotonic()

    objective = dynamic_objective(clips, select(device))
    return fit(state, phases, objective, on_progress=on_progress, save=save)


def _modules(clips: Clips, means: Tensor, config: LiftConfig) -> dict[str, nn.Module]:
    freeze = clips.freeze
    focus = focus_distance(freeze)
    try:
        centre = look_target(freeze.cameras).to(means)
    except FieldError:
        centre = means.median(0).values
    space = Space(centre, means.new_tensor(_INNER * focus))
    nodes = NodeConfig(nodes=config.nodes)
    out: dict[str, nn.Module] = {
        "warp": nodes.build(means, len(freeze.cameras), clips.canonical, space=space),
        "poses": CameraIncrements(len(freeze.cameras), clips.canonical, focus, means.device),
    }
    if clips.reference is not None:
        out["motion"] = nodes.build(means, len(clips.reference.cameras), clips.instant, space=space)
    return out


def save_lift(out: Path, state: FitState, clips: Clips, fps: float, notes: dict[str, Any]) -> None:
    """Write scene, fields and notes, the notes last: they say that the rest is whole."""
    poses = state.modules["poses"]
    index = torch.arange(len(clips.freeze.cameras), device=clips.freeze.cameras.viewmats.device)
    assert isinstance(poses, CameraIncrements)
    with torch.no_grad():
        viewmats = poses.apply_to(clips.freeze.cameras.viewmats, index)
    groups = {"freeze": replace(clips.freeze.cameras, viewmats=viewmats).to("cpu")}
    frames = 1
    if clips.reference is not None:
        groups["ref"] = clips.reference.cameras.to("cpu")
        frames = len(clips.reference.cameras)
        save_field(out / MOTION, state.modules["motion"])  # type: ignore[arg-type]
    save_field(out / WARP, state.modules["warp"])  # type: ignore[arg-type]
    Scene(state.gaussians().to("cpu"), groups, n_times=frames, fps=fps).save(out / SCENE)
    write_json(out / NOTES, notes)


def load_lift(run: Path, device: torch.device) -> tuple[Scene, Field | None]:
    """The scene and its motion (None if it is static). Raises `FileFormatError` if a file is missing or damaged."""
    scene = Scene.load(run / SCENE)
    if scene.n_times == 1:
        return scene, None
    motion = load_field(run / MOTION, device)
    motion.rebind(scene.gaussians.means.to(device))
    return scene, motion
