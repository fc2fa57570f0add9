"""How a still camera sees subjects: which way the first one faces, and on which side of it the second one stands."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from .model import Worlds
from .parts import BONES
from .pose import transforms
from .render import Shots

FRONT, LEFT, RIGHT, BACK = WAYS = ("seen from the front", "facing left", "facing right", "seen from behind")
SIDES = ("on the left", "on the right")
# The way by the angle between where a subject looks and where the camera is.
_AHEAD, _AWAY = math.radians(30), math.radians(135)
_STEADY = 0.8  # length of the mean direction over the clip: what turns more than about 75 degrees faces no way
_ASIDE = 0.6  # of the distance between two subjects, what must lie across the picture


class Facing(NamedTuple):
    """Words for a clip; "" where they would not be true for the whole of it.

    Attributes:
        way: how the first subject is seen.
        first, second: where the two subjects stand; "" both for a single one.
    """

    way: str = ""
    first: str = ""
    second: str = ""


def facing(worlds: Worlds, shots: Shots) -> list[Facing]:
    """How still cameras see the subjects of B worlds.

    Args:
        worlds: B worlds.
        shots: of still cameras, whose first is meant.
    """
    rotation, shift = transforms(worlds, shots.times)
    right, _, ahead = shots.viewmats[:, 0, :3, :3].unbind(1)
    roots = [0, len(BONES)]
    looks = rotation[:, :, 0, :, 2]  # subjects look along z in their own axes
    mean = torch.stack(((looks * right[:, None]).sum(-1), -(looks * ahead[:, None]).sum(-1)), -1).mean(1)
    middle = torch.stack((0 * worlds.rig.height, worlds.rig.height / 2, 0 * worlds.rig.height), -1)[:, None]
    places = (rotation[:, :, roots] * middle[..., None, :]).sum(-1) + shift[:, :, roots]
    apart = (places[:, :, 1] - places[:, :, 0]).mean(1)
    across = (apart * right).sum(-1) / apart[:, [0, 2]].norm(dim=-1).clamp(min=1e-6)
    across = torch.where(worlds.labels["second"] > 0, across, torch.zeros_like(across))
    return [_words(*row) for row in torch.cat((mean, across[:, None]), -1).tolist()]


def _words(aside: float, toward: float, across: float) -> Facing:
    angle = math.atan2(aside, toward)
    if math.hypot(aside, toward) < _STEADY:
        way = ""
    elif abs(angle) < _AHEAD:
        way = FRONT
    else:
        way = BACK if abs(angle) > _AWAY else RIGHT if angle > 0 else LEFT
    if abs(across) < _ASIDE:
        return Facing(way)
    first, second = SIDES if across > 0 else SIDES[::-1]
    return Facing(way, first, second)
