"""Two clips become a 4D scene: cameras, then the frozen instant, then motion (4Real, sections 3 and 4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FourRealError
from fourreal.core.paths import look_target
from fourreal.core.scene import Scene
from fourreal.core.storage import write_json
from fourreal.core.video import Video
from fourreal.deform import NodeConfig, Space, load_field, save_field
from fourreal.deform.storage import Field
from fourreal.fit.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from fourreal.fit.dynamic import CameraIncrements, Clips, dynamic_objective
from fourreal.fit.loop import Progress, fit
from fourreal.fit.phases import Phase
from fourreal.fit.seeding import focus_distance, seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.io.cameras_json import CameraSet, read_cameras_json
from fourreal.io.frames import resize
from fourreal.io.video import read_video
from fourreal.pose.base import PoseHint
from fourreal.pose.chain import estimate_poses
from fourreal.pose.frames import most_alike
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
        width: pictures are fitted at this width at most.
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
    freeze = _at_width(read_video(config.freeze), config.width)
    if len(freeze) < 2:
        raise FourRealError(f"{config.freeze} has {len(freeze)} frame; a freeze-time clip needs at least two views")
    reference = None
    if config.reference is not None:
        reference = resize(read_video(config.reference), freeze.height, freeze.width)
    given = None if config.cameras is None else read_cameras_json(config.cameras)
    pair, notes = _pair(config, freeze, reference, given, tell)
    known = None if given is None else _group(given, "freeze", freeze, config.cameras)
    poses = estimate_poses(freeze, PoseHint(canonical=pair[1], known=known))
    tell(poses.report.summary())
    notes |= {"poses": poses.report.summary(), "diagnosis": list(poses.report.diagnosis)}
    cameras = replace(poses.cameras, times=torch.full((len(freeze),), float(pair[0])))
    if reference is None:
        return Clips(Targets(freeze.frames, cameras), None, pair[1], 0), notes
    if given is not None:
        seen = _group(given, "ref", reference, config.cameras)
    else:
        still = cameras[pair[1]]
        count = len(reference)
        seen = Cameras(still.viewmats.repeat(count, 1, 1), still.Ks.repeat(count, 1, 1), still.width, still.height)
    seen = replace(seen, times=torch.arange(len(reference), dtype=torch.float32))
    return Clips(Targets(freeze.frames, cameras), Targets(reference.frames, seen), pair[1], pair[0]), notes


def _pair(
    config: LiftConfig, freeze: Video, reference: Video | None, given: CameraSet | None, tell: Callable[[str], None]
) -> tuple[tuple[int, int], dict[str, Any]]:
    """(reference frame, freeze frame) of the shared moment and view."""
    if reference is None:
        return (0, config.freeze_frame or 0), {"freeze_frame": config.freeze_frame or 0}
    alike = most_alike(reference, freeze)
    moment = alike.reference if given is None else round(given.t_freeze)
    first = moment if config.reference_frame is None else config.reference_frame
    second = alike.freeze if config.freeze_frame is None else config.freeze_frame
    for name, value, clip in (("--reference-frame", first, reference), ("--freeze-frame", second, freeze)):
        if not 0 <= value < len(clip):
            raise FourRealError(f"{name} must lie in 0..{len(clip) - 1}, got {value}")
    tell(f"reference frame {first} and freeze frame {second} are one moment (likeness {alike.similarity:.2f})")
    return (first, second), {"reference_frame": first, "freeze_frame": second, "likeness": alike.similarity}


def _at_width(video: Video, width: int) -> Video:
    if video.width <= width:
        return video
    return resize(video, 2 * round(video.height * width / video.width / 2), width)


def _group(given: CameraSet, name: str, clip: Video, path: Path | None) -> Cameras:
    if name not in given.groups:
        raise FourRealError(f'{path} has no group "{name}"; it has {", ".join(given.groups)}')
    cameras = given.groups[name].cameras
    if len(cameras) != len(clip):
        raise FourRealError(f'{path}: group "{name}" has {len(cameras)} cameras for {len(clip)} frames')
    return cameras.resized(clip.width, clip.height)


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
