"""The plane on which a scene stands, from depth maps: what has no texture probably lies on it, or far away.

Depth maps are sure of textured surfaces only. Snow, water, far grass and fog match at every depth; a plane through the
sure points that has (nearly) nothing behind it and all cameras before it is the best guess for them. Where too few are
sure for that (a smooth road), what is looked at stands on something all the same, and it is level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_TRIES = 512
_POINTS = 4096  # of the sure ones, drawn at random
_FEWEST = 100  # of them, or nothing is said
_LEAST = 0.25  # of the points, more than lie behind it, must lie on the plane
_BEHIND = 0.08  # of the points may lie behind it
_LEVEL = 0.7  # cosine of its normal and the cameras' up: a wall is no ground
_FAR = 3.0  # tolerances of disparity: what is farther is no help
_LEVELS = 64  # heights that are tried for a level ground, from the lowest of the points to their middle
_STANDS = 0.015  # of the points near what is looked at, more than lie behind it, must lie on a level ground


@dataclass(frozen=True)
class Rays:
    """Pixels of several pictures as rays: origin + depth * direction, directions with a depth of 1.

    Attributes:
        origins: [V, 3] camera centres.
        directions: [V, h, w, 3] world directions.
    """

    origins: Float[Tensor, "V 3"]
    directions: Float[Tensor, "V h w 3"]

    @classmethod
    def through(cls, viewmats: Float[Tensor, "V 4 4"], Ks: Float[Tensor, "V 3 3"], height: int, width: int) -> Rays:
        """Through the pixel centres of pictures of a size that `Ks` belong to."""
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        pixels = torch.stack([x, y, torch.ones_like(x)], -1).to(viewmats)
        local = torch.einsum("vij,hwj->vhwi", torch.linalg.inv(Ks), pixels)
        turns = viewmats[:, :3, :3]
        origins = -torch.einsum("vji,vj->vi", turns, viewmats[:, :3, 3])
        return cls(origins, torch.einsum("vji,vhwj->vhwi", turns, local))


@dataclass(frozen=True)
class Plane:
    """Points X with normal . X = offset; the cameras are where normal . X is larger."""

    normal: Float[Tensor, " 3"]
    offset: float

    def disparity(self, rays: Rays) -> Float[Tensor, "V h w"]:
        """1 / depth at which rays meet the plane, 0 where they do not (above its horizon)."""
        return self.crossing(rays.origins[:, None, None], rays.directions).clamp(min=0)

    def crossing(self, origins: Float[Tensor, "*#batch 3"], directions: Float[Tensor, "*#batch 3"]) -> Tensor:
        """1 / depth at which lines meet the plane, below 0 where they do so behind the camera."""
        return -(directions @ self.normal) / (origins @ self.normal - self.offset)


@dataclass(frozen=True)
class Places:
    """Pixels whose depth is sure.

    Attributes:
        origins, directions: [P, 3] of the rays they lie on.
        seen: [P] 1 / depth of each.
        points: [P, 3] where in the world that is.
        cameras: [V, 3] all camera centres.
        tolerance: of disparity, for a point on a plane.
    """

    origins: Float[Tensor, "P 3"]
    directions: Float[Tensor, "P 3"]
    seen: Float[Tensor, " P"]
    points: Float[Tensor, "P 3"]
    cameras: Float[Tensor, "V 3"]
    tolerance: float

    @classmethod
    def of(
        cls,
        rays: Rays,
        disparity: Float[Tensor, "V h w"],
        sure: Bool[Tensor, "V h w"],
        tolerance: float,
        generator: torch.Generator,
    ) -> Places:
        """At most `_POINTS` of the pixels that are `sure` and not too far away, drawn by a CPU generator."""
        view, y, x = (sure & (disparity > _FAR * tolerance)).nonzero(as_tuple=True)
        some = torch.randperm(len(view), generator=generator)[:_POINTS]
        view, y, x = view[some], y[some], x[some]
        seen = disparity[view, y, x]
        origins, directions = rays.origins[view], rays.directions[view, y, x]
        return cls(origins, directions, seen, origins + directions / seen[:, None], rays.origins, tolerance)

    def some(self, which: Bool[Tensor, " P"]) -> Places:
        """Those of them."""
        mine = self.origins[which], self.directions[which], self.seen[which], self.points[which]
        return Places(*mine, self.cameras, self.tolerance)

    def residual(self, plane: Plane) -> Float[Tensor, " P"]:
        """Disparity less that of the plane along the same ray: below 0 behind the plane."""
        return self.seen - plane.crossing(self.origins, self.directions)

    def shares(self, plane: Plane) -> tuple[float, float]:
        """Shares of the points on the plane and behind it."""
        apart, tolerance = self.residual(plane), self.tolerance
        return float((apart.abs() < tolerance).float().mean()), float((apart < -2 * tolerance).float().mean())


def ground_plane(places: Places, up: Float[Tensor, " 3"], generator: torch.Generator) -> Plane | None:
    """The plane on which most of the sure points lie, with all cameras before and nearly nothing behind it.

    RANSAC (Fischler and Bolles 1981), then least squares on the inliers. None if no plane holds enough of the points.

    Args:
        places: the sure points.
        up: unit vector, roughly.
        generator: a CPU generator.
    """
    points = places.points
    if len(points) < _FEWEST:
        return None
    triples = points[torch.randint(len(points), (_TRIES, 3), generator=generator)]
    normals = torch.linalg.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    normals = normals / normals.norm(dim=1, keepdim=True).clamp_min(1e-12)
    level = (normals @ up).abs() > _LEVEL
    tried = [
        _facing(normal, float(normal @ point), places.cameras)
        for normal, point in zip(normals[level], triples[level, 0], strict=True)
    ]
    best = _best(places, tried, _LEAST)
    return None if best is None else _refined(best, places)


def level_ground(places: Places, up: Float[Tensor, " 3"], centre: Float[Tensor, " 3"], reach: float) -> Plane | None:
    """The level plane on which what is near `centre` stands: the one with most of its sure points on and few behind it.

    For ground that has too little texture for `ground_plane`.

    Args:
        places: the sure points.
        up: unit vector; the plane is at a right angle to it.
        centre: what the cameras look at.
        reach: world units from it, measured along the ground, within which points count.
    """
    height = places.points @ up
    aside = places.points - height[:, None] * up - (centre - (centre @ up) * up)
    near = aside.norm(dim=1) < reach
    if int(near.sum()) < _FEWEST:
        return None
    heights = height[near].quantile(torch.linspace(0, 0.5, _LEVELS))
    tried = [_facing(up, float(offset), places.cameras) for offset in heights]
    return _best(places.some(near), [p for p in tried if p is not None and float(p.normal @ up) > 0], _STANDS)


def _best(places: Places, tried: Sequence[Plane | None], least: float) -> Plane | None:
    """Of the planes with few points behind them that with most on it; these must exceed the others by `least`."""
    best, worth = None, least
    for plane in tried:
        if plane is None:
            continue
        on, behind = places.shares(plane)
        if behind < _BEHIND and on - behind > worth:
            best, worth = plane, on - behind
    return best


def _facing(normal: Tensor, offset: float, cameras: Tensor) -> Plane | None:
    """The plane with all cameras before it; None if they lie on both sides."""
    height = cameras @ normal - offset
    if bool((height > 0).all()):
        return Plane(normal, offset)
    return Plane(-normal, -offset) if bool((height < 0).all()) else None


def _refined(plane: Plane, places: Places) -> Plane:
    """Least squares over the points on the plane, twice; each counts by the inverse of its depth's variance."""
    for _ in range(2):
        on = places.residual(plane).abs() < places.tolerance
        weight = places.seen[on].square()[:, None]
        centre = (places.points[on] * weight).sum(0) / weight.sum()
        spread = (places.points[on] - centre) * weight.sqrt()
        normal = torch.linalg.svd(spread, full_matrices=False).Vh[-1]
        found = _facing(normal, float(normal @ centre), places.cameras)
        if found is None:
            return plane
        plane = found
    return plane
