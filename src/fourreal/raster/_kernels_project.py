"""Numba kernels: EWA projection of 3D Gaussians to the screen.

Formulas: EWA splatting (Zwicker et al. 2001), 3D Gaussian splatting (Kerbl et al. 2023), their derivatives and the
0.15-image-size guard band of the Jacobian as in gsplat (arXiv 2409.06765); the opacity-aware radius is from
StopThePop (arXiv 2402.00525, B.2).
Work is cut into blocks of Gaussians; within a block the loop over cameras is outside, so that a camera's matrix stays
in registers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fourreal.core.kernels import Array, Flag, Index, Real, Share, kernel

from ._inputs import MEAN_MAX, QUAT_NORM2_MAX, QUAT_NORM2_MIN, SCALE_MAX, VALUE_MAX
from .base import ALPHA_MIN, EPS2D, FAR, NEAR

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
def rotation(w: Real, x: Real, y: Real, z: Real) -> tuple:
    return (
        ONE - TWO * (y * y + z * z), TWO * (x * y - w * z), TWO * (x * z + w * y),
        TWO * (x * y + w * z), ONE - TWO * (x * x + z * z), TWO * (y * z - w * x),
        TWO * (x * z - w * y), TWO * (y * z + w * x), ONE - TWO * (x * x + y * y),
    )  # fmt: skip


@kernel(inline=True)
def state(array: Array, c: Index) -> Index:
    """Index of camera c on a leading axis of 1 or C."""
    return c if array.shape[0] > 1 else 0


@kernel(inline=True)
def states(p: Params) -> Index:
    """1 if every parameter is shared by the cameras, else C."""
    return max(p.means.shape[0], p.quats.shape[0], p.scales.shape[0], p.opacities.shape[0], p.colors.shape[0])


@kernel()
def _drawable(p: Params, c: Index, n: Index) -> Flag:
    """Whether every parameter is finite and in range (comparisons with NaN are false)."""
    m, q, s = p.means[state(p.means, c), n], p.quats[state(p.quats, c), n], p.scales[state(p.scales, c), n]
    o, k = p.opacities[state(p.opacities, c), n], p.colors[state(p.colors, c), n]
    q2 = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]
    ok = abs(m[0]) <= _MEAN_MAX and abs(m[1]) <= _MEAN_MAX and abs(m[2]) <= _MEAN_MAX
    ok = ok and abs(s[0]) <= _SCALE_MAX and abs(s[1]) <= _SCALE_MAX and abs(s[2]) <= _SCALE_MAX
    ok = ok and q2 >= _QUAT2_MIN and q2 <= _QUAT2_MAX and o >= _ALPHA_MIN and o <= _HUGE
    return ok and abs(k[0]) <= _HUGE and abs(k[1]) <= _HUGE and abs(k[2]) <= _HUGE


@kernel()
def factors(p: Params, c: Index, first: Index, last: Index, out: Array) -> None:
    """Per Gaussian: M = R S (9 numbers; covariance = M M^T) and the extent in standard deviations, -1: not drawn."""
    quats, scales = p.quats[state(p.quats, c)], p.scales[state(p.scales, c)]
    opacities = p.opacities[state(p.opacities, c)]
    for n in range(first, last):
        i = n - first
        if not _drawable(p, c, n):
            out[i, 9] = -ONE
            continue
        w, x, y, z = quats[n, 0], quats[n, 1], quats[n, 2], quats[n, 3]
        inv = ONE / math.sqrt(w * w + x * x + y * y + z * z)
        r = rotation(w * inv, x * inv, y * inv, z * inv)
        s0, s1, s2 = scales[n, 0], scales[n, 1], scales[n, 2]
        out[i, 0], out[i, 1], out[i, 2] = r[0] * s0, r[1] * s1, r[2] * s2
        out[i, 3], out[i, 4], out[i, 5] = r[3] * s0, r[4] * s1, r[5] * s2
        out[i, 6], out[i, 7], out[i, 8] = r[6] * s0, r[7] * s1, r[8] * s2
        out[i, 9] = min(_SIGMAS, math.sqrt(max(ZERO, TWO * math.log(opacities[n] / _ALPHA_MIN))))


@kernel(inline=True)
def lens(cams: Cameras, c: Index) -> tuple:
    """fx, fy, cx, cy and the guard band of x/z and y/z."""
    k, width, height = cams.intrinsics[c], cams.size[0], cams.size[1]
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    gx, gy = _GUARD * width / fx, _GUARD * height / fy
    return fx, fy, cx, cy, -(cx / fx + gx), (width - cx) / fx + gx, -(cy / fy + gy), (height - cy) / fy + gy


@kernel(inline=True)
def to_camera(v: Array, x: Real, y: Real, z: Real) -> tuple:
    return (
        v[0, 0] * x + v[0, 1] * y + v[0, 2] * z + v[0, 3],
        v[1, 0] * x + v[1, 1] * y + v[1, 2] * z + v[1, 3],
        v[2, 0] * x + v[2, 1] * y + v[2, 2] * z + v[2, 3],
    )


@kernel(inline=True)
def screen_rows(v: Array, j00: Real, j02: Real, j11: Real, j12: Real) -> tuple:
    """The two rows of T = J W: derivative of the pixel by the world position."""
    return (
        j00 * v[0, 0] + j02 * v[2, 0], j00 * v[0, 1] + j02 * v[2, 1], j00 * v[0, 2] + j02 * v[2, 2],
        j11 * v[1, 0] + j12 * v[2, 0], j11 * v[1, 1] + j12 * v[2, 1], j11 * v[1, 2] + j12 * v[2, 2],
    )  # fmt: skip


@kernel(inline=True)
def row_times_m(a0: Real, a1: Real, a2: Real, m: Array) -> tuple:
    return (
        a0 * m[0] + a1 * m[3] + a2 * m[6],
        a0 * m[1] + a1 * m[4] + a2 * m[7],
        a0 * m[2] + a1 * m[5] + a2 * m[8],
    )


@kernel()
def _project_block(
    means: Array, cams: Cameras, c: Index, first: Index, factor: Array, radii: Array, means2d: Array, geom: Array
) -> None:
    """Project the Gaussians first <= n < first + len(radii) into camera c; radius 0 where one is not drawn."""
    v = cams.viewmats[c]
    fx, fy, cx, cy, x_low, x_high, y_low, y_high = lens(cams, c)
    width, height = cams.size[0], cams.size[1]
    for i in range(radii.shape[0]):
        radii[i, 0], radii[i, 1] = 0, 0
        means2d[i, 0], means2d[i, 1] = ZERO, ZERO
        extent = factor[i, 9]
        if extent < ZERO:
            continue
        n = first + i
        x, y, z = to_camera(v, means[n, 0], means[n, 1], means[n, 2])
        if not (z >= _NEAR and z <= _FAR):
            continue
        rz = ONE / z
        u, w = fx * x * rz + cx, fy * y * rz + cy
        tx, ty = min(x_high, max(x_low, x * rz)), min(y_high, max(y_low, y * rz))
        a0, a1, a2, b0, b1, b2 = screen_rows(v, fx * rz, -fx * tx * rz, fy * rz, -fy * ty * rz)
        p0, p1, p2 = row_times_m(a0, a1, a2, factor[i])
        q0, q1, q2 = row_times_m(b0, b1, b2, factor[i])
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


@kernel()
def project(p: Params, cams: Cameras, radii: Array, means2d: Array, geom: Array, share: Share) -> None:
    """Fill radii [C,N,2] (int32), means2d [C,N,2] and geom [C,N,4] (conic, depth; only where drawn)."""
    lane, lanes = share
    cameras, count = cams.viewmats.shape[0], p.means.shape[1]
    blocks = (count + BLOCK - 1) // BLOCK
    several = states(p) > 1
    factor = np.empty((BLOCK, 10), np.float32)
    for block in range(lane, blocks, lanes):
        first = block * BLOCK
        last = min(count, first + BLOCK)
        for c in range(cameras):
            if c == 0 or several:
                factors(p, c, first, last, factor)
            _project_block(
                p.means[state(p.means, c)], cams, c, first, factor,
                radii[c, first:last], means2d[c, first:last], geom[c, first:last],
            )  # fmt: skip
