"""Numba kernels: alpha compositing of the tiles, front to back.

Formulas: 3D Gaussian splatting (Kerbl et al. 2023), thresholds as in gsplat 1.5.3.

A tile's state lies in ONE flat buffer: row by row, in each row one run of PITCH floats per plane. Indices are unsigned
and planes a constant apart: only then does LLVM turn the loops over eight pixels into vector instructions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fourreal.core.kernels import Array, Flag, Index, Real, Share, kernel

from ._kernels_bin import BLUE, CA, CB, CC, CHORD0, CHORD1, DEPTH, GREEN, HALF_Y, OP, RED, SLOPE, Grid, Lists, U, V
from .base import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN

f4, u8 = np.float32, np.uint64
TILE_MAX = 64  # pixels: the largest tile side the buffers hold
LANES = 8
PITCH = TILE_MAX + LANES  # a row may write up to LANES - 1 pixels past its end
CHECK = 32  # Gaussians between two looks for rows that are done
A_MIN, A_MAX, T_MIN = f4(ALPHA_MIN), f4(ALPHA_MAX), f4(TRANSMITTANCE_MIN)
ZERO, HALF, ONE = f4(0), f4(0.5), f4(1)

# exp(-s) = p(s)^8, p of degree 6: relative error below 3e-8 before rounding on [0, 6] (minimax fit).
_E0, _E1, _E2 = f4(0.9999999967800669), f4(-0.12499995179843941), f4(0.007812378932025416)
_E3, _E4, _E5 = f4(-0.00032540449656916627), f4(1.0118324256128174e-05), f4(-2.4106195791279486e-07)
_E6 = f4(3.625418552176158e-09)
S_MAX = f4(6.0)  # beyond, alpha < 1/255 whatever the opacity

# Planes of the forward: transmittance (0 once done), alpha, r, g, b, depth.
F_ROW = 6 * PITCH
P1, P2, P3 = u8(PITCH), u8(2 * PITCH), u8(3 * PITCH)
P4, P5 = u8(4 * PITCH), u8(5 * PITCH)


class Images(NamedTuple):
    """What is drawn, or gradients of it. float32, C-contiguous."""

    color: Array  # [C, 3, H, W]
    alpha: Array  # [C, 1, H, W]
    depth: Array  # [C, 1, H, W]


class Tile(NamedTuple):
    """Camera, corner and size of a tile."""

    camera: int
    x: int
    y: int
    width: int
    height: int


class Scratch(NamedTuple):
    """What a thread works in."""

    state: Array  # [TILE_MAX * row] float32: the planes
    spans: Array  # [2, TILE_MAX] int32: per pixel row, first pixel and number of 8-pixel runs


@kernel(fast=True, inline=True)
def exp_neg(s: Real) -> Real:
    """exp(-s) for s in [0, 6]."""
    p = _E0 + s * (_E1 + s * (_E2 + s * (_E3 + s * (_E4 + s * (_E5 + s * _E6)))))
    p = p * p
    p = p * p
    return p * p


@kernel(fast=True)
def find_spans(rec: Array, tile: Tile, top: Index, bottom: Index, spans: Array) -> tuple:
    """Pixel rows of [top, bottom) that a Gaussian touches, and in `spans` where, row by row."""
    u, v = rec[U] - f4(tile.x), rec[V] - f4(tile.y)
    y0 = np.int64(max(f4(top), np.ceil(v - rec[HALF_Y] - HALF)))
    y1 = np.int64(min(f4(bottom), np.floor(v + rec[HALF_Y] + HALF)))
    chord0, chord1, slope, right = rec[CHORD0], rec[CHORD1], rec[SLOPE], f4(tile.width)
    for y in range(y0, y1):
        dy = v - (f4(y) + HALF)
        half = np.sqrt(max(ZERO, chord0 - chord1 * dy * dy))
        centre = u + slope * dy - HALF
        first = min(right, max(ZERO, np.ceil(centre - half)))
        last = max(f4(-1), min(right - ONE, np.floor(centre + half)))
        spans[0, y] = np.int32(first)
        spans[1, y] = (np.int32(last - first) + 8) >> 3
    return y0, y1


@kernel(fast=True)
def _row_has_life(s: Array, start: Index) -> Flag:
    total = ZERO
    for x in range(TILE_MAX):
        total += s[start + x]
    return total > ZERO


@kernel(fast=True)
def live_rows(s: Array, pitch: Index, top: Index, bottom: Index) -> tuple:
    """Shrink [top, bottom) to the rows in which a pixel is not done (plane 0 > 0)."""
    while top < bottom and not _row_has_life(s, top * pitch):
        top += 1
    while top < bottom and not _row_has_life(s, (bottom - 1) * pitch):
        bottom -= 1
    return top, bottom


@kernel(inline=True)
def deal(lane: Index, lanes: Index, turn: Index) -> Index:
    """Deal tiles, sorted by work, to and fro among the lanes: their sums come out alike."""
    return turn * lanes + (lane if turn % 2 == 0 else lanes - 1 - lane)


@kernel(inline=True)
def place(tile: Index, grid: Grid, image: Array) -> Tile:
    """Where tile number `tile` lies; `image` is [C, k, H, W]."""
    per_image = grid.across * grid.down
    t = tile % per_image
    x, y = (t % grid.across) * grid.tile_w, (t // grid.across) * grid.tile_h
    return Tile(tile // per_image, x, y, min(grid.tile_w, image.shape[3] - x), min(grid.tile_h, image.shape[2] - y))


@kernel(fast=True)
def _blend_row(s: Array, at: Index, runs: Index, dx0: Real, dy: Real, rec: tuple) -> None:
    """Composite one Gaussian over 8 * runs pixels of a row."""
    a, b, d, opacity, red, green, blue, depth = rec
    e0, e1, e2 = HALF * d * dy * dy, b * dy, HALF * a
    for run in range(runs):
        dx_run, at_run = dx0 - f4(8 * run), at + u8(8 * run)
        for lane in range(8):
            i = at_run + u8(lane)
            dx = dx_run - f4(lane)
            sigma = e0 + dx * (e1 + e2 * dx)
            alpha = min(A_MAX, opacity * exp_neg(min(sigma, S_MAX)))
            alpha = alpha if (sigma >= ZERO) & (alpha >= A_MIN) else ZERO
            before = s[i]
            after = before * (ONE - alpha)
            live = after > T_MIN
            weight = alpha * before if live else ZERO
            s[i] = after if live else ZERO
            s[i + P1] += weight
            s[i + P2] += weight * red
            s[i + P3] += weight * green
            s[i + P4] += weight * blue
            s[i + P5] += weight * depth


@kernel(fast=True)
def _draw_tile(lists: Lists, first: Index, last: Index, tile: Tile, work: Scratch) -> None:
    s = work.state
    s[: tile.height * F_ROW] = ZERO
    for y in range(tile.height):
        s[y * F_ROW : y * F_ROW + tile.width] = ONE
    top, bottom = 0, tile.height
    for pair in range(first, last):
        if (pair - first) % CHECK == CHECK - 1:
            top, bottom = live_rows(s, F_ROW, top, bottom)
            if top == bottom:
                break
        rec = lists.records[lists.pairs[pair, 0]]
        y0, y1 = find_spans(rec, tile, top, bottom, work.spans)
        u, v = rec[U] - f4(tile.x) - HALF, rec[V] - f4(tile.y) - HALF
        pack = (rec[CA], rec[CB], rec[CC], rec[OP], rec[RED], rec[GREEN], rec[BLUE], rec[DEPTH])
        for y in range(y0, y1):
            x, runs = work.spans[0, y], work.spans[1, y]
            if runs > 0:
                _blend_row(s, u8(y * F_ROW + x), runs, u - f4(x), v - f4(y), pack)


@kernel(fast=True)
def _store_tile(s: Array, tile: Tile, background: Array, out: Images) -> None:
    c, x0 = tile.camera, tile.x
    for y in range(tile.height):
        row = s[y * F_ROW : (y + 1) * F_ROW]
        for x in range(tile.width):
            out.alpha[c, 0, tile.y + y, x0 + x] = row[PITCH + x]
            out.depth[c, 0, tile.y + y, x0 + x] = row[5 * PITCH + x]
        for k in range(3):
            b = background[c, k]
            for x in range(tile.width):
                out.color[c, k, tile.y + y, x0 + x] = row[(2 + k) * PITCH + x] + (ONE - row[PITCH + x]) * b


@kernel(fast=True)
def composite(lists: Lists, order: Array, grid: Grid, background: Array, out: Images, share: Share) -> None:
    """Draw every tile; `order` is a permutation of the tiles, most work first."""
    lane, lanes = share
    work = Scratch(np.empty(TILE_MAX * F_ROW, np.float32), np.empty((2, TILE_MAX), np.int32))
    for turn in range((order.shape[0] + lanes - 1) // lanes):
        i = deal(lane, lanes, turn)
        if i < order.shape[0]:
            number = np.int64(order[i])
            tile = place(number, grid, out.alpha)
            _draw_tile(lists, lists.starts[number], lists.starts[number + 1], tile, work)
            _store_tile(work.state, tile, background, out)
