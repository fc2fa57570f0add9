"""Where Gaussians may be: how large the scene is, and where the cameras stood."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.cameras import Cameras

NEAR = 0.2  # of the distance at which the cameras look: nearer to one of them is before the lens
_MARGIN = 0.65  # of a picture's sides from its middle: what hangs just beside it counts too


class Lens(NamedTuple):
    """What the cameras looked through.

    A clip whose frames contradict each other is met most cheaply by veils that hang before one camera each; from
    anywhere else they are fog.
    """

    cameras: Cameras
    radius: float  # world units

    @staticmethod
    def of(cameras: Cameras, focus: float) -> Lens:
        """That of cameras that look at something `focus` away."""
        return Lens(cameras, NEAR * focus)

    def veiled_by(self, means: Float[Tensor, "N 3"]) -> Bool[Tensor, " N"]:
        """Which means are within the radius of a camera, and within its picture or a little beside it.

        The ground at a camera's feet is not: others see it.
        """
        c = self.cameras
        viewmats, Ks = c.viewmats.to(means), c.Ks.to(means)
        points = torch.einsum("vij,nj->vni", viewmats[:, :3, :3], means) + viewmats[:, None, :3, 3]
        pixels = torch.einsum("vij,vnj->vni", Ks, points)
        depth = pixels[..., 2]
        places = pixels[..., :2] / depth.clamp(min=1e-9)[..., None] / pixels.new_tensor([c.width, c.height])
        seen = (depth > 0) & ((places - 0.5).abs() < _MARGIN).all(-1)
        return (seen & (points.norm(dim=-1) < self.radius)).any(0)


class Bounds(NamedTuple):
    """What density control must know of the scene.

    Attributes:
        extent: its size, world units.
        lens: what must stay free; None for fits that let Gaussians be anywhere.
    """

    extent: float
    lens: Lens | None = None
