"""First Gaussians from posed images alone: points of the depth maps on which several views agree.

For cameras that come with structure-from-motion points those are no better start: they are few where texture is poor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import knn, matrix_to_quat

from .ground import Plane, Rays
from .static import Targets
from .stereo import Stereo, depth_maps

_VOTES = 3  # views that must agree with a depth, beyond those that see past it
_NEAREST = 3  # a seed is as large as its distance to so many nearest others (3DGS)
_FILL = 0.6  # standard deviation of a seed, in spacings
_CELLS = 24  # cells along a picture's height, each of which must have a seed
_BEYOND = 8  # rows and columns of cells that are filled outside a picture
_LONGEST, _THIN = 8.0, 0.2  # of a seed on the ground: along the ray at most, and upwards, in its sizes
_LARGER = 1.5  # than a cell inside is a seed there: nothing will train it to close gaps
_SAFE = 3  # cells around, of which the farthest says how far away the margin lies if there is no ground
_BEFORE = 1e-6  # depth of the nearest point that a camera sees
_OPAQUE = 3.0  # logit of the opacity of what no picture shows


class _Seeds(NamedTuple):
    """Balls: where, how large, which colour."""

    means: Tensor  # [N, 3]
    sizes: Tensor  # [N] world units
    colors: Tensor  # [N, 3]
    logits: Tensor  # [N] of the opacities
    views: Tensor  # [N] int64, whose pixels they are

    def joined(self, other: _Seeds) -> _Seeds:
        return _Seeds(*(torch.cat(pair) for pair in zip(self, other, strict=True)))


@torch.no_grad()
def seed_gaussians(targets: Targets, count: int, generator: torch.Generator, stereo: Stereo | None = None) -> Gaussians:
    """About `count` Gaussians at pixels of `targets`, at the depth of their maps.

    Where nothing that several views agree on lies in a part of a picture, it is filled with a few larger ones on the
    ground or far away, or at the depth of the surroundings if no ground was found. So is a margin around each picture,
    in the colours of its border: cameras that see a little more than the clip did find no hole there.

    On the CPU, where it is faster than on a GPU: many small looks at what was found so far.

    Args:
        targets: posed images, two or more.
        count: how many, spread evenly over the views.
        generator: chooses the pixels.
        stereo: the depth maps of `targets`, if they are known.

    Returns:
        float32 Gaussians on the device of `targets`: flat on the ground and round elsewhere, half transparent where
        pictures show them, coloured like their pixel.
    """
    device, targets = targets.images.device, targets.to("cpu")
    stereo = depth_maps(targets) if stereo is None else stereo
    views = len(targets.cameras)
    sure = stereo.votes >= min(_VOTES, max(1, (views - 1) // 2))
    empty = targets.images.new_zeros
    seeds = _Seeds(empty(0, 3), empty(0), empty(0, 3), empty(0), empty(0, dtype=torch.int64))
    for view in range(views):
        seeds = seeds.joined(_agreed(targets, stereo.depth[view], sure[view], view, max(1, count // views), generator))
    if len(seeds.means) > _NEAREST:
        apart = knn(seeds.means.cpu(), _NEAREST)[0].mean(1).to(seeds.sizes)
        seeds = seeds._replace(sizes=torch.minimum(seeds.sizes, apart))
    depths = _depths_behind(targets, stereo, sure)
    for view in range(views):
        seeds = seeds.joined(_missing(targets, depths[view], view, seeds.means))
    for view in range(views):
        seeds = seeds.joined(_beyond(targets, depths[view], view, seeds.means))
    quats, scales = _shapes(targets, seeds, stereo.ground)
    return Gaussians(seeds.means, quats, scales.log(), seeds.logits, seeds.colors).to(device)


def _shapes(targets: Targets, seeds: _Seeds, ground: Plane | None) -> tuple[Tensor, Tensor]:
    """Quaternions and scales: round, but flat on the ground and as long there as the pixel's ray is slanted.

    A round one near the horizon stands up before it, and is wrong from any other height.
    """
    scales = seeds.sizes[:, None].repeat(1, 3)
    quats = torch.zeros(len(scales), 4, device=scales.device)
    quats[:, 0] = 1
    if ground is None:
        return quats, scales
    normal = ground.normal.to(scales)
    on = ((seeds.means @ normal - ground.offset).abs() < 0.5 * seeds.sizes).nonzero()[:, 0]
    rays = F.normalize(seeds.means[on] - targets.cameras.positions[seeds.views[on]], dim=1)
    slant = (rays @ normal).abs()
    along = F.normalize(rays - (rays @ normal)[:, None] * normal, dim=1)
    across = torch.linalg.cross(normal.expand_as(along), along)
    quats[on] = matrix_to_quat(torch.stack([along, across, normal.expand_as(along)], -1))
    scales[on, 0] *= 1 / slant.clamp_min(1 / _LONGEST)
    scales[on, 2] *= _THIN
    return quats, scales


def _agreed(targets: Targets, depth: Tensor, sure: Tensor, view: int, count: int, generator: torch.Generator) -> _Seeds:
    """At most `count` random pixels of a view, of those where its depth is `sure`."""
    height, width = targets.images.shape[-2:]
    where = _enlarged(sure, height, width).flatten().nonzero()[:, 0]
    picked = where[torch.randperm(len(where), generator=generator)[:count]].to(targets.images.device)
    depth = _enlarged(depth, height, width).flatten().to(targets.images)[picked]
    spacing = (height * width / count) ** 0.5 / targets.cameras.Ks[view, 0, 0]
    colors = targets.images[view].flatten(1)[:, picked].T
    x, y = picked % width + 0.5, picked // width + 0.5
    means, whose = _unproject(targets, view, x, y, depth), torch.full_like(picked, view)
    return _Seeds(means, _FILL * spacing * depth, colors, torch.zeros_like(depth), whose)


def _depths_behind(targets: Targets, stereo: Stereo, sure: Tensor) -> Float[Tensor, "V r c"]:
    """Depth of the cells of all pictures and of the margin around them, for what no view is sure of."""
    views, (height, width) = len(targets.cameras), targets.images.shape[-2:]
    rows, columns = _cells(height, width)
    if stereo.ground is not None:
        cell = height / rows, width / columns
        Ks = targets.cameras.Ks.cpu().clone()
        Ks[:, 0] /= cell[1]
        Ks[:, 1] /= cell[0]
        Ks[:, :2, 2] += _BEYOND
        rays = Rays.through(targets.cameras.viewmats.cpu(), Ks, rows + 2 * _BEYOND, columns + 2 * _BEYOND)
        return 1 / stereo.ground.disparity(rays).clamp(min=1 / stereo.farthest)
    maps = torch.stack([_spread(1 / stereo.depth[v], sure[v]) for v in range(views)])[:, None]
    maps = F.interpolate(maps, size=(rows, columns))
    # Beyond the picture the farthest of what is near the border: it must not stand before what others see.
    farthest = -F.max_pool2d(F.pad(-maps, (_SAFE,) * 4, mode="replicate"), 2 * _SAFE + 1, 1)
    around = F.pad(farthest, (_BEYOND,) * 4, mode="replicate")
    around[:, :, _BEYOND:-_BEYOND, _BEYOND:-_BEYOND] = maps
    return 1 / around[:, 0]


def _cells(height: int, width: int) -> tuple[int, int]:
    return _CELLS, max(1, round(_CELLS * width / height))


def _missing(targets: Targets, depth: Float[Tensor, "r c"], view: int, means: Tensor) -> _Seeds:
    """A seed for each cell of a picture in and beside which no point of `means` lies; `depth` has the margin too."""
    rows, columns = _cells(*targets.images.shape[-2:])
    empty = ~_occupied(targets, view, means, rows, columns, 0)
    smooth = F.interpolate(targets.images[view][None], size=(rows, columns), mode="area")[0]
    return _fill(targets, view, empty, 0, depth[_BEYOND:-_BEYOND, _BEYOND:-_BEYOND], smooth, 0.0)


def _beyond(targets: Targets, depth: Float[Tensor, "r c"], view: int, means: Tensor) -> _Seeds:
    """Seeds around a picture, where no point of `means` lies and no other picture looks."""
    rows, columns = _cells(*targets.images.shape[-2:])
    empty = ~_occupied(targets, view, means, rows, columns, _BEYOND)
    empty[_BEYOND:-_BEYOND, _BEYOND:-_BEYOND] = False
    smooth = F.interpolate(targets.images[view][None], size=(rows, columns), mode="area")
    around = F.pad(smooth, (_BEYOND,) * 4, mode="replicate")[0]
    new = _fill(targets, view, empty, _BEYOND, depth, around, _OPAQUE)
    unseen = ~_inside(targets, new.means).any(0)
    return _Seeds(*(v[unseen] for v in new))


def _fill(
    targets: Targets, view: int, empty: Tensor, margin: int, depth: Tensor, colors: Tensor, logit: float
) -> _Seeds:
    """A seed in the middle of each empty cell of a grid that goes `margin` cells beyond the picture."""
    height, width = targets.images.shape[-2:]
    rows, columns = _cells(height, width)
    cells = empty.nonzero().to(targets.images.device)
    y, x = (cells[:, 0] - margin + 0.5) * height / rows, (cells[:, 1] - margin + 0.5) * width / columns
    at = cells.unbind(1)
    far = depth.to(targets.images)[at]
    sizes = _FILL * (_LARGER if margin else 1.0) * height / rows / targets.cameras.Ks[view, 0, 0] * far
    means = _unproject(targets, view, x, y, far)
    whose = torch.full_like(at[0], view)
    return _Seeds(means, sizes, colors[:, at[0], at[1]].T, torch.full_like(sizes, logit), whose)


def _inside(targets: Targets, means: Tensor) -> Tensor:
    """[V, N] which points each picture shows, whatever covers them."""
    pixels, depth = targets.cameras.project(means)
    size = pixels.new_tensor([targets.cameras.width, targets.cameras.height])
    return (depth > _BEFORE) & ((pixels >= 0) & (pixels < size)).all(-1)


def _occupied(targets: Targets, view: int, means: Tensor, rows: int, columns: int, margin: int) -> Tensor:
    """In which cells of a picture and of its margin points lie; without a margin, beside which, too."""
    (pixels,), (depth,) = targets.cameras[[view]].project(means)
    before = depth > _BEFORE
    cell = pixels[before] * pixels.new_tensor([columns / targets.cameras.width, rows / targets.cameras.height]) + margin
    rows, columns = rows + 2 * margin, columns + 2 * margin
    inside = ((cell >= 0) & (cell < cell.new_tensor([columns, rows]))).all(1)
    x, y = cell[inside].long().unbind(1)
    out = torch.zeros(rows, columns)
    out[y.cpu(), x.cpu()] = 1
    return (out if margin else F.max_pool2d(out[None], 3, 1, 1)[0]) > 0


def _spread(values: Float[Tensor, "h w"], sure: Tensor) -> Float[Tensor, "h w"]:
    """`values` where `sure`; elsewhere means of the sure ones around, from as far as it takes (push-pull)."""
    weight = sure.to(values)[None, None]
    total = values[None, None] * weight
    out, rest = total.clone(), weight.clone()
    reach = 1
    while float(rest.min()) == 0 and reach < max(values.shape):
        reach *= 2
        near = [F.avg_pool2d(v, 2 * reach + 1, 1, reach) for v in (total, weight)]
        new = (rest == 0) & (near[1] > 0)
        out = torch.where(new, near[0] / near[1].clamp_min(1e-12), out)
        rest = torch.where(new, 1.0, rest)
    return torch.where(rest > 0, out, values[None, None])[0, 0]


def _enlarged(values: Tensor, height: int, width: int) -> Tensor:
    """[height, width] nearest values of a map."""
    return F.interpolate(values[None, None].float(), size=(height, width))[0, 0].to(values.dtype)


def _unproject(targets: Targets, view: int, x: Tensor, y: Tensor, depth: Float[Tensor, " P"]) -> Float[Tensor, "P 3"]:
    """World points of places in a picture, in pixels, at camera-space depths."""
    return targets.cameras[[view]].unproject(torch.stack((x, y), -1)[None], depth[None])[0]
