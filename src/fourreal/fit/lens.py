"""What hangs before the lens: Gaussians so near to where a camera stood that a step aside fills the picture with them.

Such Gaussians lie beside the pictures that they were fitted to, where nothing holds them, and a projection that is
linear at their centre (EWA splatting) smears them over everything as soon as they come before a camera.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.raster.base import Rasterizer

from .bounds import NEAR
from .static import render_cameras

_ALIKE = 0.05  # RGB: root mean square change of a picture by which what hangs there must belong to the scene


@torch.no_grad()
def off_the_lens(gaussians: Gaussians, cameras: Cameras, focus: float, render: Rasterizer) -> Gaussians:
    """`gaussians` without those nearer than `NEAR` times `focus` to a camera.

    All are kept if a picture from the cameras would miss them: then something real stands before the lens.

    Args:
        gaussians: as they are at the frozen moment.
        cameras: of the freeze-time clip.
        focus: distance at which they look, world units.
        render: draws the pictures that are compared.
    """
    near = _near(gaussians.means, cameras.positions, NEAR * focus)
    if not bool(near.any()) or bool(near.all()):
        return gaussians
    less = Gaussians(**{k: v[~near] for k, v in gaussians.tensors().items()})
    before, after = (render_cameras(g, cameras, render) for g in (gaussians, less))
    change = (after - before).square().mean((1, 2, 3)).sqrt()
    return gaussians if float(change.max()) > _ALIKE else less


def _near(means: Float[Tensor, "N 3"], places: Float[Tensor, "V 3"], radius: float) -> Bool[Tensor, " N"]:
    """Which means lie within `radius` of a place."""
    return torch.cdist(means, places.to(means)).amin(1) < radius
