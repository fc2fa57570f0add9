"""Parts: the words in which subjects and props are described. Pure data, no tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

Vec = tuple[float, float, float]

ELLIPSOID, ROUND_CONE, BOX, CAPPED_CONE = range(4)

# Every subject has these bones, whatever it is: arms are also front legs, wings, flippers or front wheels.
BONES = (
    "root",
    "body",
    "head",
    "jaw",
    "armL",
    "armR",
    "foreL",
    "foreR",
    "legL",
    "legR",
    "shinL",
    "shinR",
    "tail",
    "tip",
)
PARENTS = (-1, 0, 1, 2, 1, 1, 4, 5, 1, 1, 8, 9, 1, 12)

PATTERNS = (
    "plain",
    "belly",
    "end",
    "stripes",
    "spots",
    "patches",
    "mosaic",
    "eye",
    "muzzle",
    "wheel",
    "glow",
    "rings",
    "shell",
    "glass",
    "split",
    "inner",
)

# Palette slots of a subject.
MAIN, SECOND, DARK, LIGHT, ACCENT, EXTRA = range(6)


@dataclass(frozen=True)
class Part:
    """One primitive in the subject's rest pose (y up, facing +z, its left at +x, soles at y = 0).

    Attributes:
        shape: ELLIPSOID, ROUND_CONE, BOX or CAPPED_CONE.
        center: centre of the primitive.
        frame: 3x3 rotation, columns are the primitive's own axes.
        size: radii; half extents; or (radius at -y, half length, radius at +y) for the two cones.
        bone: name in `BONES` that the part is rigidly attached to.
        color, alt: palette slots of the ground colour and of the pattern's second colour.
        pattern: name in `PATTERNS`.
        gloss: 0 matt .. 1 shiny.
        caster: whether it throws a shadow (tiny parts do not).
    """

    shape: int
    center: Vec
    frame: tuple[Vec, Vec, Vec]
    size: Vec
    bone: str = "body"
    color: int = MAIN
    alt: int = SECOND
    pattern: str = "plain"
    gloss: float = 0.1
    caster: bool = True


_EYE3: tuple[Vec, Vec, Vec] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _turn(degrees: Vec) -> tuple[Vec, Vec, Vec]:
    """Rotation by `degrees` about z, then x, then y."""
    if degrees == (0, 0, 0):
        return _EYE3
    x, y, z = (math.radians(a) for a in degrees)
    rx = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    ry = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    rz = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return _tuples(ry @ rx @ rz)


def _tuples(matrix: np.ndarray) -> tuple[Vec, Vec, Vec]:
    rows = [(float(r[0]), float(r[1]), float(r[2])) for r in matrix]
    return rows[0], rows[1], rows[2]


def _along(a: Vec, b: Vec) -> tuple[Vec, tuple[Vec, Vec, Vec], float]:
    """Centre, frame with y from `a` to `b`, and half length."""
    pa, pb = np.array(a, float), np.array(b, float)
    length = float(np.linalg.norm(pb - pa))
    y = (pb - pa) / max(length, 1e-9)
    guide = np.array([0.0, 0.0, 1.0]) if abs(y[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = np.cross(y, guide)
    x /= np.linalg.norm(x)
    middle = (pa + pb) / 2
    frame = _tuples(np.stack([x, y, np.cross(x, y)], 1))
    return (float(middle[0]), float(middle[1]), float(middle[2])), frame, length / 2


def ball(center: Vec, radii: Vec | float, bone: str = "body", turn: Vec = (0, 0, 0), **look: object) -> Part:
    """Ellipsoid."""
    size = (radii, radii, radii) if isinstance(radii, int | float) else radii
    return replace(Part(ELLIPSOID, center, _turn(turn), size, bone), **look)  # type: ignore[arg-type]


def eye(center: Vec, radius: Vec | float, turn: float) -> Part:
    """An eye on the head that looks ahead, turned outward by `turn` degrees.

    Nearly all of it is dark, and it stands out of the head: in a clip of 36x64 an eye is two pixels wide, and white
    round a pupil would make a grey face of it.
    """
    turned = (0, turn, 0)
    return ball(center, radius, "head", turned, color=LIGHT, alt=DARK, pattern="eye", gloss=0.25, caster=False)


def limb(a: Vec, b: Vec, ra: float, rb: float, bone: str = "body", **look: object) -> Part:
    """Round cone (capsule when `ra == rb`) from `a` to `b`: the hull of two balls."""
    center, frame, half = _along(a, b)
    half = max(half, abs(ra - rb) * 0.52 + 1e-3)  # one ball must not swallow the other
    return replace(Part(ROUND_CONE, center, frame, (ra, half, rb), bone), **look)  # type: ignore[arg-type]


def block(center: Vec, half: Vec, bone: str = "body", turn: Vec = (0, 0, 0), **look: object) -> Part:
    """Box with softly shaded edges."""
    return replace(Part(BOX, center, _turn(turn), half, bone), **look)  # type: ignore[arg-type]


def tube(a: Vec, b: Vec, ra: float, rb: float, bone: str = "body", **look: object) -> Part:
    """Flat-ended cone from `a` to `b`; a cylinder when `ra == rb`, a pointed cone when `rb` is 0."""
    center, frame, half = _along(a, b)
    return replace(Part(CAPPED_CONE, center, frame, (ra, half, rb), bone), **look)  # type: ignore[arg-type]


def mirrored(part: Part) -> Part:
    """The part on the other side of the plane x = 0, on the bone of that side."""
    flip = np.diag([-1.0, 1.0, 1.0])
    frame = flip @ np.array(part.frame) @ flip
    bone = part.bone[:-1] + "R" if part.bone.endswith("L") else part.bone
    x, y, z = part.center
    return replace(part, center=(-x, y, z), frame=_tuples(frame), bone=bone)


def pair(*parts: Part) -> tuple[Part, ...]:
    """Each part followed by its mirror image."""
    return tuple(p for part in parts for p in (part, mirrored(part)))


def shifted(parts: Iterable[Part], offset: Vec) -> tuple[Part, ...]:
    """The parts moved by `offset`."""
    return tuple(
        replace(p, center=(p.center[0] + offset[0], p.center[1] + offset[1], p.center[2] + offset[2])) for p in parts
    )
