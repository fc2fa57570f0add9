"""Where things move, and which Gaussians a clip shows in motion: those are where control nodes are needed."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.paths import look_target
from fourreal.deform import Space

from .clips import Clips
from .ground import Plane
from .pixels import changed, looked_up
from .static import Targets
from .stereo import focus_distance

_INNER = 0.5  # of the distance of the cameras from what they look at: half-size of the cube in which things move
_CHANGE = 0.04  # a pixel whose colour leaves that of the frozen instant by so much has changed
_REACH = 0.02  # of the picture's height, by which changed parts are widened: the clip moves on between frames
_AROUND = 1.5  # cubes: what moves may also leave the one in which it is at first
_LIES = 0.06  # cubes above the ground, below which things lie on it
_FOOT, _RISE = 0.3, 0.2  # beyond so many cubes about the middle it rises by so much a cube: hills are no limbs
_LEAST = 0.002  # share of changed pixels below which a clip is taken to stand still


def inner_space(freeze: Targets, means: Tensor) -> Space:
    """The cube in which things move: about the point that the cameras look at."""
    try:
        centre = look_target(freeze.cameras).to(means)
    except FieldError:
        centre = means.median(0).values
    return Space(centre, means.new_tensor(_INNER * focus_distance(freeze)))


@torch.no_grad()
def moving(
    clips: Clips, means: Float[Tensor, "N 3"], centre: Float[Tensor, " 3"], reach: Tensor, ground: Plane | None = None
) -> Bool[Tensor, " N"]:
    """Gaussians near what the cameras look at that lie, in the reference camera, where the picture changes.

    Also what is hidden behind: the far side of a subject moves with it. Not the ground it passes over, which one camera
    cannot tell from what passes (unseen views would see pieces of a limb far behind it). Valid for a camera that stands
    still; one that moves changes the whole picture, and then all near Gaussians count.

    Args:
        clips: with a reference clip.
        means: canonical centres.
        centre: of what moves, world units.
        reach: [] half-size of the cube about `centre` in which things move.
        ground: the plane on which the scene stands, if there is one.
    """
    assert clips.reference is not None
    images, cameras = clips.reference.images, clips.reference.cameras
    change = changed(images, clips.instant, _CHANGE, _REACH)
    near = ((means - centre).abs() < _AROUND * reach).all(1)
    if ground is not None:
        near &= _stands_out(means, centre, reach, ground)
    if float(change.mean()) < _LEAST:
        return near
    (pixels,), (depth,) = cameras[[clips.instant]].project(means)
    return near & (depth > 1e-6) & (looked_up(change[None], pixels)[:, 0] > 0)


def _stands_out(means: Tensor, centre: Tensor, reach: Tensor, ground: Plane) -> Bool[Tensor, " N"]:
    """What rises above the ground: by more the farther from the middle, where it is known less well and not level."""
    normal = ground.normal.to(means)
    arms = means - centre
    aside = (arms - (arms @ normal)[:, None] * normal).norm(dim=1)
    return means @ normal - ground.offset > _LIES * reach + _RISE * (aside - _FOOT * reach).clamp(min=0)
