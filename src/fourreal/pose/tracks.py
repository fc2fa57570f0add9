"""Points followed through a clip (corners, pyramidal Lucas-Kanade), and how well cameras explain them.

Following needs no descriptors: a point is looked for where it was a frame ago. So it errs in other ways than matching
does, and is an independent witness of poses: a texture that repeats fools matching, not following.

B. Lucas and T. Kanade, IJCAI 1981; J. Shi and C. Tomasi, "Good features to track", CVPR 1994; forward-backward check:
Z. Kalal et al., ICPR 2010.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.io.frames import resize_frames

from ._threads import one_thread

_WIDTH = 320  # pixels: larger clips are followed at this width, where a step between frames spans few pixels
_CELL = 10  # pixels: at most one new point in each cell
_RADIUS = 5  # of the window
_LEVELS = 4  # of the pyramid
_STEPS = 8  # Gauss-Newton steps a level
_STILL = 0.01  # pixels: smaller steps end a level
_RETURN = 0.5  # pixels within which a point must come back to where it was
_CONTRAST = 1e-4  # smallest eigenvalue of the structure tensor, of gray in [0, 1]
_UNLIKE = 0.75  # correlation of the windows below which a point is lost


class Trail(NamedTuple):
    """Sightings of points: point `point[m]` is seen at `xy[m]` in frame `frame[m]`."""

    frame: Int[Tensor, " M"]
    point: Int[Tensor, " M"]
    xy: Float[Tensor, "M 2"]  # pixels of the clip, centres at +0.5
    size: int  # points


@torch.no_grad()
@one_thread()
def follow(frames: Float[Tensor, "F 3 H W"], *, shortest: int = 3) -> Trail:
    """Points followed from frame to frame, each seen in at least `shortest` frames.

    New points start in every frame where there are none. Deterministic.
    """
    gray, ratio = _grays(frames)
    pyramids = _pyramids(gray)
    xy, number = torch.zeros(0, 2), torch.zeros(0, dtype=torch.long)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    total = 0
    for index in range(len(frames)):
        if index:
            moved, good = _step([p[index - 1] for p in pyramids], [p[index] for p in pyramids], xy)
            xy, number = moved[good], number[good]
        fresh = _corners(gray[index], xy)
        number = torch.cat([number, torch.arange(total, total + len(fresh))])
        xy, total = torch.cat([xy, fresh]), total + len(fresh)
        seen.append((torch.full((len(xy),), index), number, xy))
    frame, point, place = (torch.cat(column) for column in zip(*seen, strict=True))
    length = torch.bincount(point, minlength=total)
    kept = length[point] >= shortest
    _, renumbered = torch.unique(point[kept], return_inverse=True)
    count = int(renumbered.max()) + 1 if len(renumbered) else 0
    return Trail(frame[kept], renumbered, place[kept] * ratio, count)


def follow_from(frames: Float[Tensor, "F 3 H W"], start: int) -> tuple[Float[Tensor, "F M 2"], Bool[Tensor, "F M"]]:
    """Points of frame `start` followed to both ends: pixels, and where they were found (all of them at `start`).

    Those of the way back are others than those of the way on: each is seen in two frames at least.
    """
    count, parts = len(frames), []
    for order in (range(start, count), range(start, -1, -1)):
        if len(order) < 2:
            continue
        trail = follow(frames[list(order)], shortest=2)
        number = torch.full((trail.size,), -1)
        begun = trail.point[trail.frame == 0]
        number[begun] = torch.arange(len(begun))
        kept = number[trail.point] >= 0
        where = torch.tensor(order)[trail.frame[kept]], number[trail.point[kept]]
        xy, seen = torch.zeros(count, len(begun), 2), torch.zeros(count, len(begun), dtype=torch.bool)
        xy[where], seen[where] = trail.xy[kept], True
        parts.append((xy, seen))
    if not parts:
        return torch.zeros(count, 0, 2), torch.zeros(count, 0, dtype=torch.bool)
    xy, seen = (torch.cat(column, 1) for column in zip(*parts, strict=True))
    return xy, seen


@torch.no_grad()
@one_thread()
def find_again(
    before: Float[Tensor, "3 H W"], after: Float[Tensor, "3 H W"]
) -> tuple[Float[Tensor, "K 2"], Float[Tensor, "K 2"]]:
    """Corners of one picture, and where another shows them: pixels, those alone that are found. Deterministic."""
    gray, ratio = _grays(torch.stack([before, after]))
    pyramids = _pyramids(gray)
    xy = _corners(gray[0], torch.zeros(0, 2))
    moved, good = _step([p[0] for p in pyramids], [p[1] for p in pyramids], xy)
    return xy[good] * ratio, moved[good] * ratio


def _grays(frames: Float[Tensor, "F 3 H W"]) -> tuple[Float[Tensor, "F h w"], Float[Tensor, " 2"]]:
    """The brightness, at the width at which points are followed; and how many pixels of the frames one of it spans."""
    height, width = frames.shape[-2:]
    scale = min(1.0, _WIDTH / width)
    small = resize_frames(frames, round(height * scale), round(width * scale)).cpu()
    gray = (small * small.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    return gray, gray.new_tensor([width / gray.shape[2], height / gray.shape[1]])


def _pyramids(gray: Tensor) -> list[Tensor]:
    """[F, 1, h, w] at full, half, quarter, ... size."""
    levels = [gray[:, None]]
    while len(levels) < _LEVELS and min(levels[-1].shape[-2:]) >= 8 * _RADIUS:
        levels.append(F.avg_pool2d(_blur(levels[-1]), 2))
    return levels


def _blur(images: Tensor) -> Tensor:
    row = images.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    across = F.conv2d(F.pad(images, (2, 2, 0, 0), mode="replicate"), row.view(1, 1, 1, 5))
    return F.conv2d(F.pad(across, (0, 0, 2, 2), mode="replicate"), row.view(1, 1, 5, 1))


def _corners(gray: Tensor, taken: Tensor) -> Tensor:
    """[K, 2] the best corner of each cell without a point, if it is one."""
    dy, dx = torch.gradient(_blur(gray[None, None])[0, 0])
    products = torch.stack([dx * dx, dx * dy, dy * dy])[:, None]
    xx, xy, yy = F.avg_pool2d(products, 5, 1, 2, count_include_pad=False)[:, 0]
    strength = (xx + yy) / 2 - (((xx - yy) / 2) ** 2 + xy**2).sqrt()
    width = gray.shape[1]
    rim = _RADIUS + 1
    strength[:rim] = strength[-rim:] = strength[:, :rim] = strength[:, -rim:] = 0
    best, where = F.max_pool2d(strength[None], _CELL, ceil_mode=True, return_indices=True)
    columns = best.shape[2]
    free = torch.ones(best[0].numel(), dtype=torch.bool)
    free[(taken[:, 1] / _CELL).long() * columns + (taken[:, 0] / _CELL).long()] = False
    chosen = where.flatten()[free & (best.flatten() > _CONTRAST)]
    return torch.stack([chosen % width, chosen // width], 1).float() + 0.5


def _step(before: list[Tensor], after: list[Tensor], xy: Tensor) -> tuple[Tensor, Tensor]:
    """Where the points went, and whether each is to be trusted: it returns, looks alike and stays inside."""
    height, width = before[0].shape[-2:]
    moved = _flow(before, after, xy)
    back = _flow(after, before, moved)
    returns = (back - xy).norm(dim=1) < _RETURN
    limit = moved.new_tensor([width, height]) - _RADIUS
    inside = ((moved > _RADIUS) & (moved < limit)).all(1)
    a, b = (_normalized(_windows(image, place, _RADIUS)) for image, place in ((before[0], xy), (after[0], moved)))
    return moved, returns & inside & ((a * b).sum(1) > _UNLIKE)


def _flow(before: list[Tensor], after: list[Tensor], xy: Tensor) -> Tensor:
    """Lucas-Kanade from coarse to fine; the windows' means are taken out, so that light may drift."""
    shift = torch.zeros_like(xy)
    for level in reversed(range(len(before))):
        place, shift = xy / 2**level, shift / 2**level
        wide = _windows(before[level], place, _RADIUS + 1)
        template = _centred(wide[:, 1:-1, 1:-1])
        across = _centred(wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]) / 2
        along = _centred(wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]) / 2
        slope = torch.stack([across, along], 1)
        solve = torch.linalg.inv(slope @ slope.transpose(1, 2) + 1e-6 * torch.eye(2)) @ slope
        for _ in range(_STEPS):
            error = template - _centred(_windows(after[level], place + shift, _RADIUS))
            step = (solve @ error[..., None]).squeeze(-1).clamp(-1.0, 1.0)
            shift = shift + step
            if len(step) == 0 or float(step.abs().max()) < _STILL:
                break
        shift = shift * 2**level
    return xy + shift


def _windows(image: Tensor, xy: Tensor, radius: int) -> Tensor:
    """[K, w, w] windows of a [1, h, w] image about points, bilinear, edges repeated.

    All pixels of a window have the same fraction, so four shifted copies of whole pixels are blended: many times
    faster than a general lookup.
    """
    height, width = image.shape[1:]
    corner = (xy - 0.5).floor()
    right, down = (xy - 0.5 - corner)[:, :, None, None].unbind(1)
    span = torch.arange(-radius, radius + 2)
    rows = (corner[:, 1:].long() + span).clamp(0, height - 1)
    columns = (corner[:, :1].long() + span).clamp(0, width - 1)
    pixels = image.flatten()[(rows * width)[:, :, None] + columns[:, None, :]]
    mixed = pixels[:, :, :-1] + right * (pixels[:, :, 1:] - pixels[:, :, :-1])
    return mixed[:, :-1] + down * (mixed[:, 1:] - mixed[:, :-1])


def _centred(windows: Tensor) -> Tensor:
    flat = windows.flatten(1)
    return flat - flat.mean(1, keepdim=True)


def _normalized(windows: Tensor) -> Tensor:
    return F.normalize(_centred(windows), dim=1)


def triangulate(cameras: Cameras, trail: Trail) -> Float[Tensor, "N 3"]:
    """The world point (float64) nearest to the rays of each point's sightings; far away where they are parallel."""
    origin, ray = _rays(cameras, trail)
    across = torch.eye(3, dtype=torch.float64) - ray[:, :, None] * ray[:, None, :]
    normal = torch.zeros(trail.size, 3, 3, dtype=torch.float64).index_add_(0, trail.point, across)
    right = torch.zeros(trail.size, 3, dtype=torch.float64)
    right.index_add_(0, trail.point, (across @ origin[:, :, None]).squeeze(-1))
    damped = normal + 1e-9 * torch.eye(3, dtype=torch.float64)
    return torch.linalg.solve(damped, right[..., None]).squeeze(-1)


def _rays(cameras: Cameras, trail: Trail) -> tuple[Tensor, Tensor]:
    Ks, views = cameras.Ks.double(), cameras.viewmats.double()
    focal, centre = Ks[:, [0, 1], [0, 1]], Ks[:, :2, 2]
    flat = (trail.xy.double() - centre[trail.frame]) / focal[trail.frame]
    own = F.normalize(torch.cat([flat, torch.ones(len(flat), 1, dtype=torch.float64)], 1), dim=1)
    rotation = views[:, :3, :3].transpose(1, 2)
    ray = (rotation[trail.frame] @ own[..., None]).squeeze(-1)
    origin = -(rotation @ views[:, :3, 3:]).squeeze(-1)
    return origin[trail.frame], ray


def residuals(cameras: Cameras, trail: Trail, points: Float[Tensor, "N 3"]) -> Float[Tensor, " M"]:
    """Distance in pixels of each sighting from its point's projection; infinite behind the camera."""
    view = cameras.viewmats.double()[trail.frame]
    own = (view[:, :3, :3] @ points[trail.point][..., None]).squeeze(-1) + view[:, :3, 3]
    K = cameras.Ks.double()[trail.frame]
    focal = K[:, [0, 1], [0, 1]]
    place = own[:, :2] / own[:, 2:].clamp_min(1e-9) * focal + K[:, :2, 2]
    error = (place - trail.xy.double()).norm(dim=1)
    return torch.where(own[:, 2] > 1e-9, error, torch.full_like(error, torch.inf))


@one_thread()
def track_error(cameras: Cameras, trail: Trail) -> float | None:
    """Median distance in pixels of followed points from where the cameras put them; None for too few points.

    Points move freely to the best place for the given cameras, so this measures the cameras alone.
    """
    if trail.size < 20:
        return None
    return float(residuals(cameras, trail, triangulate(cameras, trail)).median())
