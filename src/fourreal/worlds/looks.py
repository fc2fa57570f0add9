"""Colours, grounds, skies and weathers: names for captions and numbers for shading."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# "natural" keeps the subject's own palette and is left out of captions.
COLORS: dict[str, str] = {
    "natural": "#888888",
    "red": "#d8342c",
    "orange": "#ee7f1e",
    "yellow": "#f5cb2e",
    "green": "#4caf3f",
    "teal": "#23a79b",
    "blue": "#2f6fd6",
    "purple": "#8147c4",
    "pink": "#f186b0",
    "brown": "#7c4a26",
    "black": "#2b2a2e",
    "white": "#f4f2ee",
    "gray": "#8d9096",
    "golden": "#e2b13c",
    "silver": "#c3c9d1",
}
METALS = ("golden", "silver")

GROUND_STYLES = ("soft", "planks", "tiles", "cells", "water", "road", "leaves", "carpet")


@dataclass(frozen=True)
class Ground:
    """A ground: two base colours, an accent, the style of its texture and its grain (features a metre)."""

    name: str
    words: tuple[str, ...]
    style: str
    colors: tuple[str, str, str]
    grain: float


@dataclass(frozen=True)
class Sky:
    """A sky: colours at horizon and zenith, the sun (or moon), and how much light comes from where.

    sun_height: lowest and highest elevation of the light in degrees; sun, ambient: strengths; clouds: cover 0..1;
    stars: 1 at night; hills: colour of the distant hills; haze: fog per metre at the ground.
    """

    name: str
    words: tuple[str, ...]
    horizon: str
    zenith: str
    sun_color: str
    sun: float
    ambient: float
    sun_height: tuple[float, float]
    clouds: float
    stars: float
    hills: str
    haze: float


GROUNDS: tuple[Ground, ...] = (
    Ground("grass", ("on grass", "on a meadow", "in a grassy field"), "soft", ("#6aa53f", "#3f762d", "#a9bd58"), 2.2),
    Ground("snow", ("on snow", "in the snow", "on a snowy field"), "soft", ("#f2f6fb", "#c9d8ea", "#ffffff"), 1.0),
    Ground("sand", ("on sand", "on the beach", "in the desert"), "soft", ("#e8cb92", "#cfa769", "#f5e2b8"), 1.4),
    Ground("dirt", ("on dirt", "on muddy ground", "on a dirt path"), "soft", ("#8c6340", "#5f4029", "#b08a5c"), 1.8),
    Ground("wood", ("on a wooden floor", "on floorboards"), "planks", ("#b9824c", "#8f5d32", "#5d3a1e"), 2.2),
    Ground("tiles", ("on a tiled floor", "on a checkered floor"), "tiles", ("#ece6da", "#5f7f8c", "#3f4b52"), 1.5),
    Ground("stone", ("on cobblestones", "on stone"), "cells", ("#a39f98", "#7a766f", "#4c4843"), 2.0),
    Ground("leaves", ("on autumn leaves", "on fallen leaves"), "leaves", ("#cf7a30", "#9c4426", "#dcb044"), 6.5),
    Ground("water", ("in water", "in a lake", "in the sea"), "water", ("#3f8fb0", "#1d5d85", "#d8f0f5"), 1.2),
    Ground("road", ("on a road", "on the street", "on asphalt"), "road", ("#5d6066", "#46484d", "#f1ead6"), 3.0),
    Ground("carpet", ("on a carpet", "on a rug"), "carpet", ("#9c3d42", "#6e2a3a", "#d3a566"), 1.5),
    Ground("moon dust", ("on the moon", "on moon dust"), "soft", ("#a3a3a8", "#6f7078", "#c7c7cc"), 1.1),
)

SKIES: tuple[Sky, ...] = (
    Sky(
        "day",
        ("on a sunny day", "under a blue sky", "in daylight"),
        "#cfe6f7",
        "#4d94de",
        "#fff3dc",
        2.3,
        0.95,
        (35, 62),
        0.45,
        0,
        "#8fb3c4",
        0.012,
    ),
    Sky(
        "overcast",
        ("on a cloudy day", "under an overcast sky"),
        "#d5dbe0",
        "#a3b0bd",
        "#f2f4f7",
        0.9,
        1.35,
        (45, 65),
        0.95,
        0,
        "#98a6ad",
        0.02,
    ),
    Sky(
        "sunset",
        ("at sunset", "in the evening light"),
        "#ffb266",
        "#5b4a8c",
        "#ffb066",
        2.1,
        0.7,
        (14, 26),
        0.6,
        0,
        "#7a5570",
        0.016,
    ),
    Sky(
        "dawn",
        ("at dawn", "at sunrise", "early in the morning"),
        "#ffd5c2",
        "#86a8d8",
        "#ffd2a8",
        1.9,
        0.85,
        (16, 30),
        0.35,
        0,
        "#c0a6bd",
        0.022,
    ),
    Sky(
        "golden hour",
        ("at golden hour", "in warm afternoon light"),
        "#ffe3a6",
        "#6fa3cf",
        "#ffd080",
        2.4,
        0.75,
        (22, 34),
        0.3,
        0,
        "#d8bf90",
        0.014,
    ),
    Sky(
        "night",
        ("at night", "under the stars", "in the moonlight"),
        "#33427a",
        "#0c1438",
        "#b4c6f5",
        1.05,
        0.75,
        (35, 60),
        0.15,
        1,
        "#141b38",
        0.015,
    ),
    Sky(
        "studio",
        ("in a studio", "in front of a plain backdrop"),
        "#d9cfc4",
        "#b5a79c",
        "#fff6ea",
        1.7,
        1.15,
        (45, 65),
        0,
        0,
        "#d9cfc4",
        0.05,
    ),
    Sky(
        "underwater",
        ("underwater", "under the sea"),
        "#2f9bb8",
        "#0d4a80",
        "#bff2ff",
        1.3,
        0.95,
        (60, 80),
        0,
        0,
        "#1d7a9c",
        0.075,
    ),
)

# fog density per metre, amount of rain, amount of falling snow
WEATHERS: dict[str, tuple[float, float, float]] = {
    "clear": (0.0, 0.0, 0.0),
    "fog": (0.062, 0.0, 0.0),
    "rain": (0.022, 1.0, 0.0),
    "snowfall": (0.02, 0.0, 1.0),
}
WEATHER_WORDS: dict[str, tuple[str, ...]] = {
    "clear": ("",),
    "fog": ("in the fog", "on a foggy day"),
    "rain": ("in the rain", "while it rains"),
    "snowfall": ("in falling snow", "while it snows"),
}


def linear(code: str) -> tuple[float, float, float]:
    """Linear RGB of an sRGB colour code like "#ff8000" (IEC 61966-2-1)."""
    channels = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    out = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return out[0], out[1], out[2]


def color_table(device: torch.device) -> Float[Tensor, "K 3"]:
    """Linear RGB of `COLORS`."""
    return torch.tensor([linear(c) for c in COLORS.values()], device=device)


def ground_table(device: torch.device) -> tuple[Float[Tensor, "G 3 3"], Float[Tensor, "G 2"]]:
    """Per ground: three linear colours; style index and grain."""
    colors = torch.tensor([[linear(c) for c in g.colors] for g in GROUNDS], device=device)
    numbers = torch.tensor([[float(GROUND_STYLES.index(g.style)), g.grain] for g in GROUNDS], device=device)
    return colors, numbers


def sky_table(device: torch.device) -> tuple[Float[Tensor, "S 4 3"], Float[Tensor, "S 7"]]:
    """Per sky: linear horizon, zenith, sun and hill colours; sun, ambient, lowest and highest sun elevation (degrees),
    clouds, stars, haze."""
    colors = torch.tensor(
        [[linear(c) for c in (s.horizon, s.zenith, s.sun_color, s.hills)] for s in SKIES], device=device
    )
    numbers = torch.tensor([[s.sun, s.ambient, *s.sun_height, s.clouds, s.stars, s.haze] for s in SKIES], device=device)
    return colors, numbers


def weather_table(device: torch.device) -> Float[Tensor, "W 3"]:
    """Per weather: fog per metre, rain, snow."""
    return torch.tensor(list(WEATHERS.values()), device=device)
