"""`Subject`: everything static about a kind of subject, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass

from fourreal.worlds.parts import Part, Vec


@dataclass(frozen=True)
class Subject:
    """A kind of subject.

    Attributes:
        name: label, singular.
        words: other words that captions may use for it.
        plan: body plan, which decides how actions move it: quad, biped, bird, fish, car, ship or plane.
        palette: six sRGB colours: main, second, dark, light, accent, extra.
        parts: the primitives in the rest pose, most important first.
        pivots: joint centre per bone, in the rest pose; bones left out turn about their parent's joint.
        hand: where the right hand (paw, wing tip) is in the rest pose.
        crown: top of the head in the rest pose.
        size: natural height relative to the others in scenes with two subjects.
    """

    name: str
    words: tuple[str, ...]
    plan: str
    palette: tuple[str, str, str, str, str, str]
    parts: tuple[Part, ...]
    pivots: dict[str, Vec]
    hand: Vec
    crown: Vec
    size: float = 1.0
