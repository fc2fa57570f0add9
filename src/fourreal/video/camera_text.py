"""Camera paths in words: "orbit 90 right, rise 10"."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import torch

from .base import CameraPath, FrameCountError, UnsupportedConditionError

EXAMPLES = (
    '"orbit 90 right", "orbit 45 left", "orbit 360", "rise 20", "lower 10" (degrees), '
    '"dolly in 30 %", "dolly out 1.5x" and "static", joined by "," or "and"'
)
MAX_ORBIT, MAX_ELEVATION, MAX_DOLLY = 360.0, 60.0, 4.0

_NUMBER = r"(?P<value>\d+(?:\.\d*)?|\.\d+)"
_DEGREES = rf"{_NUMBER}\s*(?:°|deg(?:ree)?s?\.?)?"
_ORBITS = (
    re.compile(rf"orbit\s+{_DEGREES}(?:\s*(?:to\s+the\s+)?(?P<side>left|right))?"),
    re.compile(rf"orbit\s+(?P<side>left|right)\s+(?:by\s+)?{_DEGREES}"),
)
_CLIMB = re.compile(rf"(?P<way>rise|lower)\s+(?:by\s+)?{_DEGREES}")
_DOLLY = re.compile(rf"dolly\s+(?P<way>in|out)\s+(?:by\s+)?{_NUMBER}\s*(?P<unit>%|percent|x|times)")
_STATIC = re.compile(r"static")


class _Move(NamedTuple):
    """What one phrase does: the columns of `CameraPath.values` that it decides, and its value there at the end."""

    phrase: str
    columns: tuple[int, ...]
    value: float


def parse_camera(text: str, frames: int) -> CameraPath:
    """The camera path that a phrase such as "orbit 90 right, rise 10" describes.

    All moves happen together, linearly in the frame number (a dolly in the logarithm of the distance): nothing at
    frame 0, all of it at the last frame. Case does not matter; "deg", "degrees" and the degree sign may follow an
    angle. "dolly in 30 %" ends at 0.7 of the distance, "dolly out 30 %" at 1.3, "dolly out 1.5x" at 1.5, "dolly in 2x"
    at a half.

    Args:
        text: one or more phrases, each move at most once.
        frames: poses of the path, at least 1; a single one is the start.

    Raises:
        UnsupportedConditionError: for a phrase that is unknown, contradicts another, or leaves the limits: orbits of
            360 degrees, elevations of 60 degrees, distances of 0.25 to 4 times the first.
        FrameCountError: if `frames` is not positive.
    """
    if frames < 1:
        raise FrameCountError(f"a camera path must have at least 1 pose, got {frames}")
    phrases = [p for part in re.split(r",|\band\b", text.lower()) if (p := " ".join(part.split()))]
    if not phrases:
        raise UnsupportedConditionError(f"the camera text {text[:20]!r} names no move; what works: {EXAMPLES}")
    end = torch.zeros(3, dtype=torch.float64)
    taken: dict[int, str] = {}
    for move in map(_move, phrases):
        for column in move.columns:
            if column in taken:
                raise UnsupportedConditionError(
                    f'"{_short(move.phrase)}" contradicts "{_short(taken[column])}": moves happen together, '
                    "so name each at most once"
                )
            taken[column] = move.phrase
            end[column] = move.value
    share = torch.linspace(0, 1, frames, dtype=torch.float64)
    return CameraPath((share[:, None] * end).float())


def _move(phrase: str) -> _Move:
    for pattern in _ORBITS:
        if found := pattern.fullmatch(phrase):
            degrees = _limited(phrase, "an orbit", float(found["value"]), MAX_ORBIT)
            return _Move(phrase, (0,), math.radians(-degrees if found["side"] == "left" else degrees))
    if found := _CLIMB.fullmatch(phrase):
        degrees = _limited(phrase, "a change of elevation", float(found["value"]), MAX_ELEVATION)
        return _Move(phrase, (1,), math.radians(degrees if found["way"] == "rise" else -degrees))
    if found := _DOLLY.fullmatch(phrase):
        return _Move(phrase, (2,), math.log(_factor(phrase, found)))
    if _STATIC.fullmatch(phrase):
        return _Move(phrase, (0, 1, 2), 0.0)
    raise UnsupportedConditionError(f'cannot read the camera move "{_short(phrase)}"; what works: {EXAMPLES}')


def _limited(phrase: str, what: str, degrees: float, limit: float) -> float:
    if degrees > limit:
        raise UnsupportedConditionError(
            f'"{_short(phrase)}" goes too far: {what} has at most {limit:g} degrees, got {degrees:g}'
        )
    return degrees


def _factor(phrase: str, found: re.Match[str]) -> float:
    """The factor on the distance."""
    value, closer = float(found["value"]), found["way"] == "in"
    if found["unit"] in ("%", "percent"):
        factor = 1 - value / 100 if closer else 1 + value / 100
    elif value < 1:
        other = "out" if closer else "in"
        raise UnsupportedConditionError(
            f'"{_short(phrase)}" says two directions at once: give a factor of at least 1, or write "dolly {other}"'
        )
    else:
        factor = 1 / value if closer else value
    if not 1 / MAX_DOLLY <= factor <= MAX_DOLLY:
        raise UnsupportedConditionError(
            f'"{_short(phrase)}" would end at {factor:g} times the distance; '
            f"that must lie in {1 / MAX_DOLLY:g} to {MAX_DOLLY:g}"
        )
    return factor


def _short(phrase: str) -> str:
    return phrase if len(phrase) <= 60 else phrase[:57] + "..."
