"""Forward kinematics: where every primitive is at a time."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .model import POOLS, SECOND, SUBJECT, Rig, Slots, Worlds
from .parts import BONES, PARENTS

_J = len(BONES)
HELD_BONE, WORN_BONE, STATIC_BONE = 2 * _J, 2 * _J + 1, 2 * _J + 2
TRANSFORMS = 2 * _J + 3


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product written out: batched 3x3 `matmul` is slow on GPUs and does not fuse."""
    return (a[..., :, :, None] * b[..., None, :, :]).sum(-2)


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix * vector[..., None, :]).sum(-1)


def euler(angles: Float[Tensor, "*N 3"]) -> Float[Tensor, "*N 3 3"]:
    """Rotation about z, then x, then y (radians): R = Ry Rx Rz."""
    cx, cy, cz = (angles[..., i].cos() for i in range(3))
    sx, sy, sz = (angles[..., i].sin() for i in range(3))
    rows = (
        cy * cz + sy * sx * sz,
        sy * sx * cz - cy * sz,
        sy * cx,
        cx * sz,
        cx * cz,
        -sx,
        cy * sx * sz - sy * cz,
        cy * sx * cz + sy * sz,
        cy * cx,
    )
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _channels(rig: Rig, times: Tensor) -> Tensor:
    """[B, 2, F, C] joint angles and root shifts."""
    time = times[:, None]
    phase = 2 * math.pi * (rig.cycles[..., None] * time + rig.start[..., None])
    one = torch.ones_like(phase)
    basis = torch.stack(
        (one, phase.sin(), phase.cos(), (2 * phase).sin(), (2 * phase).cos(), phase.sin().abs(), (2 * time - 1) * one),
        -1,
    )
    return (rig.motion[:, :, None] * basis[..., None, :]).sum(-1)


def _chain(rig: Rig, angles: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation [B, 2, F, J, 3, 3] and shift [B, 2, F, J, 3] of every bone, before the subject is put in its place."""
    turns = euler(angles)
    middle = torch.stack((0 * rig.height, rig.height * 0.5, 0 * rig.height), -1)
    rotation: list[Tensor] = []
    shift: list[Tensor] = []
    for j, parent in enumerate(PARENTS):
        own = turns[:, :, :, j]
        pivot = (middle if j == 0 else rig.pivots[:, :, j])[:, :, None]
        local = pivot - _apply(own, pivot)
        if parent < 0:
            rotation.append(own)
            shift.append(local)
        else:
            rotation.append(_product(rotation[parent], own))
            shift.append(_apply(rotation[parent], local) + shift[parent])
    return torch.stack(rotation, 3), torch.stack(shift, 3)


def _lowest(slots: Slots, rotation: Tensor, center: Tensor, pools: tuple[int, ...]) -> Tensor:
    """Height of the lowest point of every slot, [B, F, P]; exact but for capped cones, whose discs are boxed."""
    up = rotation[..., 1, :]
    size = slots.size[:, None]
    ends = [0, pools[0], pools[0] + pools[1], sum(pools[:3]), sum(pools)]
    e, c, b, k = (slice(ends[i], ends[i + 1]) for i in range(4))
    drop = torch.cat(
        (
            (up[:, :, e] * size[:, :, e]).square().sum(-1).sqrt(),
            torch.maximum(
                size[:, :, c, 0] + up[:, :, c, 1] * size[:, :, c, 1],
                size[:, :, c, 2] - up[:, :, c, 1] * size[:, :, c, 1],
            ),
            (up[:, :, b] * size[:, :, b]).abs().sum(-1),
            (up[:, :, k, 1] * size[:, :, k, 1]).abs()
            + torch.maximum(size[:, :, k, 0], size[:, :, k, 2]) * (1 - up[:, :, k, 1].square()).clamp(min=0).sqrt(),
        ),
        -1,
    )
    return center[..., 1] - drop


def extents(slots: Slots, rotation: Float[Tensor, "B F P 3 3"]) -> Float[Tensor, "B F P 3"]:
    """Half sizes of boxes along the world's axes that hold every slot of an untrimmed world (cones: a little large)."""
    size = slots.size[:, None, :, None]
    ball = (rotation * size).square().sum(-1).sqrt()
    cone = rotation[..., 1].abs() * size[..., 1] + torch.maximum(size[..., 0], size[..., 2])
    box = (rotation * size).abs().sum(-1)
    kind = torch.cat([torch.full((n,), k, device=size.device) for k, n in enumerate(POOLS)])[:, None]
    return torch.where(kind == 0, ball, torch.where(kind == 2, box, cone))


def _spread(bones: Tensor, slots: Slots) -> Tensor:
    """Values per transform [B, F, T, ...] handed to the slots [B, F, P, ...]."""
    index = slots.bone[:, None]
    index = index.reshape(*index.shape, *([1] * (bones.dim() - 3)))
    return torch.gather(bones, 2, index.expand(-1, bones.shape[1], -1, *bones.shape[3:]))


def transforms(
    worlds: Worlds, times: Float[Tensor, "B F"], pools: tuple[int, ...] = POOLS
) -> tuple[Float[Tensor, "B F T 3 3"], Float[Tensor, "B F T 3"]]:
    """Rotation and shift of all transforms: bones of the subject, of the second subject, held item, hat, static.

    A point x of a slot's rest pose is at `rotation @ x + shift` at the time.
    """
    rig, slots = worlds.rig, worlds.slots
    channels = _channels(rig, times)
    batch, frames = times.shape
    rotation, shift = _chain(rig, channels[..., : 3 * _J].unflatten(-1, (_J, 3)))
    lows = _ground_contact(slots, rotation, shift, pools)
    move = channels[..., 3 * _J :] * rig.height[:, :, None, None]
    heading = euler(torch.stack((0 * rig.yaw, rig.yaw, 0 * rig.yaw), -1))[:, :, None]
    up = rotation.new_tensor([0.0, 1.0, 0.0])
    offset = _apply(heading, move) + rig.place[:, :, None] - lows[..., None] * up
    rotation = _product(heading[:, :, :, None], rotation)
    shift = _apply(heading[:, :, :, None], shift) + offset[:, :, :, None]
    hand_r, hand_t = _held(worlds, rotation[:, 0], shift[:, 0], heading[:, 0], offset[:, 0])
    crown = worlds.rig.crown[:, None]
    hat_r = rotation[:, 0, :, BONES.index("head")]
    hat_t = _apply(hat_r, crown) + shift[:, 0, :, BONES.index("head")]
    still = torch.eye(3, device=times.device).expand(batch, frames, 1, 3, 3)
    all_r = torch.cat((rotation[:, 0], rotation[:, 1], hand_r[:, :, None], hat_r[:, :, None], still), 2)
    all_t = torch.cat(
        (shift[:, 0], shift[:, 1], hand_t[:, :, None], hat_t[:, :, None], torch.zeros_like(hat_t)[:, :, None]), 2
    )
    return all_r, all_t


def _ground_contact(slots: Slots, rotation: Tensor, shift: Tensor, pools: tuple[int, ...]) -> Tensor:
    """[B, 2, F] height of the lowest point of each subject (tails aside), which is then put on the ground."""
    batch, _, frames = rotation.shape[:3]
    pad_r = torch.eye(3, device=rotation.device).expand(batch, frames, 3, 3, 3)
    pad_t = torch.zeros(batch, frames, 3, 3, device=rotation.device)
    bones_r = torch.cat((rotation[:, 0], rotation[:, 1], pad_r), 2)
    bones_t = torch.cat((shift[:, 0], shift[:, 1], pad_t), 2)
    turned = _spread(bones_r, slots)
    center = _apply(turned, slots.center[:, None]) + _spread(bones_t, slots)
    low = _lowest(slots, _product(turned, slots.frame[:, None]), center, pools)
    tail = (slots.bone % _J) >= BONES.index("tail")
    out = []
    for owner, first in ((SUBJECT, 0), (SECOND, _J)):
        mine = (slots.owner == owner) & (slots.bone >= first) & (slots.bone < first + _J) & ~tail
        value = torch.where(mine[:, None], low, torch.full_like(low, 1e6)).amin(-1)
        out.append(torch.where(value < 1e5, value, torch.zeros_like(value)))
    return torch.stack(out, 1)


def _held(worlds: Worlds, rotation: Tensor, shift: Tensor, heading: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Transform of the held item: at the hand, between the hands, before the feet or round the seat."""
    rig = worlds.rig
    right, left = BONES.index("foreR"), BONES.index("foreL")
    mirrored = rig.hand * rig.hand.new_tensor([-1.0, 1.0, 1.0])
    hand = _apply(rotation[:, :, right], rig.hand[:, None]) + shift[:, :, right]
    other = _apply(rotation[:, :, left], mirrored[:, None]) + shift[:, :, left]
    facing = rotation[:, :, 0]
    turn = torch.atan2(facing[..., 0, 2], facing[..., 2, 2])
    flat = euler(torch.stack((0 * turn, turn, 0 * turn), -1))
    forward = flat[..., :, 2]
    floor = offset * offset.new_tensor([1.0, 0.0, 1.0])
    chest = (hand + other) / 2 + forward * rig.reach[:, None, None]
    front = floor + forward * (rig.front + rig.reach)[:, None, None]
    kind = rig.anchor[:, None, None]
    place = torch.where(kind == 0, hand, torch.where(kind == 1, chest, torch.where(kind == 2, front, floor)))
    return flat, place


def pose(
    worlds: Worlds, times: Float[Tensor, "B F"], pools: tuple[int, ...] = POOLS
) -> tuple[Float[Tensor, "B F P 3 3"], Float[Tensor, "B F P 3"]]:
    """World rotation and centre of every slot's primitive at `times` (fraction of the clip, 0..1).

    `pools`: number of slots of each shape that `worlds` holds, if they were trimmed to those in use.
    """
    rotation, shift = transforms(worlds, times, pools)
    turned = _spread(rotation, worlds.slots)
    center = _apply(turned, worlds.slots.center[:, None]) + _spread(shift, worlds.slots)
    return _product(turned, worlds.slots.frame[:, None]), center
