"""A run's scene with what every output needs to look at it: where it is, which way is up, where to begin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FourRealError
from fourreal.core.paths import look_target, world_up
from fourreal.core.scene import Scene
from fourreal.deform import load_field
from fourreal.deform.storage import Field
from fourreal.fit.dynamic import render_dynamic
from fourreal.raster import Splats, select
from fourreal.stages.lifted import WARP, load_lift


@dataclass(frozen=True, eq=False)
class Lifted:
    """A lifted scene, its motion, and its whereabouts.

    Attributes:
        scene: canonical Gaussians, cameras, clock; on the CPU.
        motion: None for a static scene; on `device`.
        device: where it is rendered.
        pivot: [3] what the cameras look at.
        up: [3] unit direction.
        home: the one camera to begin with: the reference clip's, or the middle one of the freeze-time clip.
        walk: the cameras of the freeze-time clip in order (or whichever group moves most); at least one.
    """

    scene: Scene
    motion: Field | None
    device: torch.device
    pivot: Tensor
    up: Tensor
    home: Cameras
    walk: Cameras

    @property
    def instant(self) -> int:
        """Time at which the motion is zero: the frozen moment."""
        return 0 if self.motion is None else self.motion.canonical

    def splats(self, colors: Float[Tensor, "N 3"] | None = None) -> Splats:
        """The canonical Gaussians on `device`, with linear scales; `colors` [N, 3] replaces their own."""
        splats = Splats.of(self.scene.gaussians.to(self.device))
        return splats if colors is None else splats._replace(colors=colors.to(self.device))

    @torch.no_grad()
    def render(self, cameras: Cameras) -> Float[Tensor, "V 3 H W"]:
        """Pictures in [0, 1] from `cameras` at their times, on the CPU."""
        background = self.scene.background.to(self.device)
        draw = select(self.device)
        return render_dynamic(self.splats(), self.motion, cameras.to(self.device), draw, background).cpu()

    @torch.no_grad()
    def render_warped(self, cameras: Cameras, warp: Field) -> Float[Tensor, "V 3 H W"]:
        """The frozen moment from `cameras`, each frame bent by its own row of `warp` (w_multi-view), on the CPU."""
        here = cameras.to(self.device)
        index = torch.arange(len(cameras), device=self.device, dtype=torch.float32)
        numbered = Cameras(here.viewmats, here.Ks, here.width, here.height, index)
        return render_dynamic(
            self.splats(), warp, numbered, select(self.device), self.scene.background.to(self.device)
        ).cpu()

    def angles(self, cameras: Cameras) -> Float[Tensor, "C 2"]:
        """Azimuth (unwrapped along the cameras, positive to the right of `home`) and elevation round the pivot, in
        degrees relative to `home`."""
        arms = torch.cat((self.home.positions, cameras.positions)).double() - self.pivot.double()
        up = self.up.double()
        height = torch.nn.functional.normalize(arms, dim=1) @ up
        flat = torch.nn.functional.normalize(arms - (arms @ up)[:, None] * up, dim=1)
        start = torch.atan2(torch.linalg.cross(flat[:1], flat[1:2]) @ up, (flat[:1] * flat[1:2]).sum(1))
        step = torch.atan2(torch.linalg.cross(flat[1:-1], flat[2:]) @ up, (flat[1:-1] * flat[2:]).sum(1))
        azimuth = torch.cat((start, step)).cumsum(0)
        elevation = height.clamp(-1, 1).asin()
        both = torch.stack((azimuth, elevation[1:] - elevation[0]), 1)
        return (both * (180 / math.pi)).float()


def read_lifted(run: Path, device: torch.device) -> Lifted:
    """The scene of a run.

    Raises:
        FourRealError: if the folder holds no lifted scene, a file is damaged, or the scene has no cameras.
    """
    if not (run / "scene.safetensors").is_file():
        raise FourRealError(
            f"{run} holds no lifted scene (scene.safetensors is missing); "
            "make one with `4real lift --freeze CLIP --reference CLIP --out DIR`"
        )
    scene, motion = load_lift(run, device)
    groups = {name: cameras for name, cameras in scene.cameras.items() if len(cameras)}
    if not groups:
        raise FourRealError(f"{run}/scene.safetensors has no cameras, so there is nowhere to look from")
    walk = groups.get("freeze", max(groups.values(), key=_spread))
    home = groups["ref"][_nearest_moment(groups["ref"], motion)] if "ref" in groups else walk[len(walk) // 2]
    up = world_up(walk)
    return Lifted(scene, motion, device, _pivot(walk, home, scene), up, home, walk)


def load_warp(run: Path, lifted: Lifted) -> Field | None:
    """The run's deformation of each freeze-time frame, bound to the scene; None where there is none that fits."""
    if not (run / WARP).is_file() or "freeze" not in lifted.scene.cameras:
        return None
    warp = load_field(run / WARP, lifted.device)
    warp.rebind(lifted.scene.gaussians.means.to(lifted.device))
    return warp if warp.frames == len(lifted.scene.cameras["freeze"]) else None


def _nearest_moment(cameras: Cameras, motion: Field | None) -> int:
    instant = 0 if motion is None else motion.canonical
    return int((cameras.moments - instant).abs().argmin())


def _spread(cameras: Cameras) -> float:
    centres = cameras.positions
    return float((centres - centres.mean(0)).norm(dim=1).max())


def _pivot(walk: Cameras, home: Cameras, scene: Scene) -> Tensor:
    """What the walk looks at; where its axes are parallel, the middle of what is in front of the first camera."""
    try:
        return look_target(walk)
    except FieldError:
        depths = scene.gaussians.means @ home.viewmats[0, 2, :3] + home.viewmats[0, 2, 3]
        ahead = depths[depths > 0]
        depth = ahead.median() if len(ahead) else depths.new_tensor(1.0)
        return home.positions[0] + depth * home.viewmats[0, 2, :3]
