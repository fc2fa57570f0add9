"""The same ray casting as `trace`, compiled for the CPU: runs of rays, a list of primitives for each, early outs.

The formulas are those of `trace` line for line; tests hold the two to agree. The loops
are serial and free of the GIL: `render` runs frames in threads.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numba import njit
from torch import Tensor

from .trace import FAR, NEAR, Geometry

Array = np.ndarray
TILE = 64  # rays in a run that share a list of primitives


def _kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile by numba; unwrapped first, because tools that check shapes at run time wrap every function they see."""
    return njit(cache=True, nogil=True, fastmath={"contract", "arcp", "nsz"})(inspect.unwrap(function))


@_kernel
def _cone_entry(  # noqa: C901 - the two cones share their set-up
    oy: float, dy: float, od: float, oo: float, ra: float, half: float, rb: float, rounded: bool
) -> float:
    length = 2 * half
    rr = ra - rb
    best = FAR
    if rounded:
        m1, m2 = length * oy, length * dy
        d2 = length * length - rr * rr
        k2 = d2 - m2 * m2
        k1 = d2 * od - m1 * m2 + m2 * rr * ra
        k0 = d2 * oo - m1 * m1 + 2 * m1 * rr * ra - length * length * ra * ra
        h = k1 * k1 - k0 * k2
        if h > 0:
            t = (-math.sqrt(h) - k1) / (1e-9 if abs(k2) < 1e-9 else k2)
            y = m1 - ra * rr + t * m2
            if y > 0 and y < d2 and t > NEAR:
                best = t
        ha = od * od - oo + ra * ra
        if ha > 0:
            t = -od - math.sqrt(ha)
            if t > NEAR and t < best:
                best = t
        e = od - m2
        hb = e * e - (oo - 2 * m1 + length * length) + rb * rb
        if hb > 0:
            t = -e - math.sqrt(hb)
            if t > NEAR and t < best:
                best = t
        return best
    hyp = length * length + rr * rr
    k2 = length * length - dy * dy * hyp
    k1 = length * length * od - oy * dy * hyp + length * ra * rr * dy
    k0 = length * length * oo - oy * oy * hyp + 2 * length * ra * rr * oy - length * length * ra * ra
    h = k1 * k1 - k0 * k2
    if h > 0:
        inverse = 1 / (1e-9 if abs(k2) < 1e-9 else k2)
        root = math.sqrt(h)
        for sign in (-1.0, 1.0):
            t = (-k1 + sign * root) * inverse
            y = oy + t * dy
            if y > 0 and y < length and t > NEAR and t < best:
                best = t
    steep = 1 / (1e-7 if abs(dy) < 1e-7 else dy)
    t = -oy * steep
    if t > NEAR and t < best and oo + 2 * t * od + t * t < ra * ra:
        best = t
    t = (length - oy) * steep
    if t > NEAR and t < best and oo + 2 * t * od + t * t - length * length < rb * rb:
        best = t
    return best


@_kernel
def _entry(  # noqa: PLR0913, PLR0917 - a ray's and a primitive's own parameters
    kind: int, rot: Array, size: Array, x: float, y: float, z: float, dx: float, dy: float, dz: float
) -> Any:
    """Entry distance of the ray from (x, y, z), relative to the primitive's centre, along unit (dx, dy, dz)."""
    if kind in (1, 3):
        ax, ay, az = rot[0, 1], rot[1, 1], rot[2, 1]
        half = size[1]
        x, y, z = x + ax * half, y + ay * half, z + az * half
        along, slope = x * ax + y * ay + z * az, dx * ax + dy * ay + dz * az
        od, oo = x * dx + y * dy + z * dz, x * x + y * y + z * z
        return _cone_entry(along, slope, od, oo, size[0], half, size[2], kind == 1)
    if kind == 0:
        a = b = c = np.float32(0.0)
        for i in range(3):
            o = (x * rot[0, i] + y * rot[1, i] + z * rot[2, i]) / size[i]
            d = (dx * rot[0, i] + dy * rot[1, i] + dz * rot[2, i]) / size[i]
            a, b, c = a + d * d, b + o * d, c + o * o
        disc = b * b - a * (c - 1)
        if disc <= 0:
            return FAR
        t = (-b - math.sqrt(disc)) / a
        return t if t > NEAR else FAR
    near, far = -FAR, FAR
    for i in range(3):
        o = x * rot[0, i] + y * rot[1, i] + z * rot[2, i]
        d = dx * rot[0, i] + dy * rot[1, i] + dz * rot[2, i]
        inverse = 1 / (1e-7 if abs(d) < 1e-7 else d)
        middle, reach = -o * inverse, size[i] * abs(inverse)
        near, far = max(near, middle - reach), min(far, middle + reach)
    return near if near < far and near > NEAR else FAR


@_kernel
def _first(  # noqa: PLR0913, PLR0917
    kinds: Array,
    rot: Array,
    center: Array,
    size: Array,
    radius: Array,
    per_frame: int,
    origin: Array,
    direction: Array,
    t_out: Array,
    slot_out: Array,
) -> None:
    """One run of rays at a time; a primitive is looked at if its bounding ball meets the run's cone of directions."""
    runs = (per_frame + TILE - 1) // TILE
    for run in range(runs * rot.shape[0]):
        f = run // runs
        lo = f * per_frame + (run - f * runs) * TILE
        hi = min(lo + TILE, (f + 1) * per_frame)
        mx = my = mz = np.float32(0.0)
        for i in range(lo, hi):
            mx, my, mz = mx + direction[i, 0], my + direction[i, 1], mz + direction[i, 2]
        norm = 1 / math.sqrt(mx * mx + my * my + mz * mz)
        mx, my, mz = mx * norm, my * norm, mz * norm
        spread = np.float32(1.0)
        for i in range(lo, hi):
            spread = min(spread, mx * direction[i, 0] + my * direction[i, 1] + mz * direction[i, 2])
        angle = math.acos(min(spread, 1.0)) + 1e-3
        active = np.empty(kinds.shape[0], np.int32)
        count = 0
        for p in range(kinds.shape[0]):
            x, y, z = center[f, p, 0] - origin[f, 0], center[f, p, 1] - origin[f, 1], center[f, p, 2] - origin[f, 2]
            far = math.sqrt(x * x + y * y + z * z)
            r = radius[f, p]
            if far <= r or math.acos(max(-1.0, min(1.0, (x * mx + y * my + z * mz) / far))) <= angle + math.asin(
                r / far
            ):
                active[count] = p
                count += 1
        for i in range(lo, hi):
            best, slot = FAR, 0
            for k in range(count):
                p = active[k]
                t = _entry(
                    kinds[p],
                    rot[f, p],
                    size[f, p],
                    origin[f, 0] - center[f, p, 0],
                    origin[f, 1] - center[f, p, 1],
                    origin[f, 2] - center[f, p, 2],
                    direction[i, 0],
                    direction[i, 1],
                    direction[i, 2],
                )
                if t < best:
                    best, slot = t, p
            t_out[i], slot_out[i] = best, slot


@_kernel
def _shadow(  # noqa: PLR0913, PLR0917, C901
    kinds: Array,
    rot: Array,
    center: Array,
    size: Array,
    radius: Array,
    per_frame: int,
    light: Array,
    start: Array,
    needed: Array,
    out: Array,
) -> None:
    """A primitive is looked at if it meets the cylinder of light that holds the run's starting points."""
    runs = (per_frame + TILE - 1) // TILE
    for run in range(runs * rot.shape[0]):
        f = run // runs
        lo = f * per_frame + (run - f * runs) * TILE
        hi = min(lo + TILE, (f + 1) * per_frame)
        lx, ly, lz = light[f, 0], light[f, 1], light[f, 2]
        mx = my = mz = np.float32(0.0)
        n = 0
        for i in range(lo, hi):
            if needed[i]:
                mx, my, mz, n = mx + start[i, 0], my + start[i, 1], mz + start[i, 2], n + 1
        if n == 0:
            continue
        mx, my, mz = mx / n, my / n, mz / n
        reach = np.float32(0.0)
        for i in range(lo, hi):
            if needed[i]:
                x, y, z = start[i, 0] - mx, start[i, 1] - my, start[i, 2] - mz
                s = x * lx + y * ly + z * lz
                reach = max(reach, x * x + y * y + z * z - s * s)
        reach = math.sqrt(max(reach, 0.0))
        active = np.empty(kinds.shape[0], np.int32)
        count = 0
        for p in range(kinds.shape[0]):
            x, y, z = center[f, p, 0] - mx, center[f, p, 1] - my, center[f, p, 2] - mz
            s = x * lx + y * ly + z * lz
            limit = reach + radius[f, p] + 1e-3
            if kinds[p] >= 0 and x * x + y * y + z * z - s * s <= limit * limit:
                active[count] = p
                count += 1
        for i in range(lo, hi):
            if not needed[i]:
                continue
            for k in range(count):
                p = active[k]
                t = _entry(
                    kinds[p],
                    rot[f, p],
                    size[f, p],
                    start[i, 0] - center[f, p, 0],
                    start[i, 1] - center[f, p, 1],
                    start[i, 2] - center[f, p, 2],
                    lx,
                    ly,
                    lz,
                )
                if t < 0.5 * FAR:
                    out[i] = True
                    break


def _arrays(geo: Geometry, counts: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Kind per slot (-1 for those beyond `counts`), rotation, centre, size and bounding radius per frame, as arrays."""
    frames, slots = geo.center.shape[1:3]
    kinds = np.concatenate(
        [np.where(np.arange(n) < m, k, -1) for k, (n, m) in enumerate(zip(geo.pools, counts, strict=True))]
    )
    size = geo.size[:, None].expand(-1, frames, -1, -1).reshape(-1, slots, 3).contiguous().numpy()
    tall = size[..., 1] + np.maximum(size[..., 0], size[..., 2])
    flat = np.hypot(size[..., 1], np.maximum(size[..., 0], size[..., 2]))
    radius = np.where(
        kinds == 0, size.max(-1), np.where(kinds == 1, tall, np.where(kinds == 2, np.linalg.norm(size, axis=-1), flat))
    )
    rot = geo.rot.reshape(-1, slots, 3, 3).contiguous().numpy()
    center = geo.center.reshape(-1, slots, 3).contiguous().numpy()
    return kinds.astype(np.int32), rot, center, size, radius.astype(np.float32)


def first_hit(
    geo: Geometry, origin: Float[Tensor, "B F 3"], direction: Float[Tensor, "B F N 3"]
) -> tuple[Float[Tensor, "B F N"], Int64[Tensor, "B F N"]]:
    """See `trace.first_hit`."""
    shape = direction.shape[:3]
    rays = direction.reshape(-1, 3).contiguous().numpy()
    t, slot = np.empty(len(rays), np.float32), np.zeros(len(rays), np.int64)
    _first(*_arrays(geo, geo.pools), shape[2], origin.reshape(-1, 3).contiguous().numpy(), rays, t, slot)
    return torch.from_numpy(t).reshape(shape), torch.from_numpy(slot).reshape(shape)


def occluded(
    geo: Geometry, start: Float[Tensor, "B F N 3"], light: Float[Tensor, "B 3"], needed: Bool[Tensor, "B F N"]
) -> Bool[Tensor, "B F N"]:
    """See `trace.occluded`; only where `needed`, elsewhere False."""
    shape = start.shape[:3]
    points = start.reshape(-1, 3).contiguous().numpy()
    lights = light[:, None].expand(-1, shape[1], -1).reshape(-1, 3).contiguous().numpy()
    out = np.zeros(len(points), np.bool_)
    mask = needed.reshape(-1).contiguous().numpy()
    _shadow(*_arrays(geo, geo.casters), shape[2], lights, points, mask, out)
    return torch.from_numpy(out).reshape(shape)
