"""The simplest objective: one instant, seen by known cameras."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.gaussians import Gaussians
from fourreal.raster.base import Rasterizer, Splats, Views

from .loop import Evaluation, Objective
from .losses import IMAGE_LOSSES, SPLAT_LOSSES
from .phases import Phase
from .state import FitState


@dataclass(frozen=True, eq=False)
class Targets:
    """Images of one instant and the cameras that saw them.

    Attributes:
        images: [V, 3, H, W] float32 RGB in [0, 1].
        cameras: V cameras of that size.

    Raises:
        FieldError: if images and cameras do not match.
    """

    images: Tensor
    cameras: Cameras

    def __post_init__(self) -> None:
        want = (len(self.cameras), 3, self.cameras.height, self.cameras.width)
        if tuple(self.images.shape) != want:
            raise FieldError(f"Targets.images must be {list(want)} to match its cameras, got {list(self.images.shape)}")

    def to(self, device: torch.device | str) -> Targets:
        """The same on `device`."""
        return Targets(self.images.to(device), self.cameras.to(device))

    def shrunk(self, factor: int) -> Targets:
        """The same views at 1/`factor` of the size (area average)."""
        if factor == 1:
            return self
        height, width = self.cameras.height // factor, self.cameras.width // factor
        images = F.interpolate(self.images, size=(height, width), mode="area")
        return Targets(images, self.cameras.resized(width, height))

    def extent(self) -> float:
        """Scene size: 1.1 times the largest distance of a camera from their centre (3DGS), at least 1e-3."""
        positions = self.cameras.positions
        return max(1e-3, 1.1 * float((positions - positions.mean(0)).norm(dim=1).max()))


def views_of(cameras: Cameras) -> Views:
    """The part of `cameras` that a rasterizer needs."""
    return Views(cameras.viewmats, cameras.Ks, cameras.width, cameras.height)


def static_objective(targets: Targets, render: Rasterizer, background: Tensor | None = None) -> Objective:
    """Compare random views of `targets` with renders of the state's Gaussians under the phase's losses."""
    pyramid: dict[int, Targets] = {}

    def objective(state: FitState, phase: Phase) -> Evaluation:
        factor = phase.shrink_of(*targets.images.shape[-2:])
        level = pyramid.setdefault(factor, targets.shrunk(factor))
        cameras = level.cameras
        chosen = torch.randperm(len(cameras), generator=state.generator)[: phase.views]
        chosen = chosen.to(level.images.device)
        views = Views(cameras.viewmats[chosen], cameras.Ks[chosen], cameras.width, cameras.height)
        splats = state.splats()
        rendering = render(splats, views, background, absgrad=phase.growth is not None)
        image, truth = rendering.color, level.images[chosen]
        terms = {name: IMAGE_LOSSES[name](image, truth) for name in phase.losses if name in IMAGE_LOSSES}
        drawn = (rendering.radii > 0).all(-1).any(0)
        terms |= {name: SPLAT_LOSSES[name](splats.opacities, drawn) for name in phase.losses if name in SPLAT_LOSSES}
        loss = torch.stack([phase.losses[k] * v for k, v in terms.items()]).sum()
        return Evaluation(loss, {k: v.detach() for k, v in terms.items()}, rendering)

    return objective


@torch.no_grad()
def render_cameras(
    gaussians: Gaussians,
    cameras: Cameras,
    render: Rasterizer,
    background: Tensor | None = None,
    batch: int = 4,
) -> Tensor:
    """[V, 3, H, W] images in [0, 1] of `gaussians` from `cameras`, `batch` at a time."""
    splats = Splats.of(gaussians)
    frames = []
    for start in range(0, len(cameras), batch):
        part = views_of(cameras[start : start + batch])
        frames.append(render(splats, part, background).color.clamp(0, 1))
    return torch.cat(frames)
