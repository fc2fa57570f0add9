"""`Prop`: a thing that stands around, is held or worn."""

from __future__ import annotations

from dataclasses import dataclass

from .parts import Part

Palette = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Prop:
    """A thing.

    Attributes:
        name, words: label and other words for captions.
        anchor: "scenery" (on the ground, around the subject), "hand", "chest" (between the hands), "front" (on the
            ground before the subject), "seat" (around the subject's middle) or "crown" (top of the head).
        palette: six sRGB colours, as for subjects.
        parts: primitives; the origin is the point held, or the point on the ground.
        many: usual number of copies of scenery, 1 to 3.
        light: 0, or the strength of the light that it gives.
        back: for held things, how far the origin stays in front of the anchor, in metres.
    """

    name: str
    words: tuple[str, ...]
    anchor: str
    palette: Palette
    parts: tuple[Part, ...]
    many: int = 1
    light: float = 0.0
    back: float = 0.0
