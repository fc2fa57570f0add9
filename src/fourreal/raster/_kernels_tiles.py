"""Numba kernels: alpha compositing of the tiles, front to back, and its hand-written adjoint.

Formulas: 3D Gaussian splatting (Kerbl et al. 2023), thresholds as in gsplat 1.5.3. The adjoint also runs front to back,
repeating the forward's arithmetic exactly, with one running scalar per pixel, the part of <gradient, pixel> behind the
current Gaussian:  R = g . C - g_alpha T_end;  R -= (g . c) alpha T;  dL/dalpha = T (g . c) - R / (1 - alpha).

A tile's state lies in ONE flat buffer: row by row, in each row one run of PITCH floats per plane. Indices are unsigned
and planes a constant apart: only then does LLVM turn the loops over eight pixels into vector instructions.
"""
# ruff: noqa: PLR0913  (scalars stay in registers only if passed one by one)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from ._jit import kernel
from ._kernels_bin import (
    BLUE,
    CA,
    CB,
    CC,
    CHORD0,
    CHORD1,
    DEPTH,
    GREEN,
    HALF_Y,
    OP,
    RED,
    SLOPE,
    Grid,
    Lists,
    U,
    V,
)  # fmt: skip
from .base import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN

Array = np.ndarray
f4, u8 = np.float32, np.uint64
TILE_MAX = 64  # pixels: the largest tile side the buffers hold
LANES = 8
PITCH = TILE_MAX + LANES  # a row may write up to LANES - 1 pixels past its end
CHECK = 32  # Gaussians between two looks for rows that are done
SLOT = 12  # gradients of a (tile, Gaussian) pair
_A_MIN, _A_MAX, _T_MIN = f4(ALPHA_MIN), f4(ALPHA_MAX), f4(TRANSMITTANCE_MIN)
ZERO, HALF, ONE = f4(0), f4(0.5), f4(1)

# exp(-s) = p(s)^8, p of degree 6: relative error below 3e-8 before rounding on [0, 6] (least-squares minimax fit).
_E0, _E1, _E2, _E3 = (
    f4(0.9999999967800669),
    f4(-0.12499995179843941),
    f4(0.007812378932025416),
    f4(-0.000325404496569),
)
_E4, _E5, _E6 = f4(1.0118324256128174e-05), f4(-2.4106195791279486e-07), f4(3.625418552176158e-09)
_S_MAX = f4(6.0)  # beyond, alpha < 1/255 whatever the opacity

# Planes of the forward: transmittance (0 once done), alpha, r, g, b, depth.
F_ROW = 6 * PITCH
# Planes of the adjoint: transmittance, R, gradients of r, g, b, depth; then per pixel of the row v_sigma, weight.
B_ROW = 8 * PITCH
P1, P2, P3 = u8(PITCH), u8(2 * PITCH), u8(3 * PITCH)
P4, P5, P6, P7 = u8(4 * PITCH), u8(5 * PITCH), u8(6 * PITCH), u8(7 * PITCH)


class Images(NamedTuple):
    """What is drawn, or gradients of it. float32, C-contiguous."""

    color: Array  # [C, 3, H, W]
    alpha: Array  # [C, 1, H, W]
    depth: Array  # [C, 1, H, W]


@kernel(fast=True, inline=True)
def _exp_neg(s: float) -> float:
    p = _E0 + s * (_E1 + s * (_E2 + s * (_E3 + s * (_E4 + s * (_E5 + s * _E6)))))
    p = p * p
    p = p * p
    return p * p


@kernel(fast=True)
def _spans(rec: Array, u: float, v: float, y0: int, y1: int, width: int, spans: Array) -> None:
    """For the pixel rows y0 <= y < y1 of a tile: first pixel and number of 8-pixel runs inside the ellipse."""
    chord0, chord1, slope = rec[CHORD0], rec[CHORD1], rec[SLOPE]
    right = f4(width)
    for y in range(y0, y1):
        dy = v - (f4(y) + HALF)
        half = np.sqrt(max(ZERO, chord0 - chord1 * dy * dy))
        centre = u + slope * dy - HALF
        first = min(right, max(ZERO, np.ceil(centre - half)))
        last = max(f4(-1), min(right - ONE, np.floor(centre + half)))
        spans[0, y] = np.int32(first)
        spans[1, y] = (np.int32(last - first) + 8) >> 3


@kernel(fast=True)
def _blend_row(s: Array, at: int, runs: int, dx0: float, rec: tuple, e0: float, e1: float) -> None:
    """Composite one Gaussian over 8 * runs pixels; sigma = e0 + dx (e1 + dx a / 2)."""
    half_a, opacity, red, green, blue, depth = rec
    for run in range(runs):
        dx_run, at_run = dx0 - f4(8 * run), at + u8(8 * run)
        for lane in range(8):
            i = at_run + u8(lane)
            dx = dx_run - f4(lane)
            sigma = e0 + dx * (e1 + half_a * dx)
            alpha = min(_A_MAX, opacity * _exp_neg(min(sigma, _S_MAX)))
            alpha = alpha if (sigma >= ZERO) & (alpha >= _A_MIN) else ZERO
            before = s[i]
            after = before * (ONE - alpha)
            live = after > _T_MIN
            weight = alpha * before if live else ZERO
            s[i] = after if live else ZERO
            s[i + P1] += weight
            s[i + P2] += weight * red
            s[i + P3] += weight * green
            s[i + P4] += weight * blue
            s[i + P5] += weight * depth


@kernel(fast=True)
def _live_rows(s: Array, pitch: int, y0: int, y1: int) -> tuple:
    """Shrink the row range to those in which a pixel is not done (plane 0 > 0)."""
    while y0 < y1:
        top = ZERO
        for x in range(TILE_MAX):
            top += s[y0 * pitch + x]
        if top > ZERO:
            break
        y0 += 1
    while y1 > y0:
        top = ZERO
        for x in range(TILE_MAX):
            top += s[(y1 - 1) * pitch + x]
        if top > ZERO:
            break
        y1 -= 1
    return y0, y1


@kernel(inline=True)
def _rows(rec: Array, v: float, y0: int, y1: int) -> tuple:
    """Pixel rows of [y0, y1) that the Gaussian's box touches."""
    low, high = max(f4(y0), np.ceil(v - rec[HALF_Y] - HALF)), min(f4(y1), np.floor(v + rec[HALF_Y] + HALF))
    return np.int64(low), np.int64(high)


@kernel(fast=True)
def _draw_tile(
    lists: Lists, first: int, last: int, x0: int, y0: int, width: int, height: int, s: Array, spans: Array
) -> None:
    s[: height * F_ROW] = ZERO
    for y in range(height):
        s[y * F_ROW : y * F_ROW + width] = ONE
    top, bottom = 0, height
    for pair in range(first, last):
        if (pair - first) % CHECK == CHECK - 1:
            top, bottom = _live_rows(s, F_ROW, top, bottom)
            if top == bottom:
                break
        rec = lists.records[lists.pairs[pair, 0]]
        u, v = rec[U] - f4(x0), rec[V] - f4(y0)
        ya, yb = _rows(rec, v, top, bottom)
        _spans(rec, u, v, ya, yb, width, spans)
        pack = (HALF * rec[CA], rec[OP], rec[RED], rec[GREEN], rec[BLUE], rec[DEPTH])
        for y in range(ya, yb):
            if spans[1, y] > 0:
                xa = spans[0, y]
                dy = v - (f4(y) + HALF)
                _blend_row(
                    s,
                    u8(y * F_ROW + xa),
                    spans[1, y],
                    u - (f4(xa) + HALF),
                    pack,
                    HALF * rec[CC] * dy * dy,
                    rec[CB] * dy,
                )


@kernel(fast=True)
def _store_tile(
    s: Array, c: int, x0: int, y0: int, width: int, height: int, background: Array, out: Images
) -> None:
    for y in range(height):
        row = s[y * F_ROW : (y + 1) * F_ROW]
        for x in range(width):
            out.alpha[c, 0, y0 + y, x0 + x] = row[PITCH + x]
            out.depth[c, 0, y0 + y, x0 + x] = row[5 * PITCH + x]
        for k in range(3):
            b = background[c, k]
            for x in range(width):
                out.color[c, k, y0 + y, x0 + x] = row[(2 + k) * PITCH + x] + (ONE - row[PITCH + x]) * b


@kernel(inline=True)
def _turn(lane: int, lanes: int, turn: int) -> int:
    """Deal tiles, sorted by work, to and fro among the lanes: their sums come out alike."""
    return turn * lanes + (lane if turn % 2 == 0 else lanes - 1 - lane)


@kernel(inline=True)
def _place(tile: int, grid: Grid, image: Array) -> tuple:
    """Camera, corner and size of a tile."""
    per_image = grid.across * grid.down
    c, t = tile // per_image, tile % per_image
    x0, y0 = (t % grid.across) * grid.tile_w, (t // grid.across) * grid.tile_h
    return c, x0, y0, min(grid.tile_w, image.shape[3] - x0), min(grid.tile_h, image.shape[2] - y0)


@kernel(parallel=True, fast=True)
def composite(lists: Lists, order: Array, grid: Grid, background: Array, out: Images, lanes: int) -> None:
    """Draw every tile; `order` is a permutation of the tiles, most work first."""
    for worker in prange(lanes):
        lane = np.int64(worker)
        s = np.empty(TILE_MAX * F_ROW, np.float32)
        spans = np.empty((2, TILE_MAX), np.int32)
        for turn in range((order.shape[0] + lanes - 1) // lanes):
            i = _turn(lane, lanes, turn)
            if i < order.shape[0]:
                tile = np.int64(order[i])
                c, x0, y0, width, height = _place(tile, grid, out.alpha)
                _draw_tile(lists, lists.starts[tile], lists.starts[tile + 1], x0, y0, width, height, s, spans)
                _store_tile(s, c, x0, y0, width, height, background, out)


@kernel(fast=True)
def _adjoint_row(s: Array, at: int, runs: int, dx0: float, rec: tuple, e0: float, e1: float) -> None:
    """Repeat the forward over 8 * runs pixels, leaving each pixel's dL/dsigma and weight in the last two planes."""
    half_a, opacity, red, green, blue, depth = rec
    for run in range(runs):
        dx_run, at_run = dx0 - f4(8 * run), at + u8(8 * run)
        for lane in range(8):
            i = at_run + u8(lane)
            dx = dx_run - f4(lane)
            sigma = e0 + dx * (e1 + half_a * dx)
            raw = opacity * _exp_neg(min(sigma, _S_MAX))
            alpha = min(_A_MAX, raw)
            alpha = alpha if (sigma >= ZERO) & (alpha >= _A_MIN) else ZERO
            before = s[i]
            through = ONE - alpha
            after = before * through
            live = after > _T_MIN
            weight = alpha * before if live else ZERO
            g = s[i + P2] * red + s[i + P3] * green + s[i + P4] * blue + s[i + P5] * depth
            rest = s[i + P1] - g * weight
            v_alpha = before * g - rest / through
            v_alpha = v_alpha if (weight > ZERO) & (raw <= _A_MAX) else ZERO
            s[i] = after if live else ZERO
            s[i + P1] = rest
            s[i + P6] = -raw * v_alpha
            s[i + P7] = weight


@kernel(fast=True)
def _sum_row(s: Array, at: int, runs: int, dx0: float, a: float, b: float, b_dy: float, c_dy: float) -> tuple:
    """Sums over a row: v_sigma and its moments, its absolute screen gradient, weight times pixel gradients."""
    m0, m1, m2, ax, ay = ZERO, ZERO, ZERO, ZERO, ZERO
    c0, c1, c2, c3 = ZERO, ZERO, ZERO, ZERO
    for k in range(8 * runs):
        i = at + u8(k)
        dx = dx0 - f4(k)
        vs, weight = s[i + P6], s[i + P7]
        vd = vs * dx
        m0 += vs
        m1 += vd
        m2 += vd * dx
        ax += abs(vs * (a * dx + b_dy))
        ay += abs(vs * (b * dx + c_dy))
        c0 += weight * s[i + P2]
        c1 += weight * s[i + P3]
        c2 += weight * s[i + P4]
        c3 += weight * s[i + P5]
    return m0, m1, m2, ax, ay, c0, c1, c2, c3


@kernel(fast=True)
def _adjoint_pair(
    rec: Array, u: float, v: float, ya: int, yb: int, s: Array, spans: Array, slot: Array
) -> None:
    """Gradients of one (tile, Gaussian) pair: mean2d (2), conic (3), opacity, |mean2d| (2), colour (3), depth."""
    a, b, d = rec[CA], rec[CB], rec[CC]
    pack = (HALF * a, rec[OP], rec[RED], rec[GREEN], rec[BLUE], rec[DEPTH])
    m0, mx, my, mxx, mxy, myy = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    ax, ay, c0, c1, c2, c3 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for y in range(ya, yb):
        runs = spans[1, y]
        if runs > 0:
            xa = spans[0, y]
            at, dx0, dy = u8(y * B_ROW + xa), u - (f4(xa) + HALF), v - (f4(y) + HALF)
            _adjoint_row(s, at, runs, dx0, pack, HALF * d * dy * dy, b * dy)
            n0, n1, n2, bx, by, d0, d1, d2, d3 = _sum_row(s, at, runs, dx0, a, b, b * dy, d * dy)
            m0, mx, my = m0 + n0, mx + n1, my + n0 * dy
            mxx, mxy, myy = mxx + n2, mxy + n1 * dy, myy + n0 * dy * dy
            ax, ay, c0, c1, c2, c3 = ax + bx, ay + by, c0 + d0, c1 + d1, c2 + d2, c3 + d3
    slot[0], slot[1] = a * mx + b * my, b * mx + d * my
    slot[2], slot[3], slot[4] = HALF * mxx, mxy, HALF * myy
    slot[5], slot[6], slot[7] = -m0 / rec[OP], ax, ay
    slot[8], slot[9], slot[10], slot[11] = c0, c1, c2, c3


@kernel(fast=True)
def _load_tile(
    c: int, x0: int, y0: int, width: int, height: int, out: Images, v_out: Images, s: Array
) -> None:
    """Fill the adjoint's planes: T = 1, R = g . C - g_alpha T_end, g."""
    s[: height * B_ROW] = ZERO
    for y in range(height):
        row = s[y * B_ROW : (y + 1) * B_ROW]
        row[:width] = ONE
        for x in range(width):
            rest = v_out.depth[c, 0, y0 + y, x0 + x] * out.depth[c, 0, y0 + y, x0 + x]
            rest -= v_out.alpha[c, 0, y0 + y, x0 + x] * (ONE - out.alpha[c, 0, y0 + y, x0 + x])
            row[PITCH + x] = rest
            row[5 * PITCH + x] = v_out.depth[c, 0, y0 + y, x0 + x]
        for k in range(3):
            for x in range(width):
                g = v_out.color[c, k, y0 + y, x0 + x]
                row[PITCH + x] += g * out.color[c, k, y0 + y, x0 + x]
                row[(2 + k) * PITCH + x] = g


@kernel(fast=True)
def _adjoint_tile(
    lists: Lists,
    first: int,
    last: int,
    x0: int,
    y0: int,
    width: int,
    height: int,
    s: Array,
    spans: Array,
    grads: Array,
) -> None:
    top, bottom = 0, height
    for pair in range(first, last):
        slot = grads[lists.pairs[pair, 1]]
        if (pair - first) % CHECK == CHECK - 1 and top < bottom:
            top, bottom = _live_rows(s, B_ROW, top, bottom)
        if top == bottom:
            slot[:] = ZERO
            continue
        rec = lists.records[lists.pairs[pair, 0]]
        u, v = rec[U] - f4(x0), rec[V] - f4(y0)
        ya, yb = _rows(rec, v, top, bottom)
        _spans(rec, u, v, ya, yb, width, spans)
        _adjoint_pair(rec, u, v, ya, yb, s, spans, slot)


@kernel(parallel=True, fast=True)
def composite_adjoint(
    lists: Lists, order: Array, grid: Grid, out: Images, v_out: Images, grads: Array, lanes: int
) -> None:
    """Adjoint of `composite`: fill the gradient slots [M, 12]."""
    for worker in prange(lanes):
        lane = np.int64(worker)
        s = np.empty(TILE_MAX * B_ROW, np.float32)
        spans = np.empty((2, TILE_MAX), np.int32)
        for turn in range((order.shape[0] + lanes - 1) // lanes):
            i = _turn(lane, lanes, turn)
            if i < order.shape[0]:
                tile = np.int64(order[i])
                c, x0, y0, width, height = _place(tile, grid, out.alpha)
                _load_tile(c, x0, y0, width, height, out, v_out, s)
                _adjoint_tile(
                    lists, lists.starts[tile], lists.starts[tile + 1], x0, y0, width, height, s, spans, grads
                )


class ScreenGrads(NamedTuple):
    """Sums of the slots."""

    means2d: Array  # [C, N, 2]
    absolute: Array  # [C, N, 2], or [0, 0, 2] if not wanted
    geom: Array  # [C, N, 4] conic, depth
    opacities: Array  # [1|C, N], zero at the start
    colors: Array  # [1|C, N, 3], zero at the start


@kernel()
def _gather_one(
    slots: Array, grads: Array, c: int, n: int, out: ScreenGrads, v_opacity: Array, v_color: Array
) -> None:
    count = out.means2d.shape[1]
    t0, t1, t2, t3, t4, t5 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    t6, t7, t8, t9, t10, t11 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for k in range(slots[c * count + n], slots[c * count + n + 1]):
        g = grads[k]
        t0, t1, t2, t3, t4, t5 = t0 + g[0], t1 + g[1], t2 + g[2], t3 + g[3], t4 + g[4], t5 + g[5]
        t6, t7, t8, t9, t10, t11 = t6 + g[6], t7 + g[7], t8 + g[8], t9 + g[9], t10 + g[10], t11 + g[11]
    out.means2d[c, n, 0], out.means2d[c, n, 1] = t0, t1
    out.geom[c, n, 0], out.geom[c, n, 1], out.geom[c, n, 2], out.geom[c, n, 3] = t2, t3, t4, t11
    v_opacity[n] += t5
    v_color[n, 0] += t8
    v_color[n, 1] += t9
    v_color[n, 2] += t10
    if out.absolute.shape[0] > 0:
        out.absolute[c, n, 0], out.absolute[c, n, 1] = t6, t7


@kernel(parallel=True)
def gather(slots: Array, grads: Array, out: ScreenGrads, lanes: int) -> None:
    """Sum every Gaussian's slots, in a fixed order."""
    cameras, count = out.means2d.shape[0], out.means2d.shape[1]
    for worker in prange(lanes):
        lane = np.int64(worker)
        for c in range(cameras):
            co = c if out.opacities.shape[0] > 1 else 0
            cc = c if out.colors.shape[0] > 1 else 0
            for n in range(count * lane // lanes, count * (lane + 1) // lanes):
                _gather_one(slots, grads, c, n, out, out.opacities[co], out.colors[cc])
