"""All actions, and their motion as one tensor."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ._motions_calm import CALM
from ._motions_move import MOVING
from ._motions_play import PLAYING
from .motion import BASIS, CHANNELS, PLANS, Action
from .parts import BONES

ACTIONS: tuple[Action, ...] = (*CALM, *MOVING, *PLAYING)


def motion_table() -> Float[Tensor, "A L C K"]:
    """Coefficients per action A, body plan L, channel C (`CHANNELS`) and basis function K (`BASIS`), in radians
    (root shift: in subject heights)."""
    table = torch.zeros(len(ACTIONS), len(PLANS), CHANNELS, len(BASIS))
    for a, action in enumerate(ACTIONS):
        for plan, pose in action.poses.items():
            for channel, wave in pose.items():
                bone, axis = channel.split(".")
                base = len(BONES) * 3 if bone == "move" else BONES.index(bone) * 3
                for term, value in wave.items():
                    table[a, PLANS.index(plan), base + "xyz".index(axis), BASIS.index(term)] = value
    return table
