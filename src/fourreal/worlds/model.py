"""`Worlds`: a batch of 4D scenes as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

# Primitive slots of a world by shape: ellipsoids, round cones, boxes, capped cones, in this order; and how many of
# each throw shadows (tiny parts are sorted to the end).
POOLS = (30, 30, 10, 8)
CASTERS = (24, 30, 10, 8)
SLOTS = sum(POOLS)
NOBODY, SUBJECT, SECOND, THING = range(4)  # owners of slots


@dataclass(frozen=True, eq=False)
class Slots:
    """The primitives of every world in rest pose (y up, metres).

    center, size, main, alt: [B, P, 3]; frame: [B, P, 3, 3]; bone: [B, P] index of the transform that moves the slot
    (see `pose`); pattern, owner: [B, P]; gloss: [B, P]. `main`, `alt` are linear RGB.
    """

    center: Float[Tensor, "B P 3"]
    size: Float[Tensor, "B P 3"]
    frame: Float[Tensor, "B P 3 3"]
    main: Float[Tensor, "B P 3"]
    alt: Float[Tensor, "B P 3"]
    gloss: Float[Tensor, "B P"]
    bone: Int64[Tensor, "B P"]
    pattern: Int64[Tensor, "B P"]
    owner: Int64[Tensor, "B P"]

    @property
    def actors(self) -> Tensor:
        """[B, P] whether a slot is of a subject, and not of a thing or empty."""
        return (self.owner > NOBODY) & (self.owner < THING)


@dataclass(frozen=True, eq=False)
class Rig:
    """How subject and second subject (axis 2) move.

    pivots [B, 2, bones, 3]; motion [B, 2, channels, basis]; cycles, start, yaw, scale, height [B, 2];
    place [B, 2, 3]; hand, crown [B, 3] of the subject; anchor [B] index of the held item's anchor;
    reach [B] metres from the anchor; front [B] metres from the subject's middle to its nose.
    """

    pivots: Float[Tensor, "B 2 J 3"]
    motion: Float[Tensor, "B 2 C K"]
    cycles: Float[Tensor, "B 2"]
    start: Float[Tensor, "B 2"]
    yaw: Float[Tensor, "B 2"]
    height: Float[Tensor, "B 2"]
    place: Float[Tensor, "B 2 3"]
    hand: Float[Tensor, "B 3"]
    crown: Float[Tensor, "B 3"]
    anchor: Int64[Tensor, " B"]
    reach: Float[Tensor, " B"]
    front: Float[Tensor, " B"]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Ground, sky, weather and lights.

    ground [B, 3, 3] colours; style [B] index of ground style; grain [B]; sky [B, 4, 3] horizon, zenith, sun, hills;
    sun [B, 3] unit vector to the light; power [B, 2] of sun and ambient; clouds, stars, haze, rain, snow [B];
    lamp [B, 3] place and glow [B, 3] colour of a point light; salt [B] int32 for textures.
    """

    ground: Float[Tensor, "B 3 3"]
    style: Int64[Tensor, " B"]
    grain: Float[Tensor, " B"]
    sky: Float[Tensor, "B 4 3"]
    sun: Float[Tensor, "B 3"]
    power: Float[Tensor, "B 2"]
    clouds: Float[Tensor, " B"]
    stars: Float[Tensor, " B"]
    haze: Float[Tensor, " B"]
    rain: Float[Tensor, " B"]
    snow: Float[Tensor, " B"]
    lamp: Float[Tensor, "B 3"]
    glow: Float[Tensor, "B 3"]
    salt: Tensor


@dataclass(frozen=True, eq=False)
class View:
    """The default camera: target [B, 3], azimuth, elevation (radians) and distance (metres) [B], fov [B] vertical."""

    target: Float[Tensor, "B 3"]
    azimuth: Float[Tensor, " B"]
    elevation: Float[Tensor, " B"]
    distance: Float[Tensor, " B"]
    fov: Float[Tensor, " B"]


@dataclass(frozen=True, eq=False)
class Worlds:
    """A batch of B worlds. Units: metres and seconds of a clip; y is up, the ground is y = 0.

    Attributes:
        seeds: [B] int64.
        labels: factor name (see `vocabulary.FACTORS`) to [B] int64 label ids.
        slots, rig, surroundings, view: the scene itself.
    """

    seeds: Int64[Tensor, " B"]
    labels: dict[str, Tensor]
    slots: Slots
    rig: Rig
    surroundings: Surroundings
    view: View

    def __len__(self) -> int:
        return self.seeds.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.seeds.device

    def __getitem__(self, index: slice | list[int] | Tensor) -> Worlds:
        """The worlds at `index` (a slice, list or index tensor)."""
        return self._mapped(lambda x: x[index])

    def to(self, device: torch.device | str) -> Worlds:
        """A copy on `device`."""
        return self._mapped(lambda x: x.to(device))

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Worlds:
        def each(part: Any) -> Any:
            return type(part)(*(change(getattr(part, f.name)) for f in fields(part)))

        labels = {k: change(v) for k, v in self.labels.items()}
        return Worlds(
            change(self.seeds), labels, each(self.slots), each(self.rig), each(self.surroundings), each(self.view)
        )
