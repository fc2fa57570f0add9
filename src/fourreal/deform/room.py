"""An upright cylinder that something turns in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ROOM = 8  # numbers that describe one


@dataclass(frozen=True)
class Room:
    """All points above a floor and near an upright line.

    Attributes:
        centre: [3] a point of the line, world units.
        axis: [3] unit vector along it, upwards.
        radius: [] of the cylinder, world units.
        floor: [] where it begins, world units along the axis from the centre (below it: negative).
    """

    centre: Float[Tensor, " 3"]
    axis: Float[Tensor, " 3"]
    radius: Float[Tensor, ""]
    floor: Float[Tensor, ""]

    @classmethod
    def of(cls, numbers: Float[Tensor, " 8"]) -> Room:
        """The reverse of `numbers`."""
        return cls(numbers[:3], numbers[3:6], numbers[6], numbers[7])

    def numbers(self) -> Float[Tensor, " 8"]:
        """All in one tensor, to be stored."""
        return torch.cat([self.centre, self.axis, self.radius[None], self.floor[None]])

    def apart(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
        """Distances from the line, world units."""
        arms = points - self.centre
        return (arms - (arms @ self.axis)[:, None] * self.axis).norm(dim=-1)

    def holds(self, points: Float[Tensor, "N 3"]) -> Bool[Tensor, " N"]:
        """Whether points lie in it."""
        return (self.apart(points) <= self.radius) & ((points - self.centre) @ self.axis >= self.floor)
