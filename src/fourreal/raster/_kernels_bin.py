"""Numba kernels: depth order and tile lists, one camera after the other on each thread.

A camera's visible Gaussians are radix-sorted by depth into records (all a tile needs, one cache line each), then dealt
into the tiles that their boxes touch, so that every tile's list comes out front to back. The sort is stable: equal
depths keep the order of the Gaussians, as in gsplat.
Every (tile, record) pair owns one gradient slot; the slots of a Gaussian are adjacent, so gradients are summed without
atomics and in a fixed order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fourreal.core.kernels import Array, Index, Real, Share, kernel

from ._kernels_project import Params
from .base import ALPHA_MIN

f4 = np.float32
_DIGIT = 11  # bits of a radix pass
_BUCKETS = 1 << _DIGIT
# Columns of a record: see `_fill_record`.
U, V, CA, CB, CC, OP, RED, GREEN, BLUE, DEPTH, HALF_X, HALF_Y, CHORD0, CHORD1, SLOPE = range(15)
RECORD = 16  # a cache line


class Grid(NamedTuple):
    """How the images are cut: tile size and tiles per image, all [1] would do; ints."""

    tile_w: int
    tile_h: int
    across: int
    down: int


class Lists(NamedTuple):
    """Front-to-back list of every tile."""

    records: Array  # [V, 16] float32: visible Gaussians, camera by camera, by depth
    pairs: Array  # [M, 2] int32: record, gradient slot; tile by tile
    starts: Array  # [C * tiles + 1] int32: where a tile's pairs start
    slots: Array  # [C * N + 1] int32: where the gradient slots of Gaussian n in camera c start


@kernel(inline=True)
def _tiles(u: Real, v: Real, rx: Real, ry: Real, grid: Grid) -> tuple:
    """Half-open ranges of tile columns and rows that a box touches (clamped while still floats: no overflow)."""
    tw, th = f4(1) / f4(grid.tile_w), f4(1) / f4(grid.tile_h)
    x0 = np.int64(max(f4(0), np.floor((u - rx) * tw)))
    x1 = np.int64(min(f4(grid.across), np.ceil((u + rx) * tw)))
    y0 = np.int64(max(f4(0), np.floor((v - ry) * th)))
    y1 = np.int64(min(f4(grid.down), np.ceil((v + ry) * th)))
    return x0, max(x0, x1), y0, max(y0, y1)


@kernel()
def count_pairs(means2d: Array, radii: Array, grid: Grid, visible: Array, counts: Array, share: Share) -> None:
    """visible[c]: drawn Gaussians of camera c; counts[c, tile]: pairs of a tile (both zero at the start)."""
    lane, lanes = share
    for c in range(lane, radii.shape[0], lanes):
        for n in range(radii.shape[1]):
            if radii[c, n, 0] > 0:
                visible[c] += 1
                x0, x1, y0, y1 = _tiles(
                    means2d[c, n, 0], means2d[c, n, 1], f4(radii[c, n, 0]), f4(radii[c, n, 1]), grid
                )
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        counts[c, y * grid.across + x] += 1


@kernel()
def _depth_order(radii: Array, depth_bits: Array, count: Index) -> Array:
    """Indices of the visible Gaussians by depth: least-significant-digit radix sort of (float bits, index)."""
    keys, other = np.empty(count, np.uint64), np.empty(count, np.uint64)
    k = 0
    for n in range(radii.shape[0]):
        if radii[n, 0] > 0:
            keys[k] = (np.uint64(depth_bits[n, 3]) << np.uint64(32)) | np.uint64(n)
            k += 1
    for digit in range(3):  # positive floats sort like their bits
        shift = np.uint64(32 + _DIGIT * digit)
        mask = np.uint64(_BUCKETS - 1)
        heads = np.zeros(_BUCKETS + 1, np.int64)
        for i in range(count):
            heads[np.int64((keys[i] >> shift) & mask) + 1] += 1
        for i in range(_BUCKETS):
            heads[i + 1] += heads[i]
        for i in range(count):
            bucket = np.int64((keys[i] >> shift) & mask)
            other[heads[bucket]] = keys[i]
            heads[bucket] += 1
        keys, other = other, keys
    return keys


@kernel(inline=True)
def _fill_record(out: Array, u: Real, v: Real, k: Array, opacity: Real, color: Array) -> None:
    """Mean, conic, opacity, colour, depth, half box, and the chord of the ellipse alpha = 1/255 along a pixel row.

    With tau = ln(255 o): on the row at distance dy = v - y the ellipse spans
    u + dy b/a  +-  sqrt(2 tau / a - dy^2 det / a^2); a hair is added, because each pixel is tested anyway.
    """
    a, b, d = k[0], k[1], k[2]
    # In float64: for needles the two products agree to more digits than float32 has.
    ad = np.float64(a) * np.float64(d)
    det = f4(max(ad - np.float64(b) * np.float64(b), 1e-9 * ad))
    tau2 = f4(2) * max(f4(0), math.log(opacity / f4(ALPHA_MIN))) + f4(2e-4)
    out[U], out[V], out[CA], out[CB], out[CC], out[OP] = u, v, a, b, d, opacity
    out[RED], out[GREEN], out[BLUE], out[DEPTH] = color[0], color[1], color[2], k[3]
    out[HALF_X], out[HALF_Y] = math.sqrt(tau2 * d / det), math.sqrt(tau2 * a / det)
    out[CHORD0], out[CHORD1], out[SLOPE], out[15] = tau2 / a, det / (a * a), b / a, f4(0)


class Placement(NamedTuple):
    """Where each camera's part of the lists starts (exclusive sums of the counts)."""

    records: Array  # [C + 1] int64
    pairs: Array  # [C + 1] int64


@kernel()
def _fill_camera(
    p: Params, c: Index, means2d: Array, radii: Array, geom: Array, grid: Grid, at: Placement, lists: Lists
) -> None:
    base, count = at.records[c], at.records[c + 1] - at.records[c]
    tiles = grid.across * grid.down
    # Gradient slots in the Gaussians' own order.
    slot = at.pairs[c]
    for n in range(radii.shape[0]):
        lists.slots[c * radii.shape[0] + n] = slot
        if radii[n, 0] > 0:
            x0, x1, y0, y1 = _tiles(means2d[n, 0], means2d[n, 1], f4(radii[n, 0]), f4(radii[n, 1]), grid)
            slot += (x1 - x0) * (y1 - y0)
    opacities = p.opacities[c if p.opacities.shape[0] > 1 else 0]
    colors = p.colors[c if p.colors.shape[0] > 1 else 0]
    heads = lists.starts[c * tiles : (c + 1) * tiles].copy()
    keys = _depth_order(radii, geom.view(np.uint32), count)
    for i in range(count):
        n = np.int64(keys[i] & np.uint64(0xFFFFFFFF))
        u, v = means2d[n, 0], means2d[n, 1]
        _fill_record(lists.records[base + i], u, v, geom[n], opacities[n], colors[n])
        x0, x1, y0, y1 = _tiles(u, v, f4(radii[n, 0]), f4(radii[n, 1]), grid)
        slot = lists.slots[c * radii.shape[0] + n]
        for y in range(y0, y1):
            for x in range(x0, x1):
                tile = y * grid.across + x
                lists.pairs[heads[tile], 0], lists.pairs[heads[tile], 1] = base + i, slot
                heads[tile] += 1
                slot += 1


@kernel()
def fill_lists(
    p: Params, means2d: Array, radii: Array, geom: Array, grid: Grid, at: Placement, lists: Lists, share: Share
) -> None:
    """Fill every array of `lists` but `starts` and the last entry of `slots`, which are given."""
    lane, lanes = share
    for c in range(lane, radii.shape[0], lanes):
        _fill_camera(p, c, means2d[c], radii[c], geom[c], grid, at, lists)
