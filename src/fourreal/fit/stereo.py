"""Depth maps of posed images: a plane sweep (Collins 1996, CVPR) made smooth by semi-global matching."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.paths import look_target, world_up
from fourreal.core.threads import launch

from . import _kernels_stereo as kernels
from .ground import Places, Plane, Rays, ground_plane, level_ground
from .static import Targets

_PLANES = 96
_NEIGHBOURS, _STRIDE = 8, 2
_NEAR, _FAR = 0.4, 200.0  # swept range, in distances from the cameras to where they look
_PIXELS = 128 * 72  # larger pictures are shrunk: seeds need no finer map
_CAP = 0.06  # a pixel's difference counts at most so much, whatever covers it
_STEP, _JUMP = 0.004, 0.06  # what a change of depth costs between neighbours
_FAR_PULL = 0.01  # the nearest plane costs so much more than the farthest: smooth sky matches at every depth
_GROUND_PULL = 0.01  # what is so many planes from the background costs so much: smooth ground matches at every depth
_GROUND_REACH = 8.0
_NEAR_PULL = 0.02  # the nearest plane before it costs so much more: what no neighbour sees matches anything by chance
_BURIED = 0.02  # what lies behind it costs so much more
_SCOUTS = 12  # views whose maps are made first, to find the ground
_STANDING = 0.3  # of the cameras' distance from what they look at: so far around it, what is there stands on the ground
_TOLERANCE = 1.5  # planes


@dataclass(frozen=True, eq=False)
class Stereo:
    """Depth maps of all views.

    Attributes:
        depth: [V, h, w] along the camera's axis, world units; h x w is at most the pictures' size.
        votes: [V, h, w] how many other views agree with it, less those that see past it.
        ground: the plane on which the scene stands, if there is one.
        farthest: depth beyond which nothing was looked for.
    """

    depth: Float[Tensor, "V h w"]
    votes: Int64[Tensor, "V h w"]
    ground: Plane | None = None
    farthest: float = math.inf


@torch.no_grad()
def depth_maps(targets: Targets) -> Stereo:
    """Depth of every pixel of `targets`, on the CPU. Needs two views or more; raises `FieldError` otherwise."""
    views = len(targets.cameras)
    if views < 2:
        raise FieldError(f"depth maps need at least two views, got {views}")
    sweep = _Sweep.of(targets.to("cpu"))
    ground = _ground(sweep)
    disparity, votes = sweep.maps(list(range(views)), ground)
    farthest = 1 / float(sweep.planes[0])
    return Stereo(torch.from_numpy(1 / disparity), torch.from_numpy(votes), ground, farthest)


@torch.no_grad()
def find_ground(targets: Targets) -> Plane | None:
    """The plane on which the scene stands, on the CPU, if there is one: what `depth_maps` finds on its way."""
    return _ground(_Sweep.of(targets.to("cpu"))) if len(targets.cameras) > 1 else None


@dataclass(frozen=True, eq=False)
class _Sweep:
    """What a plane sweep needs: small pictures, their features, how they relate, disparities to try."""

    targets: Targets
    features: np.ndarray
    relations: list[tuple[list[int], np.ndarray, np.ndarray]]
    planes: np.ndarray

    @classmethod
    def of(cls, targets: Targets) -> _Sweep:
        small = targets.shrunk(_shrink(targets))
        focus, views = focus_distance(targets), len(targets.cameras)
        planes = np.linspace(1 / (_FAR * focus), 1 / (_NEAR * focus), _PLANES, dtype=np.float32)
        relations = [_relation(small, view, views) for view in range(views)]
        return cls(small, _features(small.images), relations, planes)

    @property
    def tolerance(self) -> float:
        """Of disparity, between maps that agree."""
        return float(_TOLERANCE * (self.planes[1] - self.planes[0]))

    def rays(self) -> Rays:
        cameras = self.targets.cameras
        return Rays.through(cameras.viewmats.cpu(), cameras.Ks.cpu(), cameras.height, cameras.width)

    def maps(self, chosen: list[int], ground: Plane | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Disparities and votes [n, h, w] of the chosen views, among themselves."""
        background = None if ground is None else ground.disparity(self.rays()).numpy()
        first, width = self.planes[0], self.planes[1] - self.planes[0]

        def place(view: int) -> np.ndarray:
            pull = _pull(self.planes, None if background is None else background[view])
            return first + width * _place(self.features, view, _some(self.relations[view]), self.planes, pull)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # the dearest kernel runs on one thread
            disparity = np.stack(list(pool.map(place, chosen)))
        votes = []
        for i, view in enumerate(chosen):
            others, turns, shifts = self.relations[view]
            kept = [k for k, other in enumerate(others) if other in chosen]
            relation = ([chosen.index(others[k]) for k in kept], turns[kept], shifts[kept])
            votes.append(_votes(disparity, i, relation, self.tolerance))
        return disparity, np.stack(votes)


def _some(relation: tuple[list[int], np.ndarray, np.ndarray]) -> tuple[list[int], np.ndarray, np.ndarray]:
    """The neighbours that a view is matched with."""
    end = _NEIGHBOURS * _STRIDE
    return relation[0][:end:_STRIDE], relation[1][:end:_STRIDE], relation[2][:end:_STRIDE]


def _ground(sweep: _Sweep) -> Plane | None:
    views = len(sweep.relations)
    scouts = sorted(set(np.linspace(0, views - 1, min(_SCOUTS, views)).round().astype(int).tolist()))
    disparity, votes = (torch.from_numpy(v) for v in sweep.maps(scouts))
    sure = votes >= min(2, max(1, (len(scouts) - 1) // 2))
    rays = sweep.rays()
    rays = Rays(rays.origins[scouts], rays.directions[scouts])
    up, generator = world_up(sweep.targets.cameras), torch.Generator().manual_seed(0)
    places = Places.of(rays, disparity, sure, sweep.tolerance, generator)
    plane = ground_plane(places, up, generator)
    if plane is not None:
        return plane
    try:
        centre = look_target(sweep.targets.cameras)
    except FieldError:
        return None
    return level_ground(places, up, centre, _STANDING * focus_distance(sweep.targets))


def _pull(planes: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """[h, w, D] or [D]: what each plane costs beside its match, by its distance from the background's disparity."""
    if background is None:
        return np.linspace(0, _FAR_PULL, len(planes), dtype=np.float32)
    apart = (planes - np.maximum(background, planes[0])[..., None]) / (planes[1] - planes[0])
    cost = _GROUND_PULL * np.clip(np.abs(apart) / _GROUND_REACH, 0, 1) + _BURIED * (apart < -1)
    cost += _NEAR_PULL * np.clip(apart / len(planes), 0, 1)
    return cost.astype(np.float32)


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


def _relation(targets: Targets, view: int, count: int) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Neighbours of a view, and how its pixels map to theirs: turns [n, 3, 3] and shifts [n, 3] of `match`."""
    cameras = targets.cameras
    chosen = _neighbours(targets, view)[:count]
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
    features: np.ndarray,
    view: int,
    relation: tuple[list[int], np.ndarray, np.ndarray],
    planes: np.ndarray,
    pull: np.ndarray,
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
    smooth += pull
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
