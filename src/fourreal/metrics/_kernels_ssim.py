"""Numba kernel: SSIM of planes and its gradient, in one pass over each plane while it lies in the cache.

With the blurred moments m_x, m_y, m_xx, m_yy, m_xy the similarity is a quotient of products; its derivatives by m_x,
m_xx and m_xy are blurred once more (the window is symmetric): dS/dx = B[d_x] + 2 x B[d_xx] + y B[d_xy].
"""

from __future__ import annotations

import numpy as np

from fourreal.core.kernels import Array, Index, Real, Share, kernel

HALF = 5  # pixels of the window on each side


@kernel(fast=True)
def _blur_row(line: Array, w: Array, out: Array) -> None:
    """out[x] = sum_k w[|k|] line[x + 5 + k]; `line` has five zeros before and behind."""
    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
    for x in range(out.shape[0]):
        out[x] = (
            w0 * line[x + 5]
            + w1 * (line[x + 4] + line[x + 6])
            + w2 * (line[x + 3] + line[x + 7])
            + w3 * (line[x + 2] + line[x + 8])
            + w4 * (line[x + 1] + line[x + 9])
            + w5 * (line[x] + line[x + 10])
        )


@kernel(fast=True)
def _blur_column(rows: Array, y: Index, w: Array, out: Array) -> None:
    """The same down the rows y .. y + 10 of `rows`, of which five before and behind the plane are zero."""
    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
    r0, r1, r2, r3, r4, r5 = rows[y], rows[y + 1], rows[y + 2], rows[y + 3], rows[y + 4], rows[y + 5]
    r6, r7, r8, r9, r10 = rows[y + 6], rows[y + 7], rows[y + 8], rows[y + 9], rows[y + 10]
    for x in range(out.shape[0]):
        out[x] = (
            w0 * r5[x]
            + w1 * (r4[x] + r6[x])
            + w2 * (r3[x] + r7[x])
            + w3 * (r2[x] + r8[x])
            + w4 * (r1[x] + r9[x])
            + w5 * (r0[x] + r10[x])
        )


@kernel()
def _compare_row(m: Array, c: Array, v: Array, out: Array) -> None:
    """The similarity along a row of moments m [5, W] into out [W]; its derivatives by m_x, m_xx, m_xy into v [3, W].

    Not `fast`: numerator and denominator are differences that must round alike where the pictures are alike.
    """
    mx, my, mxx, myy, mxy = m[0], m[1], m[2], m[3], m[4]
    vx, vxx, vxy = v[0], v[1], v[2]
    c1, c2 = c[0], c[1]
    for x in range(mx.shape[0]):
        a, b = mx[x], my[x]
        ab, aa, bb = a * b, a * a, b * b
        p, r = (ab + ab) + c1, (aa + bb) + c1
        q = mxy[x] - ab
        q, s = (q + q) + c2, ((mxx[x] - aa) + (myy[x] - bb)) + c2
        slope = p / (r * s)  # half of dS/dm_xy
        value = (p * q) / (r * s)
        out[x] = value
        fall = -value / s  # dS/dm_xx
        vxx[x] = fall
        vxy[x] = slope + slope
        half = b * (q - p) / (r * s) - a * value / r - a * fall
        vx[x] = half + half


@kernel(fast=True)
def _total(row: Array) -> Real:
    total = row[0]
    for x in range(1, row.shape[0]):
        total += row[x]
    return total


@kernel(fast=True)
def _compare_plane(image: Array, truth: Array, w: Array, c: Array, work: tuple, grad: Array) -> Real:
    """The sum of the similarity over a plane; its gradient by `image` into `grad`, if that is not empty."""
    line, rows, moments, slopes = work
    height, width = image.shape
    for y in range(height):
        a, b = image[y], truth[y]
        l0, l1, l2, l3, l4 = line[0], line[1], line[2], line[3], line[4]
        for x in range(width):
            l0[x + HALF], l1[x + HALF] = a[x], b[x]
            l2[x + HALF], l3[x + HALF], l4[x + HALF] = a[x] * a[x], b[x] * b[x], a[x] * b[x]
        for k in range(5):
            _blur_row(line[k], w, rows[k, y + HALF])
    total = np.float64(0)
    for y in range(height):
        for k in range(5):
            _blur_column(rows[k], y, w, moments[k])
        _compare_row(moments, c, slopes[:, y, HALF : HALF + width], moments[5])
        total += _total(moments[5])
    if grad.shape[0] > 0:
        _add_slopes(image, truth, w, work, grad)
    return total


@kernel(fast=True)
def _add_slopes(image: Array, truth: Array, w: Array, work: tuple, grad: Array) -> None:
    """The gradient from the derivatives by the moments, which are blurred."""
    _, rows, moments, slopes = work
    height, width = image.shape
    for y in range(height):
        for k in range(3):
            _blur_row(slopes[k, y], w, rows[k, y + HALF])
    for y in range(height):
        for k in range(3):
            _blur_column(rows[k], y, w, moments[k])
        a, b, out, m0, m1, m2 = image[y], truth[y], grad[y], moments[0], moments[1], moments[2]
        for x in range(width):
            out[x] = m0[x] + (a[x] + a[x]) * m1[x] + b[x] * m2[x]


@kernel(fast=True)
def compare(image: Array, truth: Array, w: Array, c: Array, sums: Array, grads: Array, share: Share) -> None:
    """Fill sums [P], the similarity of each plane of image, truth [P, H, W] summed over its pixels.

    w [6]: the window's weights from its middle outwards; c [2]: the constants C1, C2; grads [P, H, W]: the
    gradients of the sums by `image`, or [P, 0, 0] if not wanted. All of one floating type.
    """
    lane, lanes = share
    planes, height, width = image.shape
    work = (
        np.zeros((5, width + 2 * HALF), image.dtype),
        np.zeros((5, height + 2 * HALF, width), image.dtype),
        np.zeros((6, width), image.dtype),
        np.zeros((3, height, width + 2 * HALF), image.dtype),
    )
    for plane in range(lane, planes, lanes):
        sums[plane] = _compare_plane(image[plane], truth[plane], w, c, work, grads[plane])
