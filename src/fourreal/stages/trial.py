"""Trials with exact truth: a procedural world filmed as both clips and from held-out cameras, lifted, and judged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FourRealError
from fourreal.core.geometry import Similarity
from fourreal.deform.base import DeformField
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import render_dynamic
from fourreal.fit.formed import CameraIncrements, motion_of
from fourreal.fit.loop import Progress
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.frames import resize_frames
from fourreal.metrics import psnr, ssim
from fourreal.pose.known import fitted
from fourreal.raster import Splats, select
from fourreal.recipes import Ablations, canonical_default, temporal_default
from fourreal.worlds import Shots, Worlds, captions, core_cameras, place_cameras, sample_worlds, spoil, thaw
from fourreal.worlds import render as render_world

from .lift import LiftConfig, fit_clips, read_clips
from .lift_views import camera_group, true_pictures
from .scoring import Teacher

# Worlds that nothing was trained on: the embedded model's end at 2^40. Tune on the first range, judge on the others.
TUNING, JUDGED, ABLATED = ((1 << 40) + (1 << 31) + (i << 20) for i in range(3))
HELDOUT = ("heldout0", "heldout1", "heldout2", "heldout3")  # unseen views at unseen times
_SECOND = 2  # fixed held-out cameras show every second time


@dataclass(frozen=True)
class Filming:
    """How a world is filmed.

    Attributes:
        width, height: of all pictures, in pixels.
        frames: of the reference clip, whose camera rests.
        views: of the freeze-time clip.
        degrees: how far its camera goes round, from the reference view on.
        instant: the frozen frame of the reference clip.
        warp: strength of the freeze-time clip's own non-rigid warps, 0..1 (`worlds.spoil`).
        drift: strength of the drift of its colours, 0..1.
        thaw: share of the clip over which its subject moves after all, 0..1.
    """

    width: int = 256
    height: int = 144
    frames: int = 16
    views: int = 32
    degrees: float = 120.0
    instant: int = 0
    warp: float = 0.0
    drift: float = 0.0
    thaw: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("width", 16), ("height", 16), ("frames", 2), ("views", 3)):
            if getattr(self, name) < low:
                raise FieldError(f"Filming.{name} must be at least {low}, got {getattr(self, name)}")
        if not 0 <= self.instant < self.frames:
            raise FieldError(f"Filming.instant must lie in 0..{self.frames - 1}, got {self.instant}")


@dataclass(frozen=True, eq=False)
class Case:
    """Two clips, and truth to judge a lift of them by.

    Attributes:
        name: for tables.
        clips: what is fitted, with exact cameras.
        truth: groups of true pictures with exact cameras; times are in frames of the reference clip. "arc": the clean
            freeze-time clip; "frozen": its instant from other cameras; "seen": the reference camera, between the
            frames as well; "heldout0" to "heldout2": other cameras at rest while time runs; "heldout3": one that
            moves, at half steps of time; "outside": beyond the ends of the arc, and higher.
        heldout: the groups whose mean is the headline.
    """

    name: str
    clips: Clips
    truth: Mapping[str, Targets]
    heldout: tuple[str, ...] = HELDOUT


def files_case(config: LiftConfig, truth: Path, groups: Sequence[str], device: torch.device) -> Case:
    """Clips of one's own with known cameras, and true pictures of other groups of the same `cameras.json`.

    Args:
        config: names both clips and the cameras.
        truth: folder of the true pictures, see `true_pictures`.
        groups: which groups to judge by.
        device: where to work.

    Raises:
        FourRealError: if a file or a group is missing or does not fit.
    """
    if config.cameras is None:
        raise FourRealError("trials on clips of your own need known cameras: --cameras cameras.json")
    clips, _ = read_clips(config)
    given = read_cameras_json(config.cameras)
    width, height = clips.freeze.cameras.width, clips.freeze.cameras.height
    found: dict[str, Targets] = {}
    for name in groups:
        group = camera_group(given, name, config.cameras)
        pictures = true_pictures(truth, name, group)
        cameras = fitted(group.cameras, pictures).resized(width, height)
        images = resize_frames(pictures.frames, height, width)
        found[name] = Targets(images.to(device), cameras.to(device))
    return Case(config.freeze.parent.name or "clips", clips.to(device), found, tuple(groups))


@torch.no_grad()
def world_case(seed: int, filming: Filming, device: torch.device) -> Case:
    """A world filmed on its procedural truth. Deterministic; the same seed is spoiled in proportion to the strength."""
    world = sample_worlds([seed], device)
    frames, arc = filming.frames, filming.degrees
    run = torch.arange(frames).float()
    sweep = torch.linspace(0, arc, filming.views)
    still = torch.full_like(sweep, float(filming.instant))
    shots = {"ref": _shots(world, filming, run, 0 * run), "arc": _shots(world, filming, still, sweep)}
    shots |= _heldout(world, filming)
    truth = {name: _target(world, shot, frames) for name, shot in shots.items()}
    reference, clean = truth.pop("ref"), truth["arc"]
    filmed = clean.images
    if filming.thaw > 0:
        filmed = render_world(world, thaw(shots["arc"], filming.thaw), geometry=False).rgb[0]
    spoiled = spoil(filmed[None].float(), world.seeds, warp=filming.warp, drift=filming.drift).rgb[0]
    clips = Clips(Targets(spoiled.contiguous(), clean.cameras), reference, 0, filming.instant, given=True)
    return Case(f"{_range_of(seed)}: {captions(world)[0]}", clips, truth)


def _range_of(seed: int) -> str:
    for name, first in (("ablated", ABLATED), ("judged", JUDGED), ("tuning", TUNING)):
        if seed >= first:
            return f"{name} {seed - first}"
    return f"world {seed}"


def _heldout(world: Worlds, filming: Filming) -> dict[str, Shots]:
    frames, arc = filming.frames, filming.degrees
    halves = torch.arange(2 * frames - 1) / 2
    some = torch.arange(1, frames, _SECOND).float()
    out = {"seen": _shots(world, filming, halves, 0 * halves)}
    for i, (share, rise) in enumerate(((0.21, 3.0), (0.47, -2.0), (0.74, 7.0))):
        out[f"heldout{i}"] = _shots(world, filming, some, torch.full_like(some, share * arc), rise)
    moving = torch.arange(frames - 1) + 0.5
    out["heldout3"] = _shots(world, filming, moving, torch.linspace(0.05, 0.95, frames - 1) * arc, 2.0)
    ends = torch.tensor([-0.1, 0.5, 1.1]).repeat_interleave(4) * arc
    times = torch.linspace(0, frames - 1, 4).repeat(3)
    rise = torch.tensor([0.0, 15.0, 0.0]).repeat_interleave(4)
    out["outside"] = _shots(world, filming, times, ends, rise)
    near = (torch.arange(8) + 0.5) / 8 * arc
    out["frozen"] = _shots(
        world, filming, torch.full((8,), float(filming.instant)), near, torch.tensor([5.0, -2.0]).repeat(4)
    )
    return out


def _shots(world: Worlds, filming: Filming, times: Tensor, azimuth: Tensor, rise: float | Tensor = 0.0) -> Shots:
    """Cameras about the reference view at times in frames; azimuth and rise in degrees."""
    path = torch.zeros(1, len(times), 3)
    path[0, :, 0] = torch.deg2rad(azimuth)
    path[0, :, 1] = torch.deg2rad(torch.as_tensor(rise))
    moments = (times / filming.frames)[None]
    where = world.device
    return place_cameras(world, path.to(where), moments.to(where), filming.width, filming.height)


def _target(world: Worlds, shots: Shots, frames: int) -> Targets:
    return Targets(render_world(world, shots, geometry=False).rgb[0].contiguous(), core_cameras(shots, 0, frames))


@dataclass(frozen=True, eq=False)
class Lifted:
    """A lifted case in memory.

    Attributes:
        splats: canonical, with linear scales.
        motion: None if the scene is static.
        freeze: the freeze-time cameras, refined.
        seconds: of seeding and fitting.
        before: the frozen instant as the canonical stage left it, before motion was fitted; None if nobody kept it.
    """

    splats: Splats
    motion: DeformField | None
    freeze: Cameras
    seconds: float
    before: Lifted | None = None

    def render(self, cameras: Cameras) -> Float[Tensor, "V 3 H W"]:
        """Pictures from `cameras` at their times."""
        with torch.no_grad():
            return render_dynamic(self.splats, self.motion, cameras, select(self.splats.means.device))


def lift_case(
    clips: Clips,
    *,
    parts: Ablations | None = None,
    effort: float = 1.0,
    seed: int = 0,
    seeds: int = 20_000,
    teacher: Teacher | None = None,
    guided: bool | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Lifted:
    """Both stages of the default recipe on clips with cameras, without files.

    Args:
        clips: what to lift, on the device to work on.
        parts: what is left out; nothing if None.
        effort: factor on the steps.
        seed: of everything random.
        seeds: Gaussians to start from.
        teacher: scores renderings in the phases for it.
        guided: whether there are phases for a teacher; None: if there is one. Without one they reconstruct alone.
        on_progress: told how it goes.
    """
    begun = time.perf_counter()
    parts = parts or Ablations()
    config = LiftConfig(Path(), seeds=seeds, seed=seed)
    guided = teacher is not None if guided is None else guided
    phases = canonical_default(effort, parts, guided), temporal_default(effort, parts, guided)
    kept: list[Lifted] = []

    def keep(state: FitState) -> None:
        still = lifted(state, clips, time.perf_counter() - begun)
        kept.append(replace(still, splats=Splats(*(v.clone() for v in still.splats))))

    state = fit_clips(clips, config, *phases, teacher=teacher, on_progress=on_progress, on_canonical=keep)
    return replace(lifted(state, clips, time.perf_counter() - begun), before=kept[0])


@torch.no_grad()
def lifted(state: FitState, clips: Clips, seconds: float) -> Lifted:
    """The result of a fit."""
    cameras, poses = clips.freeze.cameras, state.modules.get("poses")
    if isinstance(poses, CameraIncrements):
        index = torch.arange(len(cameras), device=cameras.viewmats.device)
        cameras = replace(cameras, viewmats=poses.apply_to(cameras.viewmats, index))
    splats = Splats(*(v.detach() for v in state.splats()))
    return Lifted(splats, motion_of(state), cameras, seconds)


def judge(result: Lifted, case: Case, move: Similarity | None = None) -> dict[str, dict[str, float]]:
    """PSNR (dB) and SSIM of each group of truth, means over its pictures; "heldout" is the mean of `case.heldout`.

    Args:
        result: of a lift.
        case: its truth.
        move: from the frame of the true cameras to that of the scene, where these differ.
    """
    out: dict[str, dict[str, float]] = {}
    for name, target in case.truth.items():
        cameras = target.cameras if move is None else move.apply_cameras(target.cameras)
        if result.motion is None:
            cameras = replace(cameras, times=torch.zeros_like(cameras.moments))
        images = result.render(cameras)
        out[name] = {
            "psnr": float(psnr(images, target.images).clamp(max=60).mean()),
            "ssim": float(ssim(images, target.images).mean()),
        }
    parts = [out[name] for name in case.heldout]
    if parts:
        out["heldout"] = {key: math.fsum(p[key] for p in parts) / len(parts) for key in ("psnr", "ssim")}
    return out
