"""Numba kernels: the hand-written adjoint of the projection, in the notation of `_kernels_project`.

With T = J W (2x3), M = R S and P = T M the screen covariance is P P^T + eps I; so dP = 2 dC P, dT = dP M^T, dM = T^T dP
(derivatives as in gsplat, arXiv 2409.06765). Sums over Gaussians (the cameras' gradients) are kept per block and in
float64: they are the same for any number of threads.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fourreal.core.kernels import Array, Index, Real, Share, kernel

from ._kernels_project import (
    BLOCK,
    ONE,
    TWO,
    ZERO,
    Cameras,
    Params,
    factors,
    lens,
    rotation,
    row_times_m,
    screen_rows,
    state,
    states,
    to_camera,
)

f4, f8 = np.float32, np.float64


class Upstream(NamedTuple):
    """Gradients that arrive at the projection, and what it saved."""

    radii: Array  # [C, N, 2] int32
    geom: Array  # [C, N, 4] conic, depth
    v_means2d: Array  # [C, N, 2]
    v_geom: Array  # [C, N, 4]


class ParamGrads(NamedTuple):
    """Gradients of the projection's inputs, zero at the start."""

    means: Array
    quats: Array
    scales: Array
    cameras: Array  # [blocks, C, 12] float64: rows of the top 3x4 part, summed over the Gaussians of a block


@kernel(inline=True)
def _factor_grad(k: Array, v: Array, p: tuple, q: tuple) -> tuple:
    """dP = 2 dC P with dC = -K V K, the adjoint of the 2x2 inverse, for K = (k0, k1, k2), V = (v0, v1 / 2, v2).

    In float64: along a needle both products cancel.
    """
    a, b, d = f8(k[0]), f8(k[1]), f8(k[2])
    va, h, vd = f8(v[0]), f8(0.5) * v[1], f8(v[2])
    m00, m01, m10, m11 = a * va + b * h, a * h + b * vd, b * va + d * h, b * h + d * vd
    c00, c01, c11 = -f8(2) * (m00 * a + m01 * b), -f8(2) * (m00 * b + m01 * d), -f8(2) * (m10 * b + m11 * d)
    return (
        (f4(c00 * p[0] + c01 * q[0]), f4(c00 * p[1] + c01 * q[1]), f4(c00 * p[2] + c01 * q[2])),
        (f4(c01 * p[0] + c11 * q[0]), f4(c01 * p[1] + c11 * q[1]), f4(c01 * p[2] + c11 * q[2])),
    )


@kernel(inline=True)
def _times_m_transposed(m: Array, s: tuple) -> tuple:
    return (
        m[0] * s[0] + m[1] * s[1] + m[2] * s[2],
        m[3] * s[0] + m[4] * s[1] + m[5] * s[2],
        m[6] * s[0] + m[7] * s[1] + m[8] * s[2],
    )


@kernel(inline=True)
def _dot(a: tuple, row: Array) -> Real:
    return a[0] * row[0] + a[1] * row[1] + a[2] * row[2]


@kernel(inline=True)
def _add_shape(out: Array, rows: tuple, s: tuple, t: tuple) -> None:
    """out[3:12] += T^T dP, row by row."""
    a0, a1, a2, b0, b1, b2 = rows
    for k in range(3):
        out[3 + k] += a0 * s[k] + b0 * t[k]
        out[6 + k] += a1 * s[k] + b1 * t[k]
        out[9 + k] += a2 * s[k] + b2 * t[k]


@kernel(inline=True)
def _add_pose(pose: Array, jacobian: tuple, e: tuple, h: tuple, v: tuple, mean: Array) -> None:
    """pose[12] += gradient of the camera: J^T dT for the rotation, dx m^T for what moves the mean."""
    j00, j02, j11, j12 = jacobian
    for k in range(3):
        pose[k] += j00 * e[k] + v[0] * mean[k]
        pose[4 + k] += j11 * h[k] + v[1] * mean[k]
        pose[8 + k] += j02 * e[k] + j12 * h[k] + v[2] * mean[k]
    pose[3] += v[0]
    pose[7] += v[1]
    pose[11] += v[2]


@kernel(inline=True)
def _mean_grad(at: tuple, slopes: tuple, fx: Real, fy: Real, v_pixel: Array, v_j: tuple) -> tuple:
    """Gradient of the camera-space mean `at`, without the direct path of its depth."""
    x, y, z = at
    tx, ty = slopes
    v00, v02, v11, v12 = v_j
    rz = ONE / z
    rz2 = rz * rz
    vx, vy = fx * rz * v_pixel[0], fy * rz * v_pixel[1]
    vz = -(fx * x * v_pixel[0] + fy * y * v_pixel[1]) * rz2
    vz += rz2 * (TWO * (fx * tx * v02 + fy * ty * v12) - fx * v00 - fy * v11)
    # Inside the guard band the slope follows x / z; outside it is a constant.
    if tx == x * rz:
        vx -= fx * rz2 * v02
    else:
        vz -= fx * rz2 * v02 * tx
    if ty == y * rz:
        vy -= fy * rz2 * v12
    else:
        vz -= fy * rz2 * v12 * ty
    return vx, vy, vz


@kernel()
def _adjoint_block(
    means: Array, cams: Cameras, c: Index, first: Index, up: Upstream, factor: Array, acc: Array, pose: Array
) -> None:
    """Add to acc[i, :3] the gradient of the mean, to acc[i, 3:12] that of M, to pose[12] that of the camera."""
    view = cams.viewmats[c]
    fx, fy, _, _, x_low, x_high, y_low, y_high = lens(cams, c)
    for i in range(acc.shape[0]):
        n = first + i
        if up.radii[c, n, 0] <= 0:
            continue
        at = to_camera(view, means[n, 0], means[n, 1], means[n, 2])
        rz = ONE / at[2]
        tx, ty = min(x_high, max(x_low, at[0] * rz)), min(y_high, max(y_low, at[1] * rz))
        jacobian = (fx * rz, -fx * tx * rz, fy * rz, -fy * ty * rz)
        rows = screen_rows(view, jacobian[0], jacobian[1], jacobian[2], jacobian[3])
        m = factor[i]
        p = row_times_m(rows[0], rows[1], rows[2], m)
        q = row_times_m(rows[3], rows[4], rows[5], m)
        s, t = _factor_grad(up.geom[c, n], up.v_geom[c, n], p, q)
        _add_shape(acc[i], rows, s, t)
        e, h = _times_m_transposed(m, s), _times_m_transposed(m, t)
        v_j = (_dot(e, view[0]), _dot(e, view[2]), _dot(h, view[1]), _dot(h, view[2]))
        vx, vy, vz = _mean_grad(at, (tx, ty), fx, fy, up.v_means2d[c, n], v_j)
        vz += up.v_geom[c, n, 3]
        for k in range(3):
            acc[i, k] += view[0, k] * vx + view[1, k] * vy + view[2, k] * vz
        _add_pose(pose, jacobian, e, h, (vx, vy, vz), means[n])


@kernel()
def _shape_grads(q: Array, s: Array, vm: Array, out_q: Array, out_s: Array) -> None:
    """Add the gradients of one quaternion (any norm) and scale from that of M = R(q/|q|) S, row by row in vm[9]."""
    inv = ONE / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    w, x, y, z = q[0] * inv, q[1] * inv, q[2] * inv, q[3] * inv
    r = rotation(w, x, y, z)
    out_s[0] += vm[0] * r[0] + vm[3] * r[3] + vm[6] * r[6]
    out_s[1] += vm[1] * r[1] + vm[4] * r[4] + vm[7] * r[7]
    out_s[2] += vm[2] * r[2] + vm[5] * r[5] + vm[8] * r[8]
    v0, v1, v2 = vm[0] * s[0], vm[1] * s[1], vm[2] * s[2]
    v3, v4, v5 = vm[3] * s[0], vm[4] * s[1], vm[5] * s[2]
    v6, v7, v8 = vm[6] * s[0], vm[7] * s[1], vm[8] * s[2]
    gw = TWO * (x * (v7 - v5) + y * (v2 - v6) + z * (v3 - v1))
    gx = TWO * (-TWO * x * (v4 + v8) + y * (v1 + v3) + z * (v2 + v6) + w * (v7 - v5))
    gy = TWO * (x * (v1 + v3) - TWO * y * (v0 + v8) + z * (v5 + v7) + w * (v2 - v6))
    gz = TWO * (x * (v2 + v6) + y * (v5 + v7) - TWO * z * (v0 + v4) + w * (v3 - v1))
    along = gw * w + gx * x + gy * y + gz * z
    out_q[0] += (gw - along * w) * inv
    out_q[1] += (gx - along * x) * inv
    out_q[2] += (gy - along * y) * inv
    out_q[3] += (gz - along * z) * inv


@kernel()
def _flush(p: Params, c: Index, first: Index, factor: Array, acc: Array, grads: ParamGrads) -> None:
    """Turn a block's sums into gradients of means, quats and scales, and reset them."""
    cm, cq, cs = state(p.means, c), state(p.quats, c), state(p.scales, c)
    for i in range(acc.shape[0]):
        if factor[i, 9] >= ZERO:
            n = first + i
            for k in range(3):
                grads.means[cm, n, k] += acc[i, k]
            _shape_grads(p.quats[cq, n], p.scales[cs, n], acc[i, 3:], grads.quats[cq, n], grads.scales[cs, n])
        for k in range(12):
            acc[i, k] = ZERO


@kernel()
def project_adjoint(p: Params, cams: Cameras, up: Upstream, grads: ParamGrads, share: Share) -> None:
    """Adjoint of `project`."""
    lane, lanes = share
    cameras, count = cams.viewmats.shape[0], p.means.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    several = states(p) > 1
    factor = np.empty((BLOCK, 10), np.float32)
    sums = np.zeros((BLOCK, 12), np.float32)
    for block in range(lane, blocks, lanes):
        first = block * BLOCK
        last = min(count, first + BLOCK)
        acc = sums[: last - first]
        for c in range(cameras):
            if c == 0 or several:
                factors(p, c, first, last, factor)
            _adjoint_block(p.means[state(p.means, c)], cams, c, first, up, factor, acc, grads.cameras[block, c])
            if c == cameras - 1 or several:
                _flush(p, c, first, factor, acc, grads)
