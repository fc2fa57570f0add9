"""Which way a subject faces and on which side it stands: how prompts say it, and what is said where they do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

from fourreal.worlds.facing import BACK, FRONT, LEFT, RIGHT, SIDES

from .phrasebook import FRAME, Entry, Words, bare

WAY, SIDE = (FRAME, "way"), (FRAME, "side")
_SAID: dict[str, str] = {
    FRONT: "seen from the front, viewed from the front, from the front, front view, facing the camera, "
    "facing the viewer, facing us, facing me, facing you, facing forward, facing forwards",
    BACK: "seen from behind, viewed from behind, from behind, seen from the back, from the back, rear view, back view, "
    "facing away, facing away from the camera, facing away from us",
    LEFT: "facing left, facing to the left, facing leftwards, looking left, looking to the left, turned left, "
    "turned to the left, heading left, to the left, from right to left",
    RIGHT: "facing right, facing to the right, facing rightwards, looking right, looking to the right, turned right, "
    "turned to the right, heading right, to the right, from left to right",
    SIDES[0]: "on the left, on the left side, on the left of, to the left of, left of, at the left",
    SIDES[1]: "on the right, on the right side, on the right of, to the right of, right of, at the right",
}
# What they do turns them, takes them elsewhere or lays them down: they may be seen from anywhere.
_MOVING = frozenset(
    ("driving", "flying", "jumping", "rolling", "running", "sailing", "sleeping", "spinning", "swimming", "walking")
)
# Who does this is seen from all sides.
ROUND = "spinning"
# From the front these would be seen over what they look at: a cat's face was keys of its piano (looked at).
_HIDDEN = frozenset(("piano", "movie", "television"))


@lru_cache(maxsize=1)
def views() -> tuple[Entry, ...]:
    """Every way to say which way a subject faces or where it stands."""
    return tuple(
        Entry(*(SIDE if words in SIDES else WAY), bare(phrase.split()), tuple(words.split()))
        for words, phrases in _SAID.items()
        for phrase in phrases.split(", ")
    )


def way_for(action: str, words: Words) -> Words:
    """How to see a subject of which this is not said: from the front if its face shows so and it stays in its place.

    Args:
        action: what the subject does; "" if nothing is known.
        words: of the caption; in them is what it may hide behind.
    """
    return () if action in _MOVING or _HIDDEN.intersection(words) else tuple(FRONT.split())


def places_for(words: Sequence[str]) -> tuple[Words, Words]:
    """Where to put two subjects of which this is not said, as the words decide."""
    first, second = SIDES[:: 1 if zlib.crc32(" ".join(words).encode()) % 2 else -1]
    return tuple(first.split()), tuple(second.split())


def other_side(words: Words) -> Words:
    """The side across."""
    return tuple(next(side for side in SIDES if side != " ".join(words)).split())


def sides_of(words: Words) -> list[str]:
    """The sides that a sentence speaks of, in its order."""
    return [side for i in range(len(words)) for side in SIDES if " ".join(words[i : i + 3]) == side]
