"""Depth maps of posed images: a plane sweep (Collins 1996, CVPR) made smooth by semi-global matching."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.paths import look_target
from fourreal.raster._threads import launch

from . import _kernels_stereo as kernels
from .static import Targets

_PLANES = 96
_NEIGHBOURS, _STRIDE = 8, 2
_NEAR, _FAR = 0.4, 200.0  # swept range, in distances from the cameras to where they look
_PIXELS = 128 * 72  # larger pictures are shrunk: seeds need no finer map
_CAP = 0.06  # a pixel's difference counts at most so much, whatever covers it
_STEP, _JUMP = 0.004, 0.06  # what a change of depth costs between neighbours
_FAR_PULL = 0.01  # the nearest plane costs so much more than the farthest: smooth sky matches at every depth
_TOLERANCE = 1.5  # planes


@dataclass(frozen=True, eq=False)
class Stereo:
    """Depth maps of all views.

    Attributes:
        depth: [V, h, w] along the camera's axis, world units; h x w is at most the pictures' size.
        votes: [V, h, w] how many other views agree with it, less those that see past it.
    """

    depth: Float[Tensor, "V h w"]
    votes: Int64[Tensor, "V h w"]


@torch.no_grad()
def depth_maps(targets: Targets) -> Stereo:
    """Depth of every pixel of `targets`, on the CPU. Needs two views or more; raises `FieldError` otherwise."""
    views = len(targets.cameras)
    if views < 2:
        raise FieldError(f"depth maps need at least two views, got {views}")
    small = targets.shrunk(_shrink(targets))
    focus = focus_distance(targets)
    planes = np.linspace(1 / (_FAR * focus), 1 / (_NEAR * focus), _PLANES, dtype=np.float32)
    features = _features(small.images)
    relations = [_relation(small, view, _NEIGHBOURS, _STRIDE) for view in range(views)]
    places = [_place(features, view, relations[view], planes) for view in range(views)]
    width = planes[1] - planes[0]
    disparity = np.stack([planes[0] + width * place for place in places])
    everyone = [_relation(small, view, views) for view in range(views)]
    votes = np.stack([_votes(disparity, view, everyone[view], float(_TOLERANCE * width)) for view in range(views)])
    return Stereo(torch.from_numpy(1 / disparity), torch.from_numpy(votes))


def focus_distance(targets: Targets) -> float:
    """Median distance of the cameras from what they look at; their spread if they look at no common point."""
    try:
        target = look_target(targets.cameras).to(targets.cameras.viewmats)
    except FieldError:
        return targets.extent()
    return float((targets.cameras.positions - target).norm(dim=1).median())


def _shrink(targets: Targets) -> int:
    """By which whole factor pictures are shrunk."""
    pixels = targets.cameras.width * targets.cameras.height
    return max(1, math.ceil(math.sqrt(pixels / _PIXELS) - 1e-6))


def _features(images: Tensor) -> np.ndarray:
    """[V, h, w, 5]: colours, and the gradients of grey, which do not mind a drift of brightness."""
    grey = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = (grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]) * 0.5
    down = (grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]) * 0.5
    stacked = torch.cat([images, across, down], 1)
    return np.ascontiguousarray(stacked.permute(0, 2, 3, 1).float().cpu().numpy())


def _relation(targets: Targets, view: int, count: int, stride: int = 1) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Neighbours of a view, and how its pixels map to theirs: turns [n, 3, 3] and shifts [n, 3] of `match`."""
    cameras = targets.cameras
    chosen = _neighbours(targets, view)[: count * stride : stride]
    matrices = cameras.viewmats.double().cpu()
    ks = cameras.Ks.double().cpu()
    relative = matrices[chosen] @ torch.linalg.inv(matrices[view])
    turns = ks[chosen] @ relative[:, :3, :3] @ torch.linalg.inv(ks[view])
    shifts = (ks[chosen] @ relative[:, :3, 3:])[..., 0]
    return chosen, turns.float().contiguous().numpy(), shifts.float().contiguous().numpy()


def _neighbours(targets: Targets, view: int) -> list[int]:
    """The other views, the nearest by position and direction first."""
    cameras = targets.cameras
    distance = (cameras.positions - cameras.positions[view]).norm(dim=1) / targets.extent()
    turn = 1 - cameras.viewmats[:, 2, :3] @ cameras.viewmats[view, 2, :3]
    order = (distance + turn).argsort().tolist()
    return [i for i in order if i != view]


def _place(
    features: np.ndarray, view: int, relation: tuple[list[int], np.ndarray, np.ndarray], planes: np.ndarray
) -> np.ndarray:
    """[h, w] number of each pixel's plane, with fractions."""
    chosen, turns, shifts = relation
    height, width = features.shape[1:3]
    cost = np.empty((height, width, len(planes)), dtype=np.float32)
    smooth, total = np.empty_like(cost), np.empty_like(cost)
    others = features[chosen]
    size = cost.size
    launch(
        kernels.match, features[view], others, turns, shifts, planes, np.float32(_CAP), cost, items=size, parts=height
    )
    launch(kernels.blur, cost, smooth, items=size, parts=height)
    smooth += np.linspace(0, _FAR_PULL, len(planes), dtype=np.float32)
    kernels.aggregate(smooth, features[view], np.float32(_STEP), np.float32(_JUMP), total)
    place = np.empty((height, width), dtype=np.float32)
    kernels.cheapest(total, place)
    return place


def _votes(
    disparity: np.ndarray, view: int, relation: tuple[list[int], np.ndarray, np.ndarray], tolerance: float
) -> np.ndarray:
    chosen, turns, shifts = relation
    votes = np.zeros_like(disparity[view], dtype=np.int64)
    arguments = (disparity[view], disparity[chosen], turns, shifts, np.float32(tolerance), votes)
    launch(kernels.agreement, *arguments, items=votes.size * len(chosen), parts=votes.shape[0])
    return votes
