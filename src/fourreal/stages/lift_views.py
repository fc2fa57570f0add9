"""Looking at a lifted scene: from given cameras, against truth, and at what the clips show of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.core.video import Video
from fourreal.deform.storage import Field, load_field
from fourreal.fit.coverage import Coverage, coverage
from fourreal.fit.dynamic import render_dynamic
from fourreal.io.cameras_json import CameraGroup, CameraSet, read_cameras_json
from fourreal.io.images import read_image
from fourreal.io.video import CLIP_SUFFIXES, read_video
from fourreal.metrics import Lpips, psnr, ssim
from fourreal.pose.align import Alignment, align, differences
from fourreal.pose.known import fitted
from fourreal.raster import Splats, select

from .lift import WARP, load_lift

COVERAGE = "coverage.safetensors"
_SAME_DEGREES, _SAME_PERCENT = 1.0, 3.0  # the refinement of given cameras stays well below
_BEST = 60.0  # dB: pictures that agree even better would rule a mean


def render_scene(
    scene: Scene, motion: Field | None, cameras: Cameras, device: torch.device
) -> Float[Tensor, "V 3 H W"]:
    """Pictures of the scene from `cameras` at their times, on the CPU."""
    splats = Splats.of(scene.gaussians.to(device))
    return render_dynamic(splats, motion, cameras.to(device), select(device), scene.background.to(device)).cpu()


def camera_group(cameras: CameraSet, group: str, path: Path) -> CameraGroup:
    """A group of the `cameras.json` read from `path`. Raises `FourRealError` naming those that are there."""
    if group not in cameras.groups:
        raise FourRealError(f'{path} has no group "{group}"; it has {", ".join(cameras.groups)}')
    return cameras.groups[group]


def render_group(
    run: Path, cameras: Path, group: str, device: torch.device, *, align: bool = False
) -> Float[Tensor, "V 3 H W"]:
    """Exactly the cameras and times of a group; times may be fractional, the size may differ from the fit's.

    Args:
        run: folder of a lift.
        cameras: the `cameras.json`.
        group: name of the group.
        device: where to render.
        align: the cameras are in another frame than the scene; see `alignment`.

    Raises:
        FourRealError: for a missing group, times beyond the clip, or cameras that cannot be aligned.
    """
    scene, motion = load_lift(run, device)
    given = read_cameras_json(cameras)
    wanted = camera_group(given, group, cameras).cameras
    if align:
        wanted = alignment(scene, given, cameras).move.apply_cameras(wanted)
    return render_scene(scene, motion, in_time(scene, wanted, group), device)


def in_time(scene: Scene, cameras: Cameras, group: str) -> Cameras:
    """The cameras, once their times are known to lie in the scene's clip. Raises `FourRealError`."""
    last, latest = scene.n_times - 1, float(cameras.moments.max())
    if last > 0 and latest > last:
        raise FourRealError(
            f'group "{group}" asks for time {latest:g}; the scene ends at {last} '
            f"(times are in frames of the reference clip, which has {scene.n_times})"
        )
    return cameras


def alignment(scene: Scene, given: CameraSet, path: Path) -> Alignment:
    """From the frame of the given cameras to the scene's, by the freeze-time clip's cameras in both.

    Raises `FourRealError` if `given` has no group "freeze" with a camera for each frame of the lifted clip.
    """
    theirs, ours = camera_group(given, "freeze", path).cameras, scene.cameras["freeze"]
    if len(theirs) != len(ours):
        raise FourRealError(
            f'--align needs a camera for each of the {len(ours)} frames of the freeze-time clip in group "freeze" of '
            f"{path}, got {len(theirs)}"
        )
    return align(theirs, ours)


def disagreement(scene: Scene, given: CameraSet) -> str:
    """A sentence of warning if the scene was fitted with other freeze-time cameras than `given` has, else ""."""
    group = given.groups.get("freeze")
    if group is None or len(group.cameras) != len(scene.cameras["freeze"]):
        return ""
    degrees, percent = differences(group.cameras, scene.cameras["freeze"])
    if degrees.median() < _SAME_DEGREES and percent.median() < _SAME_PERCENT:
        return ""
    return (
        f"the scene's freeze-time cameras are {float(degrees.median()):.1f} degrees and {float(percent.median()):.0f} "
        "% of the distance away from the given ones: if they were estimated, add --align"
    )


@dataclass(frozen=True)
class Judged:
    """A lifted scene against true pictures.

    Attributes:
        groups: figures by group: frames, psnr (dB), ssim, psnr_each, lpips if it was asked for.
        alignment: residual of the alignment (see `Alignment.to_json`), if there was one.
        notes: sentences for the user.
    """

    groups: dict[str, dict[str, Any]]
    alignment: dict[str, float] | None
    notes: tuple[str, ...]


def judge_run(
    run: Path,
    cameras: Path,
    groups: Sequence[str],
    truth: Path,
    device: torch.device,
    *,
    aligned: bool = False,
    lpips: Lpips | None = None,
) -> Judged:
    """Compare renders of groups of cameras with the true pictures in `truth` (see `true_pictures`).

    Raises:
        FourRealError: if a group, its truth, or what the alignment needs is missing, or does not fit.
    """
    scene, motion = load_lift(run, device)
    given = read_cameras_json(cameras)
    found = alignment(scene, given, cameras) if aligned else None
    notes = [f"aligned by the freeze-time cameras: {found.words()}"] if found else [disagreement(scene, given)]
    rows: dict[str, dict[str, Any]] = {}
    for name in groups:
        group = camera_group(given, name, cameras)
        pictures = true_pictures(truth, name, group)
        wanted = fitted(in_time(scene, group.cameras, name), pictures)
        if found is not None:
            wanted = found.move.apply_cameras(wanted)
        rows[name] = _figures(render_scene(scene, motion, wanted, device), pictures.frames, lpips)
    return Judged(rows, found.to_json() if found else None, tuple(n for n in notes if n))


def _figures(images: Tensor, truth: Tensor, lpips: Lpips | None) -> dict[str, Any]:
    each = psnr(images, truth).clamp(max=_BEST)
    out: dict[str, Any] = {
        "frames": len(truth),
        "psnr": float(each.mean()),
        "ssim": float(ssim(images, truth).mean()),
        "psnr_each": [round(v, 3) for v in each.tolist()],
    }
    if lpips is not None:
        out["lpips"] = float(lpips(images, truth).mean())
    return out


def true_pictures(truth: Path, name: str, group: CameraGroup) -> Video:
    """The true pictures of a group: a clip or a folder of pictures named like it, else the files its cameras name.

    Where the cameras name frames of the clip, these are taken.

    Raises:
        FourRealError: if there are none, or not as many as cameras.
    """
    suffixes = (*CLIP_SUFFIXES, ".gif", "")
    sources = [p for p in (truth / f"{name}{s}" for s in suffixes) if p.exists()]
    if not sources and group.files and not group.frames:
        paths = [truth / f for f in group.files]
        missing = [p for p in paths if not p.exists()]
        if not missing:
            return Video(torch.stack([read_image(p) for p in paths]))
    if not sources and group.files and len(set(group.files)) == 1 and (truth / group.files[0]).exists():
        sources = [truth / group.files[0]]
    if not sources:
        raise FourRealError(f"{truth} has neither {name}.mp4 nor a folder {name} with the true pictures of the group")
    clip = read_video(sources[0])
    count = len(group.cameras)
    if len(clip) != count and group.frames and max(group.frames) < len(clip):
        clip = Video(clip.frames[list(group.frames)], clip.fps)
    if len(clip) != count:
        raise FourRealError(f'group "{name}" has {count} cameras, but {sources[0]} has {len(clip)} pictures')
    return clip


def write_coverage(run: Path, device: torch.device) -> Coverage:
    """What the clips show of a lifted scene, computed and written to `coverage.safetensors` in its folder."""
    scene, motion = load_lift(run, device)
    splats = Splats.of(scene.gaussians.to(device))
    warp = load_field(run / WARP, device) if (run / WARP).exists() else None
    if warp is not None:
        warp.rebind(splats.means)
    reference = scene.cameras["ref"].to(device) if "ref" in scene.cameras else None
    found = coverage(
        splats, scene.cameras["freeze"].to(device), select(device), reference=reference, warp=warp, motion=motion
    )
    found.save(run / COVERAGE)
    return found
