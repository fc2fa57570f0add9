"""Ray casting against the primitives in plain torch: every ray against every slot, one shape at a time.

All functions broadcast over rays and slots, hold no data-dependent control flow and therefore fuse into one kernel
under `torch.compile`. Directions are unit vectors. A miss is `FAR`. Only entry hits count: rays start outside.
Formulas: quadrics of I. Quilez (iquilezles.org/articles/intersectors), boxes by slabs (Kay & Kajiya 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

FAR = 1e6
NEAR = 1e-3


@dataclass(frozen=True, eq=False)
class Geometry:
    """Posed primitives of every frame.

    rot: [B, F, P, 3, 3], columns are the primitive's axes; center: [B, F, P, 3]; size: [B, P, 3];
    pools: number of ellipsoids, round cones, boxes and capped cones among P, in that order;
    casters: how many of each, counted from the first, throw shadows.
    """

    rot: Float[Tensor, "B F P 3 3"]
    center: Float[Tensor, "B F P 3"]
    size: Float[Tensor, "B P 3"]
    pools: tuple[int, int, int, int]
    casters: tuple[int, int, int, int]


def _dot(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _rows(matrix: Tensor, v: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Transposed matrix [..., 3, 3] times vector components: coordinates along the matrix's columns."""
    return tuple(_dot(tuple(matrix[..., k, i] for k in range(3)), v) for i in range(3))


def ellipsoids(o: tuple[Tensor, ...], d: tuple[Tensor, ...]) -> Tensor:
    """Entry distance for a unit ball; `o`, `d` are ray start and direction in the ball's own (scaled) space."""
    a, b, c = _dot(d, d), _dot(o, d), _dot(o, o) - 1
    disc = b * b - a * c
    t = (-b - disc.clamp(min=0).sqrt()) / a
    return torch.where((disc > 0) & (t > NEAR), t, FAR)


def boxes(o: tuple[Tensor, ...], d: tuple[Tensor, ...], half: tuple[Tensor, ...]) -> Tensor:
    """Entry distance for boxes of half extents `half`, in their own space."""
    near, far = [], []
    for i in range(3):
        inverse = 1 / torch.where(d[i].abs() < 1e-7, 1e-7, d[i])
        middle, reach = -o[i] * inverse, half[i] * inverse.abs()
        near.append(middle - reach)
        far.append(middle + reach)
    t = torch.maximum(torch.maximum(near[0], near[1]), near[2])
    end = torch.minimum(torch.minimum(far[0], far[1]), far[2])
    return torch.where((t < end) & (t > NEAR), t, FAR)


def round_cones(oy: Tensor, dy: Tensor, od: Tensor, oo: Tensor, shape: tuple[Tensor, ...]) -> Tensor:
    """Entry distance for round cones.

    `oy`, `dy`: ray start (from the first ball's centre) and direction along the axis; `od`, `oo`: start times direction
    and start times itself; `shape`: radius of the first ball, half length, radius of the second.
    """
    ra, half, rb = shape
    length = 2 * half
    rr = ra - rb
    m1, m2 = length * oy, length * dy
    d2 = length * length - rr * rr
    k2 = d2 - m2 * m2
    k1 = d2 * od - m1 * m2 + m2 * rr * ra
    k0 = d2 * oo - m1 * m1 + 2 * m1 * rr * ra - length * length * ra * ra
    h = k1 * k1 - k0 * k2
    t = (-h.clamp(min=0).sqrt() - k1) / torch.where(k2.abs() < 1e-9, 1e-9, k2)
    y = m1 - ra * rr + t * m2
    side = torch.where((h > 0) & (y > 0) & (y < d2) & (t > NEAR), t, FAR)
    ha = od * od - oo + ra * ra
    ta = -od - ha.clamp(min=0).sqrt()
    first = torch.where((ha > 0) & (ta > NEAR), ta, FAR)
    e = od - m2
    hb = e * e - (oo - 2 * m1 + length * length) + rb * rb
    tb = -e - hb.clamp(min=0).sqrt()
    second = torch.where((hb > 0) & (tb > NEAR), tb, FAR)
    return torch.minimum(side, torch.minimum(first, second))


def capped_cones(oy: Tensor, dy: Tensor, od: Tensor, oo: Tensor, shape: tuple[Tensor, ...]) -> Tensor:
    """Entry distance for flat-ended cones; arguments as for `round_cones`, from the centre of the first disc."""
    ra, half, rb = shape
    length = 2 * half
    rr = ra - rb
    hyp = length * length + rr * rr
    k2 = length * length - dy * dy * hyp
    k1 = length * length * od - length * oy * dy * hyp / length + length * ra * rr * dy
    k0 = length * length * oo - oy * oy * hyp + 2 * length * ra * rr * oy - length * length * ra * ra
    h = (k1 * k1 - k0 * k2).clamp(min=0)
    inverse = 1 / torch.where(k2.abs() < 1e-9, 1e-9, k2)
    root = h.sqrt()
    out = torch.full_like(root, FAR)
    for t in ((-k1 - root) * inverse, (-k1 + root) * inverse):
        y = oy + t * dy
        out = torch.where((h > 0) & (y > 0) & (y < length) & (t > NEAR) & (t < out), t, out)
    steep = 1 / torch.where(dy.abs() < 1e-7, 1e-7, dy)
    for t, axial, radius in ((-oy * steep, 0 * length, ra), ((length - oy) * steep, length, rb)):
        r2 = oo + 2 * t * od + t * t - axial * axial
        out = torch.where((r2 < radius * radius) & (t > NEAR) & (t < out), t, out)
    return out


def _split(pools: tuple[int, ...], counts: tuple[int, ...]) -> list[slice]:
    starts = [sum(pools[:i]) for i in range(4)]
    return [slice(s, s + n) for s, n in zip(starts, counts, strict=True)]


def _distances(
    geo: Geometry, o: tuple[Tensor, ...], d: tuple[Tensor, ...], counts: tuple[int, ...]
) -> list[tuple[int, Tensor]]:
    """Entry distance [B, F, N, n] of every ray to the first `counts` slots of each shape, with the first slot's index.

    `o` and `d` are components shaped [B, F, N, 1] or, where all rays share them, [B, F, 1, 1].
    """
    out: list[tuple[int, Tensor]] = []
    for kind, part in enumerate(_split(geo.pools, counts)):
        if part.stop == part.start:
            continue
        rot, center = geo.rot[:, :, None, part], geo.center[:, :, None, part]
        size = tuple(geo.size[:, None, None, part, i] for i in range(3))
        start = tuple(o[i] - center[..., i] for i in range(3))
        if kind in (0, 2):
            lo, ld = _rows(rot, start), _rows(rot, d)
            if kind == 0:
                lo, ld = (
                    tuple(x / s for x, s in zip(lo, size, strict=True)),
                    tuple(x / s for x, s in zip(ld, size, strict=True)),
                )
                t = ellipsoids(lo, ld)
            else:
                t = boxes(lo, ld, size)
        else:
            axis = tuple(rot[..., k, 1] for k in range(3))
            start = tuple(start[k] + axis[k] * size[1] for k in range(3))
            args = (_dot(start, axis), _dot(d, axis), _dot(start, d), _dot(start, start), size)
            t = round_cones(*args) if kind == 1 else capped_cones(*args)
        out.append((part.start, t))
    return out


def first_hit(
    geo: Geometry, origin: Float[Tensor, "B F 3"], direction: Float[Tensor, "B F N 3"]
) -> tuple[Float[Tensor, "B F N"], Int64[Tensor, "B F N"]]:
    """Distance (`FAR` for none) and slot of the first primitive that each ray from the camera meets."""
    o = tuple(origin[..., i, None, None] for i in range(3))
    d = tuple(direction[..., i, None] for i in range(3))
    best = torch.full_like(direction[..., 0], FAR)
    slot = torch.zeros_like(best, dtype=torch.int64)
    for first, t in _distances(geo, o, d, geo.pools):
        near, index = t.min(-1)
        closer = near < best
        slot = torch.where(closer, index + first, slot)
        best = torch.where(closer, near, best)
    return best, slot


def occluded(geo: Geometry, start: Float[Tensor, "B F N 3"], light: Float[Tensor, "B 3"]) -> Bool[Tensor, "B F N"]:
    """Whether something stands between each point and the distant light."""
    o = tuple(start[..., i, None] for i in range(3))
    d = tuple(light[:, None, None, i, None] for i in range(3))
    dark = torch.zeros_like(start[..., 0], dtype=torch.bool)
    for _, t in _distances(geo, o, d, geo.casters):
        dark = dark | (t.amin(-1) < 0.5 * FAR)
    return dark
