"""Putting the primitives of subject, second subject and things into the fixed slots of a world."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .looks import METALS, color_table
from .model import NOBODY, POOLS, SECOND, SUBJECT, THING, Slots
from .parts import BONES
from .pose import HELD_BONE, STATIC_BONE, WORN_BONE
from .tables import PartTable, Tables
from .vocabulary import FACTORS


@dataclass(frozen=True)
class Placement:
    """Where scenery stands: yaw [B, 3] and place [B, 3, 3] of up to three copies, count [B], scale [B, 3]."""

    yaw: Tensor
    place: Tensor
    count: Tensor
    scale: Tensor


@dataclass(frozen=True)
class _Group:
    """Candidate parts of one thing, [B, Q] each, with the owner and the bone already set."""

    parts: PartTable
    owner: int


def _colored(parts: PartTable, color: Tensor, device: torch.device) -> PartTable:
    """Parts whose MAIN slot, and SECOND where it is a shade of it, get the colour label (0 keeps the natural one)."""
    paint = color_table(device)[color][:, None]
    changed = (color > 0)[:, None]
    metal = torch.tensor([c in METALS for c in FACTORS["color"]], device=device)[color][:, None]
    main = torch.where((changed & (parts.tint > 0))[..., None], paint * parts.tint[..., None], parts.main)
    alt = torch.where((changed & (parts.alt_tint > 0))[..., None], paint * parts.alt_tint[..., None], parts.alt)
    gloss = torch.where(metal & (parts.tint > 0), torch.ones_like(parts.gloss), parts.gloss)
    return replace(parts, main=main, alt=alt, gloss=gloss)


def _scaled(parts: PartTable, scale: Tensor) -> PartTable:
    return replace(parts, center=parts.center * scale[:, None, None], size=parts.size * scale[:, None, None])


def _placed(parts: PartTable, yaw: Tensor, place: Tensor) -> PartTable:
    """Parts turned by `yaw` [B] about the vertical and moved to `place` [B, 3]; static from then on."""
    c, s, o = yaw.cos(), yaw.sin(), torch.zeros_like(yaw)
    turn = torch.stack((c, o, s, o, o + 1, o, -s, o, c), -1).unflatten(-1, (3, 3))[:, None]
    center = (turn * parts.center[..., None, :]).sum(-1) + place[:, None]
    frame = (turn[..., :, :, None] * parts.frame[..., None, :, :]).sum(-2)
    return replace(parts, center=center, frame=frame)


def _groups(labels: dict[str, Tensor], t: Tables, scale: Tensor, placement: Placement) -> list[_Group]:
    device = scale.device
    subject = _colored(t.subjects.select(labels["subject"]), labels["color"], device)
    other = t.subjects.select((labels["second"] - 1).clamp(min=0))
    other = replace(other, shape=torch.where((labels["second"] > 0)[:, None], other.shape, -1))
    other = _colored(other, labels["second_color"], device)
    held, worn = t.held.select(labels["item"]), t.worn.select(labels["hat"])
    held = replace(held, bone=torch.full_like(held.bone, HELD_BONE))
    worn = replace(worn, bone=torch.full_like(worn.bone, WORN_BONE))
    groups = [
        _Group(_scaled(subject, scale[:, 0]), SUBJECT),
        _Group(_scaled(held, scale[:, 0]), THING),
        _Group(_scaled(worn, scale[:, 0]), SUBJECT),
        _Group(_scaled(replace(other, bone=other.bone + len(BONES)), scale[:, 1]), SECOND),
    ]
    for i in range(placement.yaw.shape[1]):
        things = t.scenery.select(labels["prop"])
        shape = torch.where((placement.count > i)[:, None], things.shape, -1)
        things = replace(
            _scaled(things, placement.scale[:, i]), shape=shape, bone=torch.full_like(things.bone, STATIC_BONE)
        )
        groups.append(_Group(_placed(things, placement.yaw[:, i], placement.place[:, i]), THING))
    return groups


def _choose(shape: Tensor, caster: Tensor) -> Tensor:
    """[B, P] index of the candidate in every slot, or the number of candidates for none.

    The first candidates of each shape get its slots; those that throw no shadow then go to the end of their pool.
    """
    batch, count = shape.shape
    order = torch.arange(count, device=shape.device).expand(batch, -1)
    pools = []
    for kind, room in enumerate(POOLS):
        key = torch.where(shape == kind, order, count)
        first = key.sort(-1).values[:, :room]
        small = torch.cat((1 - caster, 2 * torch.ones_like(caster[:, :1])), 1).gather(1, first)
        rank = torch.where(small >= 2, 2 * count, small * count) + first
        # empty slots stay between casters and the rest only if the casters do not fill their share
        rank = torch.where((first == count), torch.full_like(rank, count), rank)
        pools.append(first.gather(1, rank.argsort(dim=-1, stable=True)))
    return torch.cat(pools, 1)


def slots_of(labels: dict[str, Tensor], t: Tables, scale: Tensor, placement: Placement, tone: Tensor) -> Slots:
    """The slots of worlds with these labels.

    scale: [B, 2] of subject and second; tone: [B, 3] multiplies all colours (a little variety).
    """
    groups = _groups(labels, t, scale, placement)
    batch = scale.shape[0]

    def joined(name: str, empty: float | Tensor) -> Tensor:
        full = torch.cat([getattr(g.parts, name) for g in groups], 1)
        pad = torch.as_tensor(empty, device=full.device).to(full.dtype).expand(batch, 1, *full.shape[2:])
        return torch.cat((full, pad), 1)

    chosen = _choose(torch.cat([g.parts.shape for g in groups], 1), torch.cat([g.parts.caster for g in groups], 1))

    def picked(full: Tensor) -> Tensor:
        index = chosen.reshape(*chosen.shape, *([1] * (full.dim() - 2)))
        return full.gather(1, index.expand(-1, -1, *full.shape[2:]))

    owner = torch.cat([torch.full_like(g.parts.shape, g.owner) for g in groups], 1)
    owner = torch.cat((owner, torch.full_like(owner[:, :1], NOBODY)), 1)
    below = torch.tensor([0.0, -90.0, 0.0], device=scale.device)  # empty slots lie out of sight of every ray
    return Slots(
        center=picked(joined("center", below)),
        size=picked(joined("size", 1e-3)),
        frame=picked(joined("frame", torch.eye(3, device=scale.device))),
        main=picked(joined("main", 0.0)) * tone[:, None],
        alt=picked(joined("alt", 0.0)) * tone[:, None],
        gloss=picked(joined("gloss", 0.0)),
        bone=picked(joined("bone", STATIC_BONE)),
        pattern=picked(joined("pattern", 0)),
        owner=picked(owner),
    )
