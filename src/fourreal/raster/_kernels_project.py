"""Numba kernels: EWA projection of 3D Gaussians to the screen, and its hand-written adjoint.

Formulas: EWA splatting (Zwicker et al. 2001), 3D Gaussian splatting (Kerbl et al. 2023), their derivatives and the
0.15-image-size guard band of the Jacobian as in gsplat (arXiv 2409.06765); the opacity-aware radius is from
StopThePop (arXiv 2402.00525, B.2).
Work is cut into blocks of Gaussians; within a block the loop over cameras is outside, so that a camera's matrix stays in
registers. Sums over Gaussians (camera gradients) are kept per block, so results do not depend on the thread count.
"""
# ruff: noqa: PLR0915  (scalars stay in registers only if passed one by one; straight-line arithmetic)

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange

from ._inputs import MEAN_MAX, QUAT_NORM2_MAX, QUAT_NORM2_MIN, SCALE_MAX, VALUE_MAX
from ._jit import kernel
from .base import ALPHA_MIN, EPS2D, FAR, NEAR

Array = np.ndarray
f4 = np.float32
BLOCK = 256  # Gaussians of one block: their factors fit into the first-level cache
_NEAR, _FAR, _EPS, _ALPHA_MIN = f4(NEAR), f4(FAR), f4(EPS2D), f4(ALPHA_MIN)
_SIGMAS = f4(3.33)  # gsplat's largest extent in standard deviations
_GUARD = f4(0.15)  # of the image size beyond each border: where the Jacobian is clamped
_MEAN_MAX, _SCALE_MAX, _QUAT2_MIN, _QUAT2_MAX = (
    f4(MEAN_MAX),
    f4(SCALE_MAX),
    f4(QUAT_NORM2_MIN),
    f4(QUAT_NORM2_MAX),
)
_HUGE = f4(VALUE_MAX)
_RADIUS_MAX = f4(2**30)  # what is stored; larger ones cover the image anyway
ZERO, ONE, TWO = f4(0), f4(1), f4(2)


class Params(NamedTuple):
    """Gaussian parameters, each with a leading axis of 1 (shared) or C (one state a camera). float32, C-contiguous."""

    means: Array  # [1|C, N, 3]
    quats: Array  # [1|C, N, 4]
    scales: Array  # [1|C, N, 3]
    opacities: Array  # [1|C, N]
    colors: Array  # [1|C, N, 3]


class Cameras(NamedTuple):
    """Pinhole cameras. float32."""

    viewmats: Array  # [C, 4, 4]
    intrinsics: Array  # [C, 3, 3]
    size: Array  # [2] width, height


@kernel(inline=True)
def _rotation(w: float, x: float, y: float, z: float) -> tuple:
    return (
        ONE - TWO * (y * y + z * z), TWO * (x * y - w * z), TWO * (x * z + w * y),
        TWO * (x * y + w * z), ONE - TWO * (x * x + z * z), TWO * (y * z - w * x),
        TWO * (x * z - w * y), TWO * (y * z + w * x), ONE - TWO * (x * x + y * y),
    )  # fmt: skip


@kernel(inline=True)
def _state(array: Array, c: int) -> int:
    """Index of camera c on a leading axis of 1 or C."""
    return c if array.shape[0] > 1 else 0


@kernel()
def _drawable(p: Params, c: int, n: int) -> bool:
    """Whether every parameter is finite and in range (comparisons with NaN are false)."""
    m, q, s = p.means[_state(p.means, c), n], p.quats[_state(p.quats, c), n], p.scales[_state(p.scales, c), n]
    o, k = p.opacities[_state(p.opacities, c), n], p.colors[_state(p.colors, c), n]
    q2 = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]
    ok = abs(m[0]) <= _MEAN_MAX and abs(m[1]) <= _MEAN_MAX and abs(m[2]) <= _MEAN_MAX
    ok = ok and abs(s[0]) <= _SCALE_MAX and abs(s[1]) <= _SCALE_MAX and abs(s[2]) <= _SCALE_MAX
    ok = ok and q2 >= _QUAT2_MIN and q2 <= _QUAT2_MAX and o >= _ALPHA_MIN and o <= _HUGE
    return ok and abs(k[0]) <= _HUGE and abs(k[1]) <= _HUGE and abs(k[2]) <= _HUGE


@kernel()
def _factors(p: Params, c: int, first: int, last: int, out: Array) -> None:
    """Per Gaussian: M = R S (9 numbers; covariance = M M^T) and the extent in standard deviations, -1: not drawn."""
    quats, scales = p.quats[_state(p.quats, c)], p.scales[_state(p.scales, c)]
    opacities = p.opacities[_state(p.opacities, c)]
    for n in range(first, last):
        i = n - first
        if not _drawable(p, c, n):
            out[i, 9] = -ONE
            continue
        w, x, y, z = quats[n, 0], quats[n, 1], quats[n, 2], quats[n, 3]
        inv = ONE / math.sqrt(w * w + x * x + y * y + z * z)
        r = _rotation(w * inv, x * inv, y * inv, z * inv)
        s0, s1, s2 = scales[n, 0], scales[n, 1], scales[n, 2]
        out[i, 0], out[i, 1], out[i, 2] = r[0] * s0, r[1] * s1, r[2] * s2
        out[i, 3], out[i, 4], out[i, 5] = r[3] * s0, r[4] * s1, r[5] * s2
        out[i, 6], out[i, 7], out[i, 8] = r[6] * s0, r[7] * s1, r[8] * s2
        out[i, 9] = min(_SIGMAS, math.sqrt(max(ZERO, TWO * math.log(opacities[n] / _ALPHA_MIN))))


@kernel(inline=True)
def _lens(cams: Cameras, c: int) -> tuple:
    """fx, fy, cx, cy and the guard band of x/z and y/z."""
    k, width, height = cams.intrinsics[c], cams.size[0], cams.size[1]
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    gx, gy = _GUARD * width / fx, _GUARD * height / fy
    return fx, fy, cx, cy, -(cx / fx + gx), (width - cx) / fx + gx, -(cy / fy + gy), (height - cy) / fy + gy


@kernel(inline=True)
def _to_camera(v: Array, x: float, y: float, z: float) -> tuple:
    return (
        v[0, 0] * x + v[0, 1] * y + v[0, 2] * z + v[0, 3],
        v[1, 0] * x + v[1, 1] * y + v[1, 2] * z + v[1, 3],
        v[2, 0] * x + v[2, 1] * y + v[2, 2] * z + v[2, 3],
    )


@kernel(inline=True)
def _screen_rows(v: Array, j00: float, j02: float, j11: float, j12: float) -> tuple:
    """The two rows of T = J W: derivative of the pixel by the world position."""
    return (
        j00 * v[0, 0] + j02 * v[2, 0], j00 * v[0, 1] + j02 * v[2, 1], j00 * v[0, 2] + j02 * v[2, 2],
        j11 * v[1, 0] + j12 * v[2, 0], j11 * v[1, 1] + j12 * v[2, 1], j11 * v[1, 2] + j12 * v[2, 2],
    )  # fmt: skip


@kernel(inline=True)
def _row_times_m(a0: float, a1: float, a2: float, m: Array) -> tuple:
    return (
        a0 * m[0] + a1 * m[3] + a2 * m[6],
        a0 * m[1] + a1 * m[4] + a2 * m[7],
        a0 * m[2] + a1 * m[5] + a2 * m[8],
    )


@kernel()
def _project_block(
    means: Array, cams: Cameras, c: int, first: int, factors: Array, radii: Array, means2d: Array, geom: Array
) -> None:
    """Project the Gaussians first <= n < first + len(radii) into camera c; radius 0 where one is not drawn."""
    v = cams.viewmats[c]
    fx, fy, cx, cy, x_low, x_high, y_low, y_high = _lens(cams, c)
    width, height = cams.size[0], cams.size[1]
    for i in range(radii.shape[0]):
        radii[i, 0], radii[i, 1] = 0, 0
        means2d[i, 0], means2d[i, 1] = ZERO, ZERO
        extent = factors[i, 9]
        if extent < ZERO:
            continue
        n = first + i
        x, y, z = _to_camera(v, means[n, 0], means[n, 1], means[n, 2])
        if not (z >= _NEAR and z <= _FAR):
            continue
        rz = ONE / z
        u, w = fx * x * rz + cx, fy * y * rz + cy
        tx, ty = min(x_high, max(x_low, x * rz)), min(y_high, max(y_low, y * rz))
        a0, a1, a2, b0, b1, b2 = _screen_rows(v, fx * rz, -fx * tx * rz, fy * rz, -fy * ty * rz)
        p0, p1, p2 = _row_times_m(a0, a1, a2, factors[i])
        q0, q1, q2 = _row_times_m(b0, b1, b2, factors[i])
        c00 = _EPS + p0 * p0 + p1 * p1 + p2 * p2
        c01 = p0 * q0 + p1 * q1 + p2 * q2
        c11 = _EPS + q0 * q0 + q1 * q1 + q2 * q2
        det = c00 * c11 - c01 * c01
        if not (det > ZERO and c00 <= _HUGE and c11 <= _HUGE and det <= _HUGE):
            continue
        rx, ry = np.ceil(extent * math.sqrt(c00)), np.ceil(extent * math.sqrt(c11))
        if rx <= 0 or ry <= 0:
            continue
        if not (u + rx > ZERO and u - rx < width and w + ry > ZERO and w - ry < height):
            continue
        radii[i, 0], radii[i, 1] = np.int32(min(rx, _RADIUS_MAX)), np.int32(min(ry, _RADIUS_MAX))
        means2d[i, 0], means2d[i, 1] = u, w
        inv = ONE / det
        geom[i, 0], geom[i, 1], geom[i, 2], geom[i, 3] = c11 * inv, -c01 * inv, c00 * inv, z


@kernel(parallel=True)
def project(p: Params, cams: Cameras, radii: Array, means2d: Array, geom: Array, lanes: int) -> None:
    """Fill radii [C,N,2] (int32), means2d [C,N,2] and geom [C,N,4] (conic, depth; only where drawn)."""
    cameras, count = cams.viewmats.shape[0], p.means.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    states = max(
        p.means.shape[0], p.quats.shape[0], p.scales.shape[0], p.opacities.shape[0], p.colors.shape[0]
    )
    for lane in prange(lanes):
        factors = np.empty((BLOCK, 10), np.float32)
        for block in range(np.int64(lane), blocks, lanes):
            first = block * BLOCK
            last = min(count, first + BLOCK)
            for c in range(cameras):
                if c == 0 or states > 1:
                    _factors(p, c, first, last, factors)
                _project_block(
                    p.means[_state(p.means, c)], cams, c, first, factors,
                    radii[c, first:last], means2d[c, first:last], geom[c, first:last],
                )  # fmt: skip


class Upstream(NamedTuple):
    """Gradients that arrive at the projection."""

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
def _covariance_grad(a: float, b: float, d: float, va: float, vb: float, vd: float) -> tuple:
    """Adjoint of the 2x2 inverse: -K V K of the symmetric conic K = (a, b, d) and V = (va, vb/2, vd)."""
    h = f4(0.5) * vb
    m00, m01, m10, m11 = a * va + b * h, a * h + b * vd, b * va + d * h, b * h + d * vd
    return -(m00 * a + m01 * b), -(m00 * b + m01 * d), -(m10 * b + m11 * d)


@kernel()
def _adjoint_block(
    means: Array, cams: Cameras, c: int, first: int, up: Upstream, factors: Array, acc: Array, pose: Array
) -> None:
    """Add to acc[i, :3] the gradient of the mean, to acc[i, 3:12] that of M, to pose[12] that of the camera."""
    v = cams.viewmats[c]
    fx, fy, cx, cy, x_low, x_high, y_low, y_high = _lens(cams, c)
    g00, g01, g02, g03, g10, g11 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    g12, g13, g20, g21, g22, g23 = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for i in range(acc.shape[0]):
        n = first + i
        if up.radii[c, n, 0] <= 0:
            continue
        mx, my, mz = means[n, 0], means[n, 1], means[n, 2]
        x, y, z = _to_camera(v, mx, my, mz)
        rz = ONE / z
        xr, yr = x * rz, y * rz
        tx, ty = min(x_high, max(x_low, xr)), min(y_high, max(y_low, yr))
        j00, j02, j11, j12 = fx * rz, -fx * tx * rz, fy * rz, -fy * ty * rz
        a0, a1, a2, b0, b1, b2 = _screen_rows(v, j00, j02, j11, j12)
        m = factors[i]
        p0, p1, p2 = _row_times_m(a0, a1, a2, m)
        q0, q1, q2 = _row_times_m(b0, b1, b2, m)
        k, vk = up.geom[c, n], up.v_geom[c, n]
        c00, c01, c11 = _covariance_grad(k[0], k[1], k[2], vk[0], vk[1], vk[2])
        # covariance = P P^T with P = T M: dP = 2 dC P, dT = dP M^T, dM = T^T dP
        s0, s1, s2 = TWO * (c00 * p0 + c01 * q0), TWO * (c00 * p1 + c01 * q1), TWO * (c00 * p2 + c01 * q2)
        t0, t1, t2 = TWO * (c01 * p0 + c11 * q0), TWO * (c01 * p1 + c11 * q1), TWO * (c01 * p2 + c11 * q2)
        e0, e1, e2 = (
            m[0] * s0 + m[1] * s1 + m[2] * s2,
            m[3] * s0 + m[4] * s1 + m[5] * s2,
            m[6] * s0 + m[7] * s1 + m[8] * s2,
        )
        h0, h1, h2 = (
            m[0] * t0 + m[1] * t1 + m[2] * t2,
            m[3] * t0 + m[4] * t1 + m[5] * t2,
            m[6] * t0 + m[7] * t1 + m[8] * t2,
        )
        out = acc[i]
        out[3] += a0 * s0 + b0 * t0
        out[4] += a0 * s1 + b0 * t1
        out[5] += a0 * s2 + b0 * t2
        out[6] += a1 * s0 + b1 * t0
        out[7] += a1 * s1 + b1 * t1
        out[8] += a1 * s2 + b1 * t2
        out[9] += a2 * s0 + b2 * t0
        out[10] += a2 * s1 + b2 * t1
        out[11] += a2 * s2 + b2 * t2
        v00 = e0 * v[0, 0] + e1 * v[0, 1] + e2 * v[0, 2]
        v02 = e0 * v[2, 0] + e1 * v[2, 1] + e2 * v[2, 2]
        v11 = h0 * v[1, 0] + h1 * v[1, 1] + h2 * v[1, 2]
        v12 = h0 * v[2, 0] + h1 * v[2, 1] + h2 * v[2, 2]
        gu, gw = up.v_means2d[c, n, 0], up.v_means2d[c, n, 1]
        vx, vy = fx * rz * gu, fy * rz * gw
        rz2 = rz * rz
        vz = vk[3] - (fx * x * gu + fy * y * gw) * rz2
        vz += rz2 * (TWO * (fx * tx * v02 + fy * ty * v12) - fx * v00 - fy * v11)
        # Inside the guard band the clamped slope follows x/z; outside it is a constant.
        if tx == xr:
            vx -= fx * rz2 * v02
        else:
            vz -= fx * rz2 * v02 * tx
        if ty == yr:
            vy -= fy * rz2 * v12
        else:
            vz -= fy * rz2 * v12 * ty
        out[0] += v[0, 0] * vx + v[1, 0] * vy + v[2, 0] * vz
        out[1] += v[0, 1] * vx + v[1, 1] * vy + v[2, 1] * vz
        out[2] += v[0, 2] * vx + v[1, 2] * vy + v[2, 2] * vz
        g00 += j00 * e0 + vx * mx
        g01 += j00 * e1 + vx * my
        g02 += j00 * e2 + vx * mz
        g03 += vx
        g10 += j11 * h0 + vy * mx
        g11 += j11 * h1 + vy * my
        g12 += j11 * h2 + vy * mz
        g13 += vy
        g20 += j02 * e0 + j12 * h0 + vz * mx
        g21 += j02 * e1 + j12 * h1 + vz * my
        g22 += j02 * e2 + j12 * h2 + vz * mz
        g23 += vz
    pose[0], pose[1], pose[2], pose[3], pose[4], pose[5] = g00, g01, g02, g03, g10, g11
    pose[6], pose[7], pose[8], pose[9], pose[10], pose[11] = g12, g13, g20, g21, g22, g23


@kernel()
def _shape_grads(q: Array, s: Array, vm: Array, out_q: Array, out_s: Array) -> None:
    """Add the gradients of one quaternion (any norm) and scale from that of M = R(q/|q|) S, row by row in vm[9]."""
    inv = ONE / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    w, x, y, z = q[0] * inv, q[1] * inv, q[2] * inv, q[3] * inv
    r = _rotation(w, x, y, z)
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
def _flush(p: Params, c: int, first: int, factors: Array, acc: Array, grads: ParamGrads) -> None:
    """Turn a block's sums into gradients of means, quats and scales, and reset them."""
    cm, cq, cs = _state(p.means, c), _state(p.quats, c), _state(p.scales, c)
    for i in range(acc.shape[0]):
        if factors[i, 9] >= ZERO:
            n = first + i
            for k in range(3):
                grads.means[cm, n, k] += acc[i, k]
            _shape_grads(p.quats[cq, n], p.scales[cs, n], acc[i, 3:], grads.quats[cq, n], grads.scales[cs, n])
        for k in range(12):
            acc[i, k] = ZERO


@kernel(parallel=True)
def project_adjoint(p: Params, cams: Cameras, up: Upstream, grads: ParamGrads, lanes: int) -> None:
    """Adjoint of `project`."""
    cameras, count = cams.viewmats.shape[0], p.means.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    states = max(
        p.means.shape[0], p.quats.shape[0], p.scales.shape[0], p.opacities.shape[0], p.colors.shape[0]
    )
    for lane in prange(lanes):
        factors = np.empty((BLOCK, 10), np.float32)
        sums = np.zeros((BLOCK, 12), np.float32)
        for block in range(np.int64(lane), blocks, lanes):
            first = block * BLOCK
            last = min(count, first + BLOCK)
            acc = sums[: last - first]
            for c in range(cameras):
                if c == 0 or states > 1:
                    _factors(p, c, first, last, factors)
                _adjoint_block(
                    p.means[_state(p.means, c)], cams, c, first, up, factors, acc, grads.cameras[block, c]
                )
                if c == cameras - 1 or states > 1:
                    _flush(p, c, first, factors, acc, grads)
