"""How far a drawn clip turns, where the points followed through it doubt that it does as it was told.

Points that slide along outlines seem to turn less than what they lie on, and slow turning with deep relief looks like
fast turning with a flat one. So points only raise the doubt, and a small static fit for each turning in question
settles it: what the clip shows is explained best by the cameras that it was really seen from.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.video import Video
from fourreal.pose.turn import turned_share

from .small import CPU, explained

_CLEARLY = 0.7  # dB by which another turning must explain the clip better than the one that was asked for


def settled_share(clip: Video, path: Float[Tensor, "F 3"], device: torch.device = CPU) -> tuple[float, bool]:
    """The share of the asked turning that a clip makes, and whether it was looked into.

    The share that the followed points find (`pose.turn`), the asked turning, or half way between. Seconds for each that
    is fitted; none where the points do not doubt. True walks of worlds peak at 1; of drawn walks that the points took
    for 0.5 to 0.6 three of three are explained best at 0.85, by 2 dB better than there (`docs/generate.md`).

    Args:
        clip: the freeze-time clip.
        path: azimuth and elevation in radians and log distance that it was asked to follow, one row a frame.
        device: where to fit.
    """
    doubted = turned_share(clip, path)
    if doubted == 1:
        return 1.0, False
    found = {share: explained(clip, path, share, device) for share in (1.0, doubted)}
    if found[1.0] < found[doubted] + _CLEARLY:  # else the points are simply wrong
        between = (1 + doubted) / 2
        found[between] = explained(clip, path, between, device)
    return nearest_of_the_best(found), True


def nearest_of_the_best(found: dict[float, float]) -> float:
    """Of the shares that explain a clip about as well (dB by share) as the best does, the one nearest to 1."""
    alike = [share for share, worth in found.items() if worth >= max(found.values()) - _CLEARLY]
    return min(alike, key=lambda share: abs(share - 1))
