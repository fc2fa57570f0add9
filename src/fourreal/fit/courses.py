"""Courses through costs of every frame and state: the cheapest one whose speed is steady, or whose way is short.

States are angles of a whole turn, in equal steps, or places on the ground. A course goes from the instant, where it is
at rest, to both sides of it (dynamic programming).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

ANGLES = 48  # that are tried, over a whole turn
STEP = 2 * math.pi / ANGLES
_FASTEST = 10  # of these steps between two frames at most: 75 degrees
_STEADY = 0.3  # cost of a change of speed by one step a frame, as a share of what resting misses a frame by
_STEADIER = 0.6  # the same of what is known to turn
# Limbs that flutter are met by some turned scene or other: then frames in any other order gain as much.
_ORDERS, _CHANCE = 8, 0.9  # orders that are tried, and what they may gain of what the true one does


def steady(cost: Float[Tensor, "F A"], instant: int, *, onwards: bool = False) -> Int64[Tensor, " F"]:
    """The angle of each frame in steps, unwrapped, 0 at the instant: the cheapest of steady speed.

    If it goes `onwards`, of those that neither stop nor turn back.
    """
    return _cheapest(cost, instant, onwards=onwards)[1]


def met(cost: Float[Tensor, "F A"], instant: int, *, onwards: bool = False) -> tuple[Int64[Tensor, " F"], float]:
    """The course, and its error as a share of that at rest."""
    steps = steady(cost, instant, onwards=onwards)
    error, rest = float(cost.gather(1, (steps % ANGLES)[:, None]).sum()), float(cost[:, 0].sum())
    return steps, error / rest if rest > 0 else 1.0


def missed(cost: Float[Tensor, "F A"], instant: int) -> float:
    """Its error alone."""
    return met(cost, instant)[1]


def priced(cost: Float[Tensor, "F A"], instant: int) -> float:
    """The same with what changes of speed cost."""
    rest = float(cost[:, 0].sum() - cost[instant, 0])
    return _cheapest(cost, instant)[0] / rest if rest > 0 else 1.0


def walk(
    cost: Float[Tensor, "F P"], places: Float[Tensor, "P 3"], start: int, price: float, instant: int
) -> Int64[Tensor, " F"]:
    """The place at each frame, as an index: the cheapest course, on which every step costs, and no step at the instant.

    `price` is that of a step as long as the scene's unit, as a share of the mean error.
    """
    step = price * cost.mean() * torch.cdist(places, places)

    def way(rows: Tensor) -> list[int]:
        total, choices = step[start], []
        for row in rows[1:]:
            best, chosen = (total[:, None] + step).min(0) if choices else (total, torch.full_like(row, start).long())
            total = best + row
            choices.append(chosen)
        at, found = int(total.argmin()), []
        for chosen in reversed(choices):
            found.append(at)
            at = int(chosen[at])
        return found[::-1]

    return torch.tensor([*way(cost[: instant + 1].flip(0))[::-1], start, *way(cost[instant:])], device=cost.device)


def in_order(cost: Float[Tensor, "F A"], instant: int, worth: Callable[[Tensor, int], float]) -> bool:
    """Whether a course through the frames in their order gains clearly more than through them in any other."""
    generator, others = torch.Generator().manual_seed(0), [i for i in range(len(cost)) if i != instant]
    found = []
    for _ in range(_ORDERS):
        order = [others[i] for i in torch.randperm(len(others), generator=generator).tolist()]
        found.append(worth(cost[[*order[:instant], instant, *order[instant:]]], instant))
    return 1 - min(found) <= _CHANCE * (1 - worth(cost, instant))


def _cheapest(cost: Float[Tensor, "F A"], instant: int, *, onwards: bool = False) -> tuple[float, Int64[Tensor, " F"]]:
    """What the cheapest course costs in all, but for the instant, and its steps."""
    after, before = cost[instant:], cost[: instant + 1].flip(0)
    found = []
    for speed in range(-_FASTEST, _FASTEST + 1):  # at the instant, where both sides meet
        if speed or not onwards:
            (a, later), (b, earlier) = _way(after, speed, onwards), _way(before, -speed, onwards)
            found.append((a + b, abs(speed), torch.cat([earlier[1:].flip(0), later])))
    total, _, steps = min(found, key=lambda f: f[:2])
    return total, steps


def _way(cost: Float[Tensor, "T A"], begins: int, onwards: bool) -> tuple[float, Int64[Tensor, " T"]]:
    """What the cheapest way from angle 0 at the first frame costs, and its steps; a change of speed costs."""
    every = [speed for speed in range(-_FASTEST, _FASTEST + 1) if not onwards or speed * begins > 0]
    speeds = torch.tensor(every, device=cost.device)
    price = (_STEADIER if onwards else _STEADY) * float(cost[:, 0].mean())
    steady = price * (speeds[:, None] - speeds).abs()
    angle = torch.arange(ANGLES, device=cost.device)
    origin = (angle[:, None] - speeds) % ANGLES  # [angle, speed]: the angle that a state comes from
    total = torch.full((ANGLES, len(speeds)), torch.inf, device=cost.device)
    total[0, every.index(begins)] = 0.0
    choices = []
    for row in cost[1:]:
        best, chosen = (total[origin] + steady).min(-1)  # over the speed before
        total = best + row[:, None]
        choices.append(chosen)
    a, s = divmod(int(total.flatten().argmin()), len(every))
    steps = []
    for chosen in reversed(choices):
        steps.append(every[s])
        a, s = int(origin[a, s]), int(chosen[a, s])
    return float(total.min()), torch.tensor([0, *steps[::-1]], device=cost.device).cumsum(0)
