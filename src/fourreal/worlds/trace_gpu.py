# ruff: noqa: ANN001, ANN202, PLR0913, PLR0917 - kernels have no types in Python
# pyright: reportInvalidTypeForm=false
"""The same ray casting as `trace` in Triton: a block of neighbouring rays walks the primitives that it can meet.

The formulas are those of `trace` line for line. Nothing but rays in and hits out goes through memory. Importing this
module needs Triton, which comes with torch for CUDA.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from .trace import Geometry

triton: Any = importlib.import_module("triton")
tl: Any = importlib.import_module("triton.language")

BLOCK = 128  # rays of a program, one warp
FAR = tl.constexpr(1e6)
NEAR = tl.constexpr(1e-3)
# A primitive's row: 0-8 axes (ellipsoids: over the radii; cones: 0-2 middle, 3-5 axis), 9-11 centre (cones: first
# end), 12-14 size, 15 bounding radius.
WIDTH = tl.constexpr(16)
_COUNTS = ("n0", "n1", "n2", "n3", "n", "slots", "ends0", "ends1", "ends2")


def _kernel(function: Callable[..., Any]) -> Any:
    """Compile by Triton; unwrapped first, because tools that check shapes at run time wrap every function they see."""
    plain: Any = inspect.unwrap(function)
    names = [name for name in inspect.signature(plain).parameters if name in _COUNTS]
    return triton.jit(plain, do_not_specialize=names)


@_kernel
def _local(q, x, y, z):
    a = x * tl.load(q) + y * tl.load(q + 1) + z * tl.load(q + 2)
    b = x * tl.load(q + 3) + y * tl.load(q + 4) + z * tl.load(q + 5)
    c = x * tl.load(q + 6) + y * tl.load(q + 7) + z * tl.load(q + 8)
    return a, b, c


@_kernel
def _ellipsoid(q, x, y, z, dx, dy, dz):
    ox, oy, oz = _local(q, x - tl.load(q + 9), y - tl.load(q + 10), z - tl.load(q + 11))
    vx, vy, vz = _local(q, dx, dy, dz)
    a = vx * vx + vy * vy + vz * vz
    b = ox * vx + oy * vy + oz * vz
    c = ox * ox + oy * oy + oz * oz - 1
    disc = b * b - a * c
    t = (-b - tl.sqrt(tl.maximum(disc, 0.0))) / a
    return tl.where((disc > 0) & (t > NEAR), t, FAR)


@_kernel
def _slab(o, d, half):
    inverse = 1 / tl.where(tl.abs(d) < 1e-7, 1e-7, d)
    middle, reach = -o * inverse, half * tl.abs(inverse)
    return middle - reach, middle + reach


@_kernel
def _box(q, x, y, z, dx, dy, dz):
    ox, oy, oz = _local(q, x - tl.load(q + 9), y - tl.load(q + 10), z - tl.load(q + 11))
    vx, vy, vz = _local(q, dx, dy, dz)
    near_x, far_x = _slab(ox, vx, tl.load(q + 12))
    near_y, far_y = _slab(oy, vy, tl.load(q + 13))
    near_z, far_z = _slab(oz, vz, tl.load(q + 14))
    t = tl.maximum(tl.maximum(near_x, near_y), near_z)
    end = tl.minimum(tl.minimum(far_x, far_y), far_z)
    return tl.where((t < end) & (t > NEAR), t, FAR)


@_kernel
def _along(q, x, y, z, dx, dy, dz):
    ax, ay, az = tl.load(q + 3), tl.load(q + 4), tl.load(q + 5)
    x, y, z = x - tl.load(q + 9), y - tl.load(q + 10), z - tl.load(q + 11)
    oy, dy_ = x * ax + y * ay + z * az, dx * ax + dy * ay + dz * az
    return oy, dy_, x * dx + y * dy + z * dz, x * x + y * y + z * z


@_kernel
def _round_cone(q, x, y, z, dx, dy, dz):
    oy, slope, od, oo = _along(q, x, y, z, dx, dy, dz)
    ra, length, rb = tl.load(q + 12), 2 * tl.load(q + 13), tl.load(q + 14)
    rr = ra - rb
    m1, m2 = length * oy, length * slope
    d2 = length * length - rr * rr
    k2 = d2 - m2 * m2
    k1 = d2 * od - m1 * m2 + m2 * rr * ra
    k0 = d2 * oo - m1 * m1 + 2 * m1 * rr * ra - length * length * ra * ra
    h = k1 * k1 - k0 * k2
    t = (-tl.sqrt(tl.maximum(h, 0.0)) - k1) / tl.where(tl.abs(k2) < 1e-9, 1e-9, k2)
    at = m1 - ra * rr + t * m2
    side = tl.where((h > 0) & (at > 0) & (at < d2) & (t > NEAR), t, FAR)
    ha = od * od - oo + ra * ra
    ta = -od - tl.sqrt(tl.maximum(ha, 0.0))
    first = tl.where((ha > 0) & (ta > NEAR), ta, FAR)
    e = od - m2
    hb = e * e - (oo - 2 * m1 + length * length) + rb * rb
    tb = -e - tl.sqrt(tl.maximum(hb, 0.0))
    second = tl.where((hb > 0) & (tb > NEAR), tb, FAR)
    return tl.minimum(side, tl.minimum(first, second))


@_kernel
def _wall(h, t, oy, slope, length, out):
    at = oy + t * slope
    return tl.where((h > 0) & (at > 0) & (at < length) & (t > NEAR) & (t < out), t, out)


@_kernel
def _disc(t, od, oo, axial, radius, out):
    r2 = oo + 2 * t * od + t * t - axial * axial
    return tl.where((r2 < radius * radius) & (t > NEAR) & (t < out), t, out)


@_kernel
def _capped_cone(q, x, y, z, dx, dy, dz):
    oy, slope, od, oo = _along(q, x, y, z, dx, dy, dz)
    ra, length, rb = tl.load(q + 12), 2 * tl.load(q + 13), tl.load(q + 14)
    rr = ra - rb
    hyp = length * length + rr * rr
    k2 = length * length - slope * slope * hyp
    k1 = length * length * od - oy * slope * hyp + length * ra * rr * slope
    k0 = length * length * oo - oy * oy * hyp + 2 * length * ra * rr * oy - length * length * ra * ra
    h = tl.maximum(k1 * k1 - k0 * k2, 0.0)
    inverse = 1 / tl.where(tl.abs(k2) < 1e-9, 1e-9, k2)
    root = tl.sqrt(h)
    out = _wall(h, (-k1 - root) * inverse, oy, slope, length, root * 0 + FAR)
    out = _wall(h, (-k1 + root) * inverse, oy, slope, length, out)
    steep = 1 / tl.where(tl.abs(slope) < 1e-7, 1e-7, slope)
    out = _disc(-oy * steep, od, oo, 0 * length, ra, out)
    return _disc((length - oy) * steep, od, oo, length, rb, out)


@_kernel
def _entry(q, kind: tl.constexpr, x, y, z, dx, dy, dz):
    if kind == 0:
        t = _ellipsoid(q, x, y, z, dx, dy, dz)
    elif kind == 1:
        t = _round_cone(q, x, y, z, dx, dy, dz)
    elif kind == 2:
        t = _box(q, x, y, z, dx, dy, dz)
    else:
        t = _capped_cone(q, x, y, z, dx, dy, dz)
    return t


@_kernel
def _ball(q, kind: tl.constexpr):
    """Middle of the bounding ball, and its radius."""
    at: tl.constexpr = 0 if kind % 2 == 1 else 9
    return tl.load(q + at), tl.load(q + at + 1), tl.load(q + at + 2), tl.load(q + 15)


@_kernel
def _nearest(
    rows,
    first,
    count,
    kind: tl.constexpr,
    ox,
    oy,
    oz,
    dx,
    dy,
    dz,
    mx,
    my,
    mz,
    cosine,
    sine,
    best,
    slot,
):
    """The primitives of one shape; those whose bounding ball misses the block's cone of directions are left out."""
    for p in range(first, first + count):
        q = rows + p * WIDTH
        bx, by, bz, radius = _ball(q, kind)
        bx, by, bz = bx - ox, by - oy, bz - oz
        along = bx * mx + by * my + bz * mz
        off = tl.sqrt(tl.maximum(bx * bx + by * by + bz * bz - along * along, 0.0))
        if off * cosine - along * sine <= radius * 1.001 + 2e-3:
            t = _entry(q, kind, ox, oy, oz, dx, dy, dz)
            slot = tl.where(t < best, p, slot)
            best = tl.minimum(t, best)
    return best, slot


@_kernel
def _first(
    table,
    origin,
    direction,
    t_out,
    slot_out,
    n,
    slots,
    n0,
    n1,
    n2,
    n3,
    BLOCK: tl.constexpr,
):
    blocks = tl.cdiv(n, BLOCK)
    frame = tl.program_id(0) // blocks
    i = (tl.program_id(0) - frame * blocks) * BLOCK + tl.arange(0, BLOCK)
    i = tl.minimum(i, n - 1)  # the last block's surplus repeats its last ray
    ray = frame.to(tl.int64) * n + i
    dx, dy, dz = tl.load(direction + ray * 3), tl.load(direction + ray * 3 + 1), tl.load(direction + ray * 3 + 2)
    ox, oy, oz = tl.load(origin + frame * 3), tl.load(origin + frame * 3 + 1), tl.load(origin + frame * 3 + 2)
    mx, my, mz = tl.sum(dx), tl.sum(dy), tl.sum(dz)
    norm = 1 / tl.sqrt(mx * mx + my * my + mz * mz)
    mx, my, mz = mx * norm, my * norm, mz * norm
    ex, ey, ez = dx - mx, dy - my, dz - mz
    chord = tl.max(ex * ex + ey * ey + ez * ez)  # 4 sin^2(angle / 2), exact also where the angle is tiny
    cosine = 1 - 0.5 * chord
    sine = tl.sqrt(tl.maximum(chord * (1 - 0.25 * chord), 0.0))
    rows = table + frame.to(tl.int64) * slots * WIDTH
    best = tl.full((BLOCK,), FAR, tl.float32)
    slot = tl.zeros((BLOCK,), tl.int32)
    best, slot = _nearest(rows, 0, n0, 0, ox, oy, oz, dx, dy, dz, mx, my, mz, cosine, sine, best, slot)
    best, slot = _nearest(rows, n0, n1, 1, ox, oy, oz, dx, dy, dz, mx, my, mz, cosine, sine, best, slot)
    best, slot = _nearest(rows, n0 + n1, n2, 2, ox, oy, oz, dx, dy, dz, mx, my, mz, cosine, sine, best, slot)
    best, slot = _nearest(rows, n0 + n1 + n2, n3, 3, ox, oy, oz, dx, dy, dz, mx, my, mz, cosine, sine, best, slot)
    tl.store(t_out + ray, best)
    tl.store(slot_out + ray, slot)


@_kernel
def _blocked(
    rows,
    first,
    count,
    kind: tl.constexpr,
    x,
    y,
    z,
    lx,
    ly,
    lz,
    mx,
    my,
    mz,
    reach,
    dark,
):
    """The primitives of one shape; those whose bounding ball misses the cylinder of light on the block are left out."""
    for p in range(first, first + count):
        q = rows + p * WIDTH
        bx, by, bz, radius = _ball(q, kind)
        bx, by, bz = bx - mx, by - my, bz - mz
        along = bx * lx + by * ly + bz * lz
        limit = reach + radius * 1.001 + 2e-3
        if bx * bx + by * by + bz * bz - along * along <= limit * limit:
            t = _entry(q, kind, x, y, z, lx, ly, lz)
            dark = tl.where(t < 0.5 * FAR, 1, dark)
    return dark


@_kernel
def _shadow(
    table,
    light,
    start,
    needed,
    out,
    n,
    slots,
    ends0,
    ends1,
    ends2,
    n0,
    n1,
    n2,
    n3,
    BLOCK: tl.constexpr,
):
    blocks = tl.cdiv(n, BLOCK)
    frame = tl.program_id(0) // blocks
    i = (tl.program_id(0) - frame * blocks) * BLOCK + tl.arange(0, BLOCK)
    i = tl.minimum(i, n - 1)
    ray = frame.to(tl.int64) * n + i
    asked = tl.load(needed + ray) != 0
    dark = tl.zeros((BLOCK,), tl.int32)
    share = tl.sum(asked.to(tl.float32))
    if share > 0:
        x, y, z = tl.load(start + ray * 3), tl.load(start + ray * 3 + 1), tl.load(start + ray * 3 + 2)
        lx, ly, lz = tl.load(light + frame * 3), tl.load(light + frame * 3 + 1), tl.load(light + frame * 3 + 2)
        mx, my = tl.sum(tl.where(asked, x, 0.0)) / share, tl.sum(tl.where(asked, y, 0.0)) / share
        mz = tl.sum(tl.where(asked, z, 0.0)) / share
        ex, ey, ez = x - mx, y - my, z - mz
        s = ex * lx + ey * ly + ez * lz
        reach = tl.max(tl.where(asked, ex * ex + ey * ey + ez * ez - s * s, 0.0))
        reach = tl.sqrt(tl.maximum(reach, 0.0))
        rows = table + frame.to(tl.int64) * slots * WIDTH
        dark = _blocked(rows, 0, n0, 0, x, y, z, lx, ly, lz, mx, my, mz, reach, dark)
        dark = _blocked(rows, ends0, n1, 1, x, y, z, lx, ly, lz, mx, my, mz, reach, dark)
        dark = _blocked(rows, ends1, n2, 2, x, y, z, lx, ly, lz, mx, my, mz, reach, dark)
        dark = _blocked(rows, ends2, n3, 3, x, y, z, lx, ly, lz, mx, my, mz, reach, dark)
    tl.store(out + ray, (dark * asked.to(tl.int32)).to(tl.int8))


def packed(geo: Geometry) -> Float[Tensor, "B F P 16"]:
    """A row of numbers for each primitive and frame, as the kernels read them."""
    frames = geo.center.shape[1]
    size = geo.size[:, None].expand(-1, frames, -1, -1)
    ends = [sum(geo.pools[:i]) for i in range(5)]
    rows = []
    for kind in range(4):
        cut = slice(ends[kind], ends[kind + 1])
        rot, center, own = geo.rot[:, :, cut], geo.center[:, :, cut], size[:, :, cut]
        axes = rot.transpose(-1, -2)
        widest = torch.maximum(own[..., 0], own[..., 2])
        if kind == 0:
            axes, radius = axes / own[..., None], own.amax(-1)
        elif kind == 2:
            radius = own.square().sum(-1).sqrt()
        else:
            radius = own[..., 1] + widest if kind == 1 else (own[..., 1].square() + widest.square()).sqrt()
            axis = rot[..., 1]
            axes = torch.stack((center, axis, axis), -2)
            center = center - axis * own[..., 1:2]
        rows.append(torch.cat((axes.flatten(-2), center, own, radius[..., None]), -1))
    return torch.cat(rows, 2).contiguous()


def first_hit(
    table: Float[Tensor, "B F P 16"],
    geo: Geometry,
    origin: Float[Tensor, "B F 3"],
    direction: Float[Tensor, "B F N 3"],
) -> tuple[Float[Tensor, "B F N"], Int32[Tensor, "B F N"]]:
    """See `trace.first_hit`; `table` is `packed(geo)`. Slots come as int32."""
    batch, frames, n = direction.shape[:3]
    t = torch.empty((batch, frames, n), device=direction.device)
    slot = torch.empty((batch, frames, n), dtype=torch.int32, device=direction.device)
    grid = (batch * frames * triton.cdiv(n, BLOCK),)
    arrays = (table, origin.contiguous(), direction.contiguous(), t, slot)
    _first[grid](*arrays, n, table.shape[2], *geo.pools, BLOCK=BLOCK, num_warps=1)
    return t, slot


def occluded(
    table: Float[Tensor, "B F P 16"],
    geo: Geometry,
    start: Float[Tensor, "B F N 3"],
    light: Float[Tensor, "B 3"],
    needed: Bool[Tensor, "B F N"],
) -> Bool[Tensor, "B F N"]:
    """See `trace.occluded`; only where `needed`, elsewhere False. `table` is `packed(geo)`."""
    batch, frames, n = start.shape[:3]
    out = torch.empty((batch, frames, n), dtype=torch.int8, device=start.device)
    lights = light[:, None].expand(-1, frames, -1).contiguous()
    ends = [sum(geo.pools[:i]) for i in (1, 2, 3)]
    grid = (batch * frames * triton.cdiv(n, BLOCK),)
    arrays = (table, lights, start.contiguous(), needed.contiguous().view(torch.int8), out)
    _shadow[grid](*arrays, n, table.shape[2], *ends, *geo.casters, BLOCK=BLOCK, num_warps=1)
    return out.view(torch.bool)
