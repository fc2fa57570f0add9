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
from fourreal.core.geometry import knn

from .static import Targets
from .stereo import Stereo, depth_maps

_VOTES = 3  # views that must agree with a depth, beyond those that see past it
_NEAREST = 3  # a seed is as large as its distance to so many nearest others (3DGS)
_FILL = 0.6  # standard deviation of a seed, in spacings
_CELLS = 24  # cells along a picture's height, each of which must have a seed


class _Seeds(NamedTuple):
    """Balls: where, how large, which colour."""

    means: Tensor  # [N, 3]
    sizes: Tensor  # [N] world units
    colors: Tensor  # [N, 3]

    def joined(self, other: _Seeds) -> _Seeds:
        return _Seeds(*(torch.cat(pair) for pair in zip(self, other, strict=True)))


@torch.no_grad()
def seed_gaussians(targets: Targets, count: int, generator: torch.Generator, stereo: Stereo | None = None) -> Gaussians:
    """About `count` Gaussians at pixels of `targets`, at the depth of their maps.

    Where nothing that several views agree on lies in a part of a picture, it is filled with a few larger ones at the
    depth of the surroundings.

    Args:
        targets: posed images, two or more.
        count: how many, spread evenly over the views.
        generator: chooses the pixels.
        stereo: the depth maps of `targets`, if they are known.

    Returns:
        float32 Gaussians on the device of `targets`: round, opacity 0.5, coloured like their pixel.
    """
    stereo = depth_maps(targets) if stereo is None else stereo
    views = len(targets.cameras)
    sure = stereo.votes >= min(_VOTES, max(1, (views - 1) // 2))
    empty = targets.images.new_zeros
    seeds = _Seeds(empty(0, 3), empty(0), empty(0, 3))
    for view in range(views):
        seeds = seeds.joined(_agreed(targets, stereo.depth[view], sure[view], view, max(1, count // views), generator))
    if len(seeds.means) > _NEAREST:
        apart = knn(seeds.means.cpu(), _NEAREST)[0].mean(1).to(seeds.sizes)
        seeds = seeds._replace(sizes=torch.minimum(seeds.sizes, apart))
    for view in range(views):
        seeds = seeds.joined(_missing(targets, stereo.depth[view], sure[view], view, seeds.means))
    quats = torch.zeros(len(seeds.means), 4, device=seeds.means.device)
    quats[:, 0] = 1
    log_scales = seeds.sizes.log()[:, None].expand(-1, 3).contiguous()
    return Gaussians(seeds.means, quats, log_scales, torch.zeros_like(seeds.sizes), seeds.colors)


def _agreed(targets: Targets, depth: Tensor, sure: Tensor, view: int, count: int, generator: torch.Generator) -> _Seeds:
    """At most `count` random pixels of a view, of those where its depth is `sure`."""
    height, width = targets.images.shape[-2:]
    where = _enlarged(sure, height, width).flatten().nonzero()[:, 0]
    picked = where[torch.randperm(len(where), generator=generator)[:count]].to(targets.images.device)
    depth = _enlarged(depth, height, width).flatten().to(targets.images)[picked]
    spacing = (height * width / count) ** 0.5 / targets.cameras.Ks[view, 0, 0]
    colors = targets.images[view].flatten(1)[:, picked].T
    return _Seeds(_unproject(targets, view, picked, depth), _FILL * spacing * depth, colors)


def _missing(targets: Targets, depth: Tensor, sure: Tensor, view: int, means: Tensor) -> _Seeds:
    """A seed for each cell of a picture in and beside which no point of `means` lies."""
    height, width = targets.images.shape[-2:]
    rows, columns = _CELLS, max(1, round(_CELLS * width / height))
    cells = (~_occupied(targets, view, means, rows, columns)).nonzero().to(means.device)
    y, x = (cells[:, 0] + 0.5) * height / rows, (cells[:, 1] + 0.5) * width / columns
    picked = y.long() * width + x.long()
    depth = 1 / _enlarged(_spread(1 / depth, sure), height, width).flatten().to(means)[picked]
    sizes = _FILL * height / rows / targets.cameras.Ks[view, 0, 0] * depth
    smooth = F.interpolate(targets.images[view][None], size=(rows, columns), mode="area")[0]
    return _Seeds(_unproject(targets, view, picked, depth), sizes, smooth[:, cells[:, 0], cells[:, 1]].T)


def _occupied(targets: Targets, view: int, means: Tensor, rows: int, columns: int) -> Tensor:
    """[rows, columns] in which cells of a picture, or beside which, points lie."""
    cameras = targets.cameras
    local = means @ cameras.viewmats[view, :3, :3].T + cameras.viewmats[view, :3, 3]
    local = local[local[:, 2] > 1e-6]
    seen = local @ cameras.Ks[view].T
    cell = seen[:, :2] / seen[:, 2:] * seen.new_tensor([columns / cameras.width, rows / cameras.height])
    inside = ((cell >= 0) & (cell < cell.new_tensor([columns, rows]))).all(1)
    x, y = cell[inside].long().unbind(1)
    out = torch.zeros(rows, columns)
    out[y.cpu(), x.cpu()] = 1
    return F.max_pool2d(out[None], 3, 1, 1)[0] > 0


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


def _unproject(targets: Targets, view: int, picked: Tensor, depth: Float[Tensor, " P"]) -> Float[Tensor, "P 3"]:
    """World points of pixel centres at camera-space depths."""
    cameras = targets.cameras
    K, world_to_camera = cameras.Ks[view], cameras.viewmats[view]
    x = (picked % cameras.width + 0.5 - K[0, 2]) / K[0, 0]
    y = (picked // cameras.width + 0.5 - K[1, 2]) / K[1, 1]
    local = torch.stack([x, y, torch.ones_like(x)], -1) * depth[:, None]
    return (local - world_to_camera[:3, 3]) @ world_to_camera[:3, :3]
