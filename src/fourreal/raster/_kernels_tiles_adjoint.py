"""Numba kernels: the hand-written adjoint of the compositing, and the sum of its gradient slots.

The adjoint also runs front to back, repeating the forward's arithmetic exactly, with one running scalar per pixel, the
part of <gradient, pixel> that lies behind the current Gaussian:
R = g . C - g_alpha T_end at the start;  R -= (g . c) alpha T;  dL/dalpha = T (g . c) - R / (1 - alpha).
The per-pixel loop stores, the loop after it only sums: mixed, LLVM would not turn them into vector instructions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fourreal.core.kernels import Array, Index, Real, Share, kernel

from ._kernels_bin import BLUE, CA, CB, CC, DEPTH, GREEN, OP, RED, Grid, Lists, U, V
from ._kernels_tiles import (
    A_MAX,
    A_MIN,
    CHECK,
    HALF,
    ONE,
    P1,
    P2,
    P3,
    P4,
    P5,
    PITCH,
    S_MAX,
    T_MIN,
    TILE_MAX,
    ZERO,
    Images,
    Scratch,
    Tile,
    deal,
    exp_neg,
    f4,
    find_spans,
    live_rows,
    place,
    u8,
)

SLOT = 12  # gradients of a (tile, Gaussian) pair
# Planes of a row: transmittance, R, gradients of r, g, b, depth; then per pixel of the row dL/dsigma and weight.
B_ROW = 8 * PITCH
P6, P7 = u8(6 * PITCH), u8(7 * PITCH)


@kernel(fast=True)
def _adjoint_row(s: Array, at: Index, runs: Index, dx0: Real, dy: Real, rec: tuple) -> None:
    """Repeat the forward over 8 * runs pixels; leave each one's dL/dsigma and weight in the last two planes."""
    a, b, d, opacity, red, green, blue, depth = rec
    e0, e1, e2 = HALF * d * dy * dy, b * dy, HALF * a
    for run in range(runs):
        dx_run, at_run = dx0 - f4(8 * run), at + u8(8 * run)
        for lane in range(8):
            i = at_run + u8(lane)
            dx = dx_run - f4(lane)
            sigma = e0 + dx * (e1 + e2 * dx)
            raw = opacity * exp_neg(min(sigma, S_MAX))
            alpha = min(A_MAX, raw)
            alpha = alpha if (sigma >= ZERO) & (alpha >= A_MIN) else ZERO
            before = s[i]
            through = ONE - alpha
            after = before * through
            live = after > T_MIN
            weight = alpha * before if live else ZERO
            g = s[i + P2] * red + s[i + P3] * green + s[i + P4] * blue + s[i + P5] * depth
            rest = s[i + P1] - g * weight
            v_alpha = before * g - rest / through
            v_alpha = v_alpha if (weight > ZERO) & (raw <= A_MAX) else ZERO
            s[i] = after if live else ZERO
            s[i + P1] = rest
            s[i + P6] = -raw * v_alpha
            s[i + P7] = weight


@kernel(fast=True)
def _sum_row(s: Array, at: Index, runs: Index, dx0: Real, dy: Real, conic: tuple) -> tuple:
    """Sums over a row: dL/dsigma and its moments, the absolute screen gradient, weight times pixel gradients."""
    a, b, d = conic
    b_dy, d_dy = b * dy, d * dy
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
        ay += abs(vs * (b * dx + d_dy))
        c0 += weight * s[i + P2]
        c1 += weight * s[i + P3]
        c2 += weight * s[i + P4]
        c3 += weight * s[i + P5]
    return m0, m1, m2, ax, ay, c0, c1, c2, c3


@kernel(fast=True)
def _adjoint_pair(rec: Array, tile: Tile, y0: Index, y1: Index, work: Scratch, slot: Array) -> None:
    """Gradients of one (tile, Gaussian) pair: mean2d (2), conic (3), opacity, |mean2d| (2), colour (3), depth."""
    a, b, d = rec[CA], rec[CB], rec[CC]
    pack = (a, b, d, rec[OP], rec[RED], rec[GREEN], rec[BLUE], rec[DEPTH])
    u, v = rec[U] - f4(tile.x) - HALF, rec[V] - f4(tile.y) - HALF
    m0, mx, my, mxx, mxy, myy = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    ax, ay, c0, c1, c2, c3 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for y in range(y0, y1):
        x, runs = work.spans[0, y], work.spans[1, y]
        if runs > 0:
            at, dx0, dy = u8(y * B_ROW + x), u - f4(x), v - f4(y)
            _adjoint_row(work.state, at, runs, dx0, dy, pack)
            n0, n1, n2, bx, by, d0, d1, d2, d3 = _sum_row(work.state, at, runs, dx0, dy, (a, b, d))
            m0, mx, my = m0 + n0, mx + n1, my + n0 * dy
            mxx, mxy, myy = mxx + n2, mxy + n1 * dy, myy + n0 * dy * dy
            ax, ay, c0, c1, c2, c3 = ax + bx, ay + by, c0 + d0, c1 + d1, c2 + d2, c3 + d3
    slot[0], slot[1] = a * mx + b * my, b * mx + d * my
    slot[2], slot[3], slot[4] = HALF * mxx, mxy, HALF * myy
    slot[5], slot[6], slot[7] = -m0 / rec[OP], ax, ay
    slot[8], slot[9], slot[10], slot[11] = c0, c1, c2, c3


@kernel(fast=True)
def _load_tile(tile: Tile, out: Images, v_out: Images, s: Array) -> None:
    """Fill the adjoint's planes: T = 1, R = g . C - g_alpha T_end, g."""
    c, x0 = tile.camera, tile.x
    s[: tile.height * B_ROW] = ZERO
    for y in range(tile.height):
        yi = tile.y + y
        row = s[y * B_ROW : (y + 1) * B_ROW]
        row[: tile.width] = ONE
        for x in range(tile.width):
            g = v_out.depth[c, 0, yi, x0 + x]
            end = ONE - out.alpha[c, 0, yi, x0 + x]
            row[PITCH + x] = g * out.depth[c, 0, yi, x0 + x] - v_out.alpha[c, 0, yi, x0 + x] * end
            row[5 * PITCH + x] = g
        for k in range(3):
            for x in range(tile.width):
                g = v_out.color[c, k, yi, x0 + x]
                row[PITCH + x] += g * out.color[c, k, yi, x0 + x]
                row[(2 + k) * PITCH + x] = g


@kernel(fast=True)
def _adjoint_tile(lists: Lists, first: Index, last: Index, tile: Tile, work: Scratch, grads: Array) -> None:
    top, bottom = 0, tile.height
    for pair in range(first, last):
        slot = grads[lists.pairs[pair, 1]]
        if (pair - first) % CHECK == CHECK - 1:
            top, bottom = live_rows(work.state, B_ROW, top, bottom)
        if top == bottom:
            slot[:] = ZERO
            continue
        rec = lists.records[lists.pairs[pair, 0]]
        y0, y1 = find_spans(rec, tile, top, bottom, work.spans)
        _adjoint_pair(rec, tile, y0, y1, work, slot)


@kernel(fast=True)
def composite_adjoint(
    lists: Lists, order: Array, grid: Grid, out: Images, v_out: Images, grads: Array, share: Share
) -> None:
    """Adjoint of `composite`: fill the gradient slots [M, 12]."""
    lane, lanes = share
    work = Scratch(np.empty(TILE_MAX * B_ROW, np.float32), np.empty((2, TILE_MAX), np.int32))
    for turn in range((order.shape[0] + lanes - 1) // lanes):
        i = deal(lane, lanes, turn)
        if i < order.shape[0]:
            number = np.int64(order[i])
            tile = place(number, grid, out.alpha)
            _load_tile(tile, out, v_out, work.state)
            _adjoint_tile(lists, lists.starts[number], lists.starts[number + 1], tile, work, grads)


class ScreenGrads(NamedTuple):
    """Sums of the slots."""

    means2d: Array  # [C, N, 2]
    absolute: Array  # [C, N, 2], or [0, 0, 2] if not wanted
    geom: Array  # [C, N, 4] conic, depth
    opacities: Array  # [1|C, N], zero at the start
    colors: Array  # [1|C, N, 3], zero at the start


@kernel()
def _gather_one(
    slots: Array, grads: Array, c: Index, n: Index, out: ScreenGrads, v_opacity: Array, v_color: Array
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


@kernel()
def gather(slots: Array, grads: Array, out: ScreenGrads, share: Share) -> None:
    """Sum every Gaussian's slots, in a fixed order."""
    lane, lanes = share
    cameras, count = out.means2d.shape[0], out.means2d.shape[1]
    for c in range(cameras):
        co = c if out.opacities.shape[0] > 1 else 0
        cc = c if out.colors.shape[0] > 1 else 0
        for n in range(count * lane // lanes, count * (lane + 1) // lanes):
            _gather_one(slots, grads, c, n, out, out.opacities[co], out.colors[cc])
