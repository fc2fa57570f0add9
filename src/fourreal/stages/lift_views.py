"""Looking at a lifted scene: given cameras, an orbit while time runs, pictures beside the clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.core.video import Video
from fourreal.deform.storage import Field
from fourreal.fit.dynamic import Clips, render_dynamic
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.ply import write_ply
from fourreal.io.video import read_video, write_video
from fourreal.metrics import psnr, ssim
from fourreal.raster import Splats, select

from .comparison import write_comparison
from .lift import load_lift


def render_scene(
    scene: Scene, motion: Field | None, cameras: Cameras, device: torch.device
) -> Float[Tensor, "V 3 H W"]:
    """Pictures of the scene from `cameras` at their times, on the CPU."""
    g = scene.gaussians.to(device)
    splats = Splats(g.means, g.quats, g.scales, g.opacities, g.colors)
    return render_dynamic(splats, motion, cameras.to(device), select(device), scene.background.to(device)).cpu()


def _cameras(path: Path, group: str) -> Cameras:
    groups = read_cameras_json(path).groups
    if group not in groups:
        raise FourRealError(f'{path} has no group "{group}"; it has {", ".join(groups)}')
    return groups[group].cameras


def render_group(run: Path, cameras: Path, group: str, device: torch.device) -> Float[Tensor, "V 3 H W"]:
    """Exactly the cameras and times of a group. Raises `FourRealError` for a missing group or times beyond the clip."""
    scene, motion = load_lift(run, device)
    wanted = _cameras(cameras, group)
    last = scene.n_times - 1
    if motion is not None and float(wanted.moments.max()) > last:
        raise FourRealError(f'group "{group}" asks for time {float(wanted.moments.max()):g}; the scene ends at {last}')
    return render_scene(scene, motion, wanted, device)


def compare_group(run: Path, cameras: Path, group: str, truth: Path, device: torch.device) -> dict[str, Any]:
    """PSNR and SSIM of a group against the clip or folder of pictures named like it in `truth`."""
    sources = [p for p in (truth / f"{group}.mp4", truth / group) if p.exists()]
    if not sources:
        raise FourRealError(f"{truth} has neither {group}.mp4 nor a folder {group}")
    wanted = read_video(sources[0]).frames
    images = render_group(run, cameras, group, device)
    if images.shape != wanted.shape:
        raise FourRealError(
            f'group "{group}": cameras are for {list(images.shape)}, {sources[0]} holds {list(wanted.shape)} '
            "(frames, colours, rows, columns)"
        )
    each = psnr(images, wanted)
    return {
        "frames": len(wanted),
        "psnr": float(each.mean()),
        "ssim": float(ssim(images, wanted).mean()),
        "psnr_each": [round(v, 3) for v in each.tolist()],
    }


def write_views(run: Path, clips: Clips, device: torch.device) -> dict[str, float]:
    """Write an orbit while time runs, the splats, and both clips beside renders; PSNR of the fitted frames."""
    scene, motion = load_lift(run, device)
    write_ply(run / "scene.ply", scene.gaussians)
    quality = {}
    clips = clips.to(torch.device("cpu"))
    pairs = {"freeze": clips.freeze} | ({"reference": clips.reference} if clips.reference is not None else {})
    for name, targets in pairs.items():
        cameras = scene.cameras["freeze" if name == "freeze" else "ref"]
        images = render_scene(scene, motion, cameras, device)
        quality[name] = float(psnr(images, targets.images).mean())
        rows = torch.linspace(0, len(images) - 1, 4).round().long()
        title = f"{name} clip, {quality[name]:.1f} dB on average"
        write_comparison(run / f"{name}_vs_render.png", targets.images[rows], images[rows], title)
    write_video(run / "orbit.mp4", Video(render_scene(scene, motion, _round_trip(scene), device), 16.0))
    return quality


def _round_trip(scene: Scene) -> Cameras:
    """Along the freeze cameras and back while time runs twice."""
    cameras = scene.cameras["freeze"]
    way = torch.cat((torch.arange(len(cameras)), torch.arange(len(cameras)).flip(0)))
    times = torch.arange(len(way)) % max(2 * (scene.n_times - 1), 1)
    times = torch.minimum(times, 2 * (scene.n_times - 1) - times).clamp(min=0).float()
    chosen = cameras[way]
    return Cameras(chosen.viewmats, chosen.Ks, chosen.width, chosen.height, times)
