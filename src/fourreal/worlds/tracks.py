"""Exact 3D tracks of points painted on the subjects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from . import trace, trace_cpu
from .hashing import uniforms
from .model import POOLS, Slots, Worlds
from .pose import pose
from .render import Shots, origins
from .trace import Geometry

_SLOT = 5_000
_TRIES = 4  # candidates for every point; those buried in another part are passed over


@dataclass(frozen=True, eq=False)
class Tracks:
    """Points on the subjects' surfaces over time.

    Attributes:
        positions: [B, F, N, 3] world positions in metres.
        slots: [B, N] the primitive that each point is painted on.
        owners: [B, N] 1 for the subject, 2 for the second subject.
    """

    positions: Float[Tensor, "B F N 3"]
    slots: Int64[Tensor, "B N"]
    owners: Int64[Tensor, "B N"]


def tracks(worlds: Worlds, times: Float[Tensor, "B F"], n_points: int, *, moment: float = 0.0) -> Tracks:
    """`n_points` points of every world, spread over the outside of the subjects by area, and where they go.

    Parts are rigid, so a point keeps its place on its part.

    Args:
        worlds: B worlds.
        times: moments, 0..1 of the clip.
        n_points: points per world.
        moment: the time at which points must lie on the outside, not inside another part.
    """
    tries = n_points * _TRIES
    draw = uniforms(worlds.seeds, _SLOT, 4 * tries).unflatten(-1, (tries, 4))
    area = _areas(worlds.slots).cumsum(-1)
    slot = (area[:, None] <= (draw[..., 0] * area[:, -1:])[..., None]).sum(-1).clamp(max=area.shape[1] - 1)
    size = worlds.slots.size.gather(1, slot[..., None].expand(-1, -1, 3))
    local = _on_surface(_kinds(slot), size, draw[..., 1:])
    rot, center = pose(worlds, torch.full((len(worlds), 1), moment, device=worlds.device))
    buried = _inside(worlds, rot[:, 0], center[:, 0], _follow(rot, center, slot, local)[:, 0], slot)
    best = buried.to(torch.int64).argsort(dim=-1, stable=True)[:, :n_points]
    slot, local = slot.gather(1, best), local.gather(1, best[..., None].expand(-1, -1, 3))
    rot, center = pose(worlds, times)
    return Tracks(_follow(rot, center, slot, local), slot, worlds.slots.owner.gather(1, slot))


def _kinds(slot: Tensor) -> Tensor:
    ends = [sum(POOLS[: i + 1]) for i in range(3)]
    return (slot >= ends[0]).long() + (slot >= ends[1]).long() + (slot >= ends[2]).long()


def _areas(slots: Slots) -> Tensor:
    """Rough surface areas [B, P], zero for slots that are not part of a subject."""
    s = slots.size.sort(-1).values
    mine = slots.actors
    return torch.where(mine, s[..., 2] * (s[..., 1] + 0.5 * s[..., 0]), 0)


def _on_surface(kind: Tensor, size: Tensor, draw: Tensor) -> Tensor:
    """Points [B, N, 3] on primitives of `size`, in their own axes, from uniform numbers `draw` [B, N, 3]."""
    sx, sy, sz = size.unbind(-1)
    angle, height = 2 * math.pi * draw[..., 0], 2 * draw[..., 1] - 1
    ring = (1 - height * height).clamp(min=0).sqrt()
    ball = torch.stack((ring * angle.cos(), height, ring * angle.sin()), -1)
    slope = ((sx - sz) / (2 * sy)).clamp(-0.999, 0.999)
    # round cone: the ball at `middle` touches the hull in a circle; at the ends, the rest of that ball counts as well
    middle = (2.4 * draw[..., 2] - 1.2).clamp(-1, 1)
    radius = sx + (sz - sx) * (middle + 1) / 2
    tilt = torch.where(
        middle >= 1,
        slope + (1 - slope) * draw[..., 1],
        torch.where(middle <= -1, slope - (1 + slope) * draw[..., 1], slope),
    )
    flat = (1 - tilt * tilt).clamp(min=0).sqrt()
    cone = torch.stack((radius * flat * angle.cos(), middle * sy + radius * tilt, radius * flat * angle.sin()), -1)
    face = (draw[..., 2] * 6).long().clamp(max=5)
    a, b = 2 * draw[..., 0] - 1, 2 * draw[..., 1] - 1
    side = torch.where(face % 2 == 0, 1.0, -1.0)
    axis = face // 2
    unit = torch.stack(
        (
            torch.where(axis == 0, side, a),
            torch.where(axis == 1, side, torch.where(axis == 0, a, b)),
            torch.where(axis == 2, side, b),
        ),
        -1,
    )
    # capped cone: wall, or one of the discs
    disc = draw[..., 2] > 0.7
    top = draw[..., 2] > 0.85
    y = torch.where(disc, torch.where(top, 1.0, -1.0), height)
    wide = (sx + (sz - sx) * (y + 1) / 2) * torch.where(disc, draw[..., 1].sqrt(), 1.0)
    capped = torch.stack((wide * angle.cos(), y * sy, wide * angle.sin()), -1)
    k = kind[..., None]
    return torch.where(k == 0, ball * size, torch.where(k == 1, cone, torch.where(k == 2, unit * size, capped)))


def _follow(rot: Tensor, center: Tensor, slot: Tensor, local: Tensor) -> Tensor:
    """World positions [B, F, N, 3] of points given in the axes of their slots."""
    frames = rot.shape[1]
    index = slot[:, None, :, None].expand(-1, frames, -1, 3)
    turn = rot.gather(2, index[..., None].expand(-1, -1, -1, 3, 3))
    return (turn * local[:, None, :, None, :]).sum(-1) + center.gather(2, index)


def _inside(worlds: Worlds, rot: Tensor, center: Tensor, point: Tensor, slot: Tensor) -> Tensor:
    """[B, N] whether each point lies inside a primitive other than its own."""
    offset = point[:, :, None] - center[:, None]
    local = (offset[..., :, None] * rot[:, None]).sum(-2)
    size = worlds.slots.size[:, None]
    x, y, z = local.unbind(-1)
    sx, sy, sz = size.unbind(-1)
    ball = (local / size).square().sum(-1) < 1
    box = ((local.abs() - size) < 0).all(-1)
    radial = (x * x + z * z).sqrt()
    slope = (sx - sz) / (2 * sy)
    along = slope / (1 - slope * slope).clamp(min=1e-4).sqrt()
    middle = torch.minimum(torch.maximum(y - radial * along, -sy), sy)
    cone = (radial.square() + (y - middle).square()).sqrt() < sx + (sz - sx) * (middle / sy + 1) / 2
    capped = (y.abs() < sy) & (radial < sx + (sz - sx) * (y / sy + 1) / 2)
    parts = zip((ball, cone, box, capped), POOLS, strict=True)
    start, pieces = 0, []
    for value, room in parts:
        pieces.append(value[..., start : start + room])
        start += room
    inside = torch.cat(pieces, -1)
    own = torch.arange(inside.shape[-1], device=slot.device) == slot[..., None]
    return (inside & ~own).any(-1) | (point[..., 1] < 0)


def project(
    positions: Float[Tensor, "B F N 3"], shots: Shots
) -> tuple[Float[Tensor, "B F N 2"], Float[Tensor, "B F N"]]:
    """Pixel coordinates (x right, y down, centres at +0.5) and camera-space depth of points."""
    R, shift = shots.viewmats[..., :3, :3], shots.viewmats[..., :3, 3]
    camera = (R[:, :, None] * positions[..., None, :]).sum(-1) + shift[:, :, None]
    z = camera[..., 2]
    pixel = (shots.Ks[:, :, None] * camera[..., None, :]).sum(-1)[..., :2] / z.clamp(min=1e-6)[..., None]
    return pixel, z


def visible(worlds: Worlds, points: Tracks, shots: Shots, *, tolerance: float = 0.004) -> Bool[Tensor, "B F N"]:
    """Whether each point is inside the picture and nothing stands before it, by casting a ray at it.

    `points` must have been tracked at `shots.times`. `tolerance` is in metres.
    """
    pixel, z = project(points.positions, shots)
    framed = (z > 0) & (pixel >= 0).all(-1) & (pixel[..., 0] < shots.width) & (pixel[..., 1] < shots.height)
    origin = origins(shots)
    way = points.positions - origin[:, :, None]
    far = way.square().sum(-1).sqrt()
    direction = way / far[..., None]
    rot, center = pose(worlds, shots.times)
    geo = Geometry(rot, center, worlds.slots.size, POOLS, POOLS)
    tracer = trace_cpu if worlds.device.type == "cpu" else trace
    near, _ = tracer.first_hit(geo, origin, direction)
    above = points.positions[..., 1] >= -1e-3
    return framed & above & (near > far - tolerance)
