"""What a subject that turns shows of itself beyond the walk round it: first Gaussians for its far side.

To a subject that turns before a camera at rest the camera goes round. So frames of the reference clip look at the
frozen subject from where no frozen camera stood, and outlines of both clips enclose it (the visual hull, Laurentini
1994). Without Gaussians on its far side density control divides there what lies behind the near one: a thin and
tattered flank.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import quat_exp, quat_to_matrix
from fourreal.raster.base import Rasterizer, Splats, Views

from .clips import Clips
from .pixels import looked_up
from .spin import Spin
from .static import Targets

_UNSEEN = math.cos(math.radians(25))  # cosine to the nearest frozen camera, below which a frame shows something new
_CHANGE = 0.08  # a pixel that differs from the scene without the subject by so much shows the subject
_SLACK = 2  # pixels by which outlines are widened: the turning is known in steps of 7.5 degrees
# Shares of the frames, in whose outlines a point must lie: frozen cameras are known, the turning about.
_FROZEN, _TURNING = 0.93, 0.85
_LIES = 0.5  # weight of where skin lies beside where it looks
_CELLS = 56  # of the grid, across the subject
_NEW = 1.5  # cells from the subject's Gaussians: what is nearer is there already
_SOLID = 0.3  # opacity of what is there
_LOGIT = 1.0  # of a seed's opacity
_FILL = 0.6  # standard deviation of a seed, in cells


@torch.no_grad()
def shown_by_turning(
    gaussians: Gaussians, clips: Clips, spin: Spin, turning: Bool[Tensor, " N"], render: Rasterizer
) -> Gaussians:
    """The Gaussians and, after them, new ones on the subject's hull where only the reference clip shows it.

    Each has the colour of its pixel in the frame that looks at it most squarely. Deterministic.

    Args:
        gaussians: of the canonical scene.
        clips: with a reference, whose camera rests.
        spin: how the subject turns.
        turning: which of the Gaussians are the subject.
        render: the rasterizer.
    """
    assert clips.reference is not None
    solid = gaussians.means[turning & (gaussians.opacities > _SOLID)]
    round_it = Targets(clips.reference.images, going_round(clips.reference.cameras, spin))
    views, new = _level(round_it.cameras.positions, spin), shows_more(clips, spin)
    if len(solid) == 0 or not new.any():
        return gaussians
    rest = Splats.of(gaussians)
    rest = rest._replace(opacities=rest.opacities * ~turning)
    turned = _outlines(clips.reference, rest, render)  # the scene behind it does not turn
    frozen = _outlines(clips.freeze, rest, render)
    points, cell = _grid(solid, spin)
    full = _share(points, clips.freeze.cameras, frozen) >= _FROZEN
    full = full & (_share(points, round_it.cameras, turned) >= _TURNING) & _reached(points, solid, spin)
    points, outwards = _surface(points, full, spin)
    best = (outwards @ views.T).argmax(1)
    kept = new[best] & (torch.cdist(points, solid).amin(1) > _NEW * cell)
    points, best = points[kept], best[kept]
    colors = torch.zeros_like(points)
    for frame in best.unique().tolist():
        mine = best == frame
        colors[mine] = looked_up(round_it.images[frame], round_it.cameras[[frame]].project(points[mine])[0][0])
    seeds = {
        "means": points,
        "quats": F.one_hot(torch.zeros_like(best), 4).to(points),
        "log_scales": (_FILL * cell).log().expand(len(points), 3),
        "logit_opacities": torch.full_like(points[:, 0], _LOGIT),
        "colors": colors,
    }
    return Gaussians(**{name: torch.cat([value, seeds[name]]) for name, value in gaussians.tensors().items()})


def shows_more(clips: Clips, spin: Spin) -> Bool[Tensor, " F"]:
    """Which frames of the reference clip look at the subject from where no frozen camera stood."""
    assert clips.reference is not None
    views = _level(going_round(clips.reference.cameras, spin).positions, spin)
    return (views @ _level(clips.freeze.cameras.positions, spin).T).amax(1) < _UNSEEN


def going_round(cameras: Cameras, spin: Spin) -> Cameras:
    """The cameras as the subject sees them: each where it would stand had the subject neither turned nor gone."""
    axis, centre = spin.room.axis.to(cameras.viewmats), spin.room.centre.to(cameras.viewmats)
    moves = torch.eye(4).to(axis).repeat(len(cameras), 1, 1)
    moves[:, :3, :3] = quat_to_matrix(quat_exp(spin.angles.to(axis)[:, None] * axis))
    moves[:, :3, 3] = centre + spin.places.to(axis) - moves[:, :3, :3] @ centre
    return replace(cameras, viewmats=cameras.viewmats @ moves)


def _level(points: Float[Tensor, "P 3"], spin: Spin) -> Float[Tensor, "P 3"]:
    """Unit vectors from the axis of turning to points."""
    arms = points.to(spin.room.centre) - spin.room.centre
    return F.normalize(arms - (arms @ spin.room.axis)[:, None] * spin.room.axis, dim=1)


def _outlines(clip: Targets, rest: Splats, render: Rasterizer) -> Float[Tensor, "F 1 H W"]:
    """1 where a clip shows what is not in the scene without its subject, a little wider."""
    c = clip.cameras
    empty = render(rest, Views(c.viewmats, c.Ks, c.width, c.height), None).color
    shapes = (clip.images - empty).abs().mean(1, keepdim=True) > _CHANGE
    return F.max_pool2d(shapes.float(), 2 * _SLACK + 1, 1, _SLACK)


def _grid(solid: Float[Tensor, "M 3"], spin: Spin) -> tuple[Float[Tensor, "X Y Z 3"], Float[Tensor, ""]]:
    """Points all about the subject, and how far apart they are."""
    centre, reach = spin.room.centre, spin.room.apart(solid).amax()
    # The far side may be as far from the axis as the near one.
    low, high = torch.minimum(solid.amin(0), centre - reach), torch.maximum(solid.amax(0), centre + reach)
    cell = (high - low).amax() / _CELLS
    axes = [begin + cell * torch.arange(_CELLS + 1).to(begin) for begin in low]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1), cell


def _share(
    points: Float[Tensor, "X Y Z 3"], cameras: Cameras, shapes: Float[Tensor, "F 1 H W"]
) -> Float[Tensor, "X Y Z"]:
    """Of the frames, how many have each point within their outline."""
    flat = points.reshape(-1, 3)
    votes = sum(looked_up(s, cameras[[i]].project(flat)[0][0])[:, 0] for i, s in enumerate(shapes))
    assert isinstance(votes, Tensor)
    return (votes / len(shapes)).reshape(points.shape[:-1])


def _reached(points: Float[Tensor, "X Y Z 3"], solid: Float[Tensor, "M 3"], spin: Spin) -> Bool[Tensor, "X Y Z"]:
    """Whether points lie in the room, as high as what is there."""
    heights, height = (solid - spin.room.centre) @ spin.room.axis, (points - spin.room.centre) @ spin.room.axis
    held = spin.room.holds(points.reshape(-1, 3)).reshape(height.shape)
    return held & (height >= heights.min()) & (height <= heights.max())


def _surface(
    points: Float[Tensor, "X Y Z 3"], full: Bool[Tensor, "X Y Z"], spin: Spin
) -> tuple[Float[Tensor, "P 3"], Float[Tensor, "P 3"]]:
    """Points of the hull's skin, and the level directions out of it there."""
    solid = full.to(points)[None, None]
    skin = full & (F.avg_pool3d(solid, 3, 1, 1)[0, 0] < 1)
    slope = F.normalize(torch.stack(torch.gradient(F.avg_pool3d(solid, 5, 1, 2)[0, 0]), -1)[skin], dim=1)
    outwards = (slope @ spin.room.axis)[:, None] * spin.room.axis - slope
    # What looks up or down belongs to the side on which it lies.
    return points[skin], F.normalize(outwards + _LIES * _level(points[skin], spin), dim=1)
