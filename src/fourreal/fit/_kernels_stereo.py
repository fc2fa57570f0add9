"""Numba kernels of the depth maps: matching costs of a plane sweep, their aggregation, agreement between views.

Volumes are [rows, columns, planes]. Every lane takes its own rows (or, when paths are walked, its own views).
"""

from __future__ import annotations

import math

import numpy as np

from fourreal.core.kernels import Array, Index, Real, Share, kernel

f4 = np.float32
_UNSEEN = 0.02  # what a point costs for each share of the pictures that do not show it, on top of the others' costs


@kernel(fast=True, inline=True)
def _difference(one: Array, y: Index, x: Index, other: Array, v: Real, u: Real, cap: Real) -> Real:
    """Mean absolute difference of the channels of pixel (y, x) and of `other` at (v, u), bilinear, at most `cap`."""
    height, width, channels = other.shape
    fy, fx = math.floor(v - f4(0.5)), math.floor(u - f4(0.5))
    wy, wx = v - f4(0.5) - f4(fy), u - f4(0.5) - f4(fx)
    top, left = max(int(fy), 0), max(int(fx), 0)
    low, right = min(int(fy) + 1, height - 1), min(int(fx) + 1, width - 1)
    total = f4(0)
    for c in range(channels):
        upper = other[top, left, c] * (f4(1) - wx) + other[top, right, c] * wx
        lower = other[low, left, c] * (f4(1) - wx) + other[low, right, c] * wx
        total += abs(upper * (f4(1) - wy) + lower * wy - one[y, x, c])
    return min(total / f4(channels), cap)


@kernel(fast=True)
def match(
    own: Array, others: Array, turns: Array, shifts: Array, planes: Array, cap: Real, cost: Array, share: Share
) -> None:
    """`cost` [h, w, D]: mean difference to the better half of the other pictures, at each plane's disparity.

    own [h, w, C]; others [n, h, w, C]; turns [n, 3, 3] and shifts [n, 3]: pixel (u, v, 1) at disparity d is at
    turn (u, v, 1) + d shift there.
    """
    height, width, count = cost.shape
    found = np.empty(len(others), dtype=np.float32)
    for y in range(share[0], height, share[1]):
        for x in range(width):
            u, v = f4(x) + f4(0.5), f4(y) + f4(0.5)
            for d in range(count):
                seen = 0
                for n in range(len(others)):
                    t, s = turns[n], shifts[n]
                    z = t[2, 0] * u + t[2, 1] * v + t[2, 2] + planes[d] * s[2]
                    if z <= f4(1e-6):
                        continue
                    there_u = (t[0, 0] * u + t[0, 1] * v + t[0, 2] + planes[d] * s[0]) / z
                    there_v = (t[1, 0] * u + t[1, 1] * v + t[1, 2] + planes[d] * s[1]) / z
                    if there_u > 0 and there_u < width and there_v > 0 and there_v < height:
                        found[seen] = _difference(own, y, x, others[n], there_v, there_u, cap)
                        seen += 1
                cost[y, x, d] = _mean_of_best(found, seen) + f4(_UNSEEN) * f4(1 - seen / len(others))
                if seen == 0:
                    cost[y, x, d] += f4(0.5) * cap


@kernel(fast=True, inline=True)
def _mean_of_best(values: Array, count: Index) -> Real:
    """Mean of the better half of the first `count`, 0 for none; they are sorted in place (there are few)."""
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    half = count // 2 + 1 if count > 1 else count
    total = f4(0)
    for i in range(half):
        total += values[i]
    return total / f4(max(half, 1))


@kernel(fast=True)
def blur(cost: Array, out: Array, share: Share) -> None:
    """Means of 3x3 neighbours: windows lie in the plane, so that a slanted sweep needs no patches of its own."""
    height, width, count = cost.shape
    for y in range(share[0], height, share[1]):
        for x in range(width):
            rows, columns = min(y + 2, height) - max(y - 1, 0), min(x + 2, width) - max(x - 1, 0)
            weight = f4(1) / f4(rows * columns)
            out[y, x] = 0
            for i in range(max(y - 1, 0), min(y + 2, height)):
                for j in range(max(x - 1, 0), min(x + 2, width)):
                    for d in range(count):
                        out[y, x, d] += cost[i, j, d] * weight


def aggregate(cost: Array, picture: Array, step: Real, jump: Real, total: Array) -> None:
    """Semi-global matching (Hirschmueller 2008, TPAMI): the costs of the cheapest paths from eight sides, summed.

    A change by one plane costs `step`, a larger one `jump`, less where `picture` [h, w, C] has an edge.

    Not a kernel around a kernel: of those numba keeps two copies of the inner one, optimised each by itself, and runs
    one where they were just compiled and the other where they come from the cache, with other roundings.
    """
    total[:] = 0
    for way in range(8):
        _walk(cost, picture, step, jump, total, way)


@kernel(fast=True)
def _walk(cost: Array, picture: Array, step: Real, jump: Real, total: Array, way: Index) -> None:
    height, width, count = cost.shape
    dy = (0, 0, 1, -1, 1, 1, -1, -1)[way]
    dx = (1, -1, 0, 0, 1, -1, 1, -1)[way]
    rows = np.zeros((2, width, count), dtype=np.float32)  # the row before and this one
    for i in range(height):
        y = i if dy >= 0 else height - 1 - i
        now, before = rows[i % 2], rows[(i + 1) % 2]
        for j in range(width):
            x = j if dx >= 0 else width - 1 - j
            py, px = y - dy, x - dx
            if py < 0 or py >= height or px < 0 or px >= width:
                for d in range(count):
                    now[x, d] = cost[y, x, d]
            else:
                last = now[px] if dy == 0 else before[px]
                _extend(cost[y, x], last, step, jump * _continuity(picture, y, x, py, px), now[x])
            for d in range(count):
                total[y, x, d] += now[x, d]


@kernel(fast=True, inline=True)
def _continuity(picture: Array, y: Index, x: Index, py: Index, px: Index) -> Real:
    """1 where two pixels are alike, less where they differ."""
    apart = f4(0)
    for c in range(3):
        apart += abs(picture[y, x, c] - picture[py, px, c])
    return f4(1) / (f4(1) + apart * f4(10))


@kernel(fast=True, inline=True)
def _extend(cost: Array, last: Array, step: Real, jump: Real, out: Array) -> None:
    count = len(cost)
    least = last[0]
    for d in range(1, count):
        least = min(least, last[d])
    jump = max(jump, step)
    for d in range(count):
        best = min(last[d], least + jump)
        if d > 0:
            best = min(best, last[d - 1] + step)
        if d < count - 1:
            best = min(best, last[d + 1] + step)
        out[d] = cost[d] + best - least


@kernel(fast=True)
def cheapest(total: Array, place: Array) -> None:
    """`place` [h, w]: the cheapest plane, between planes by the parabola through its neighbours."""
    height, width, count = total.shape
    for y in range(height):
        for x in range(width):
            best = 0
            for d in range(1, count):
                if total[y, x, d] < total[y, x, best]:
                    best = d
            place[y, x] = best
            if best > 0 and best < count - 1:
                low, high = total[y, x, best - 1], total[y, x, best + 1]
                bend = low + high - f4(2) * total[y, x, best]
                if bend > f4(1e-9):
                    place[y, x] += f4(0.5) * (low - high) / bend


@kernel(fast=True)
def agreement(
    own: Array, others: Array, turns: Array, shifts: Array, tolerance: Real, votes: Array, share: Share
) -> None:
    """`votes` [h, w]: how many other views see the point of a pixel where it should be, less those that see past it.

    own [h, w] and others [n, h, w]: disparities; turns and shifts as in `match`. A point behind what a view sees is
    hidden there and counts neither way.
    """
    height, width = own.shape
    for y in range(share[0], height, share[1]):
        for x in range(width):
            votes[y, x] = 0
            u, v, d = f4(x) + f4(0.5), f4(y) + f4(0.5), own[y, x]
            for n in range(len(others)):
                t, s = turns[n], shifts[n]
                z = t[2, 0] * u + t[2, 1] * v + t[2, 2] + d * s[2]
                if z <= f4(1e-6):
                    continue
                i = math.floor((t[1, 0] * u + t[1, 1] * v + t[1, 2] + d * s[1]) / z)
                j = math.floor((t[0, 0] * u + t[0, 1] * v + t[0, 2] + d * s[0]) / z)
                if i >= 0 and i < height and j >= 0 and j < width:
                    past = d / z - others[n, int(i), int(j)]
                    if abs(past) < tolerance:
                        votes[y, x] += 1
                    elif past > 0:
                        votes[y, x] -= 1
