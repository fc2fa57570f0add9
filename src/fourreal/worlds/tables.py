"""Subjects and props as tensors, built once per device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .actions import ACTIONS, PLANS, motion_table
from .looks import linear
from .parts import BONES, MAIN, PARENTS, PATTERNS, SECOND, Part, Vec
from .props import HELD, SCENERY, WORN, Prop
from .subjects import SUBJECTS, Subject
from .vocabulary import uses_item

ANCHORS = ("hand", "chest", "front", "seat", "crown", "scenery")


@dataclass(frozen=True)
class PartTable:
    """Parts of several things, padded to a common count Q; `shape` is -1 for padding.

    shape, bone, pattern [K, Q] int64; center, size, main, alt [K, Q, 3] (linear RGB); frame [K, Q, 3, 3];
    gloss, caster [K, Q]; tint, alt_tint [K, Q]: how bright the colour label is on the ground colour and on the
    pattern's second colour, 1 for the MAIN slot, 0 for what keeps its own colour.
    """

    shape: Tensor
    bone: Tensor
    pattern: Tensor
    center: Tensor
    size: Tensor
    main: Tensor
    alt: Tensor
    frame: Tensor
    gloss: Tensor
    caster: Tensor
    tint: Tensor
    alt_tint: Tensor

    def select(self, index: Tensor) -> PartTable:
        """Rows `index` [...] of every field."""
        return PartTable(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True)
class Tables:
    """All static tensors on one device; see the fields' comments."""

    subjects: PartTable
    scenery: PartTable  # row 0 is "none"; so for held and worn
    held: PartTable
    worn: PartTable
    pivots: Tensor  # [S, bones, 3]
    hands: Tensor  # [S, 3] right hand
    crowns: Tensor  # [S, 3] top of the head
    bounds: Tensor  # [S, 4] height, half width, front and back reach
    sizes: Tensor  # [S] natural height
    plans: Tensor  # [S] index in PLANS
    motion: Tensor  # [A, plans, channels, basis]
    cycles: Tensor  # [A]
    can_do: Tensor  # [S, A] weight of each action
    item_weights: Tensor  # [A, 1 + held]
    needs_item: Tensor  # [S, A] bool
    item_anchor: Tensor  # [1 + held] index in ANCHORS
    item_reach: Tensor  # [1 + held] metres in front of the anchor
    copies: Tensor  # [1 + scenery]
    lights: Tensor  # [1 + scenery]


def _shade(palette: tuple[str, ...]) -> float:
    """Brightness of the SECOND slot relative to MAIN if it is a darker shade of the same colour, else 0."""
    main, second = np.array(linear(palette[MAIN])), np.array(linear(palette[SECOND]))
    alike = main @ second / max(np.linalg.norm(main) * np.linalg.norm(second), 1e-9)
    ratio = second.sum() / max(main.sum(), 1e-9)
    # blacks go with every colour and stay: a panda's arms, a horse's mane
    return float(ratio) if alike > 0.96 and 0.15 < ratio < 0.95 else 0.0


def _part_table(
    lists: Sequence[Sequence[Part]], palettes: Sequence[tuple[str, ...]], device: torch.device
) -> PartTable:
    count, width = len(lists), max(len(p) for p in lists)
    ints = {k: torch.zeros(count, width, dtype=torch.int64) for k in ("shape", "bone", "pattern")}
    ints["shape"].fill_(-1)
    vecs = {k: torch.zeros(count, width, 3) for k in ("center", "size", "main", "alt")}
    frame = torch.eye(3).expand(count, width, 3, 3).clone()
    nums = {k: torch.zeros(count, width) for k in ("gloss", "caster", "tint", "alt_tint")}
    for i, (parts, palette) in enumerate(zip(lists, palettes, strict=True)):
        tints = {MAIN: 1.0, SECOND: _shade(palette)}
        for j, p in enumerate(parts):
            row = {
                "shape": p.shape,
                "bone": BONES.index(p.bone),
                "pattern": PATTERNS.index(p.pattern),
            }
            for k, v in row.items():
                ints[k][i, j] = v
            for k, v in {
                "center": p.center,
                "size": p.size,
                "main": linear(palette[p.color]),
                "alt": linear(palette[p.alt]),
            }.items():
                vecs[k][i, j] = torch.tensor(v)
            frame[i, j] = torch.tensor(p.frame)
            nums["gloss"][i, j], nums["caster"][i, j] = p.gloss, float(p.caster)
            nums["tint"][i, j], nums["alt_tint"][i, j] = tints.get(p.color, 0.0), tints.get(p.alt, 0.0)
    table = PartTable(**ints, **vecs, frame=frame, **nums)
    return PartTable(*(getattr(table, f.name).to(device) for f in fields(table)))


def _props(props: Sequence[Prop], device: torch.device) -> PartTable:
    return _part_table([(), *(p.parts for p in props)], [("#000000",) * 6, *(p.palette for p in props)], device)


def _pivots(subject: Subject) -> list[Vec]:
    out: list[Vec] = []
    for bone, parent in zip(BONES, PARENTS, strict=True):
        out.append(subject.pivots.get(bone, out[parent] if parent >= 0 else (0.0, 0.0, 0.0)))
    return out


def _bounds(subject: Subject) -> tuple[float, float, float, float]:
    """Height, half width, front and back reach in the rest pose, from bounding balls cut to half their slack."""
    top = wide = front = back = 0.0
    for p in subject.parts:
        reach = [sum(abs(p.frame[axis][k]) * p.size[k] for k in range(3)) for axis in range(3)]
        top = max(top, p.center[1] + reach[1])
        wide = max(wide, abs(p.center[0]) + reach[0])
        front = max(front, p.center[2] + reach[2])
        back = max(back, reach[2] - p.center[2])
    return top, wide, front, back


def _action_weights() -> list[list[float]]:
    return [[float(s.plan in a.poses) for a in ACTIONS] for s in SUBJECTS]


def _item_weights() -> list[list[float]]:
    names = [p.name for p in HELD]
    return [[0.0 if a.items else 1.0, *(float(n in a.items) for n in names)] for a in ACTIONS]


@lru_cache(maxsize=4)
def tables(device: torch.device) -> Tables:
    """The tables on `device`."""

    def made(values: object) -> Tensor:
        return torch.tensor(values, device=device, dtype=torch.float32)

    def whole(values: list[int]) -> Tensor:
        return torch.tensor(values, device=device, dtype=torch.int64)

    return Tables(
        subjects=_part_table([s.parts for s in SUBJECTS], [s.palette for s in SUBJECTS], device),
        scenery=_props(SCENERY, device),
        held=_props(HELD, device),
        worn=_props(WORN, device),
        pivots=made([_pivots(s) for s in SUBJECTS]),
        hands=made([s.hand for s in SUBJECTS]),
        crowns=made([s.crown for s in SUBJECTS]),
        bounds=made([_bounds(s) for s in SUBJECTS]),
        sizes=made([s.size for s in SUBJECTS]),
        plans=whole([PLANS.index(s.plan) for s in SUBJECTS]),
        motion=motion_table().to(device),
        cycles=made([a.cycles for a in ACTIONS]),
        can_do=made(_action_weights()),
        item_weights=made(_item_weights()),
        needs_item=torch.tensor(
            [[uses_item(s, a) for a in range(len(ACTIONS))] for s in range(len(SUBJECTS))], device=device
        ),
        item_anchor=whole([0, *(ANCHORS.index(p.anchor) for p in HELD)]),
        item_reach=made([0.0, *(p.back for p in HELD)]),
        copies=whole([0, *(p.many for p in SCENERY)]),
        lights=made([0.0, *(p.light for p in SCENERY)]),
    )
