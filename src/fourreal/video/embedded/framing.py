"""How training clips are framed: subjects as large as the first picture holds them over the whole clip.

The worlds' own camera keeps a box round all that subjects do, seen from anywhere, in the picture. The network's
pictures have 36 x 64 pixels, of which every one counts for faces and legs, so its clips are framed exactly.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.worlds import Worlds
from fourreal.worlds.cameras import outward
from fourreal.worlds.hashing import uniform
from fourreal.worlds.labels import FIRST_FREE
from fourreal.worlds.pose import extents, pose

_MOMENTS = 7  # of the clip, at which subjects shall be in the picture
_WIDE = 0.92  # share of the width that subjects fill at most
_TALL, _TALLER = 0.78, 0.14  # the same of the height, and what chance adds to it at most
_TWO = 0.9  # of that if there are two: whoever walks round them sees the one before the other, and larger
_ROUNDS = 3  # the nearest corner moves as the camera does; it has settled to a hundredth by then
_SLOT = FIRST_FREE + 250  # of the hash: beyond all draws of the worlds


def framed(worlds: Worlds, first: Float[Tensor, "B 3"], aspect: float) -> Worlds:
    """The worlds with a default view that subjects fill, over a whole clip, when it is begun at `first`.

    Args:
        worlds: B worlds.
        first: azimuth and elevation (radians) of the first camera relative to the worlds' default view; its distance
            is not asked: a path that begins farther away shows subjects smaller.
        aspect: width of pictures over their height.

    Returns:
        The same worlds; `view.target` and `view.distance` are others.
    """
    view = worlds.view
    right, up, toward = _axes(view.azimuth + first[:, 0], view.elevation + first[:, 1])
    corners = _corners(worlds)
    x, y, near = ((corners * axis[:, None]).sum(-1) for axis in (right, up, toward))
    tangent = (view.fov / 2).tan()
    fill = _TALL + _TALLER * uniform(worlds.seeds, _SLOT)
    share = torch.stack((torch.full_like(fill, _WIDE * aspect), fill), -1) * tangent[:, None]
    share = torch.where(worlds.labels["second"][:, None] > 0, _TWO * share, share)[:, None]
    across = torch.stack((x, y), -1)
    shift, distance = x.new_zeros(len(worlds), 2), view.distance
    for _ in range(_ROUNDS):
        sight = (across - shift[:, None]) / (distance[:, None] - near).clamp(min=0.1)[..., None]
        shift = shift + distance[:, None] * (sight.amax(1) + sight.amin(1)) / 2
        distance = ((across - shift[:, None]).abs() / share + near[..., None]).amax((1, 2))
    target = view.target + shift[:, :1] * right + shift[:, 1:] * up
    return replace(worlds, view=replace(view, target=target, distance=distance))


def _axes(azimuth: Tensor, elevation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors [B, 3] to the right and up in the picture, and to the camera."""
    zero = torch.zeros_like(azimuth)
    right = torch.stack((azimuth.cos(), zero, -azimuth.sin()), -1)
    up = torch.stack((-elevation.sin() * azimuth.sin(), elevation.cos(), -elevation.sin() * azimuth.cos()), -1)
    return right, up, outward(azimuth, elevation)


def _corners(worlds: Worlds) -> Tensor:
    """[B, N, 3] corners, relative to the view's target, of boxes round the parts of subjects over a clip.

    Parts of anything else are points at the target itself, which every picture holds.
    """
    times = torch.linspace(0, 1, _MOMENTS, device=worlds.device).expand(len(worlds), -1)
    rotation, center = pose(worlds, times)
    half = extents(worlds.slots, rotation)
    signs = center.new_tensor(list(product((-1.0, 1.0), repeat=3)))
    corners = center[..., None, :] + signs * half[..., None, :] - worlds.view.target[:, None, None, None]
    return (corners * worlds.slots.actors[:, None, :, None, None]).flatten(1, 3)
