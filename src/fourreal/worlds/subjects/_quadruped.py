"""The parametric skeleton of four-legged animals."""

from __future__ import annotations

from dataclasses import dataclass

from fourreal.worlds.parts import ACCENT, DARK, LIGHT, MAIN, Part, Vec, ball, eye, limb, pair

from .base import Subject


@dataclass(frozen=True)
class Build:
    """Proportions of a quadruped, in metres of a toy about 1.3 high.

    leg: height of the hips; barrel: (radius at the rump, radius at the chest); long: hip to shoulder;
    neck: (up, forward) from shoulder to the head's centre; head: radii; snout: (length, thickness, drop);
    limb: (thigh radius, ankle radius); coat: pattern of body and legs; sock: palette slot of the feet;
    eye: radius, 0 for a subject that brings its own.
    """

    leg: float = 0.5
    barrel: tuple[float, float] = (0.25, 0.27)
    long: float = 0.7
    neck: tuple[float, float] = (0.38, 0.3)
    head: Vec = (0.24, 0.22, 0.24)
    snout: tuple[float, float, float] = (0.2, 0.1, 0.07)
    limb: tuple[float, float] = (0.1, 0.06)
    coat: str = "belly"
    alt: int = LIGHT
    sock: int = MAIN
    face: str = "plain"
    muzzle: int = LIGHT
    nose: int = DARK
    neck_radius: float = 0.15
    eye: float = 0.06


def _legs(b: Build) -> tuple[Part, ...]:
    thick, thin = b.limb
    wide, top, mid = b.barrel[1] * 0.62, b.leg + b.barrel[1] * 0.1, b.leg * 0.5
    coat = b.coat if b.coat in {"stripes", "spots", "patches", "mosaic"} else "plain"
    parts: list[Part] = []
    for upper, lower, z, knee in (("armL", "foreL", b.long / 2, 0.03), ("legL", "shinL", -b.long / 2, -0.05)):
        bend = (wide, mid, z + knee)
        foot = (wide, thin * 0.9, z - knee * 0.3)
        parts += pair(
            limb(
                (wide, top, z),
                bend,
                thick * (1.15 if upper == "legL" else 1),
                thin * 1.15,
                upper,
                pattern=coat,
                alt=b.alt,
            ),
            limb(
                bend,
                foot,
                thin * 1.15,
                thin,
                lower,
                color=b.sock,
                pattern=coat if b.sock == MAIN else "plain",
                alt=b.alt,
            ),
        )
    return tuple(parts)


def _paws(b: Build) -> tuple[Part, ...]:
    thin, wide = b.limb[1], b.barrel[1] * 0.62
    paws = [
        ball((wide, thin * 0.7, z + thin * 0.7), (thin * 1.25, thin * 0.7, thin * 1.6), bone, color=b.sock)
        for bone, z in (("foreL", b.long / 2), ("shinL", -b.long / 2))
    ]
    return pair(*paws)


def _head(b: Build) -> tuple[Vec, tuple[Part, ...]]:
    shoulder = b.leg + b.barrel[1] * 0.55
    center = (0.0, shoulder + b.neck[0], b.long / 2 + b.neck[1])
    rx, ry, rz = b.head
    length, thick, drop = b.snout
    _, y, z = center
    coat = b.coat if b.coat in {"stripes", "mosaic", "patches", "spots"} else b.face
    root = (0.0, y - drop * 0.6, z + rz * 0.55)
    end = (0.0, y - drop - 0.02, z + rz * 0.75 + length)
    return center, (
        ball(center, b.head, "head", pattern=coat, alt=b.alt),
        limb(root, end, thick * 1.15, thick * 0.72, "head", color=b.muzzle),
        *(pair(eye((rx * 0.52, y + ry * 0.28, z + rz * 0.78), b.eye, 22)) if b.eye else ()),
        ball(
            (0.0, end[1] + thick * 0.42, end[2] + thick * 0.45),
            (thick * 0.42, thick * 0.3, thick * 0.3),
            "head",
            color=b.nose,
            gloss=0.7,
            caster=False,
        ),
    )


def _trunk(b: Build, head: Vec) -> tuple[Part, ...]:
    rump, chest = b.barrel
    y, half = b.leg + 0.1 * chest, b.long / 2
    coat = {"pattern": b.coat, "alt": b.alt}
    return (
        limb((0, y + rump * 0.55, -half * 0.8), (0, y + chest * 0.5, half * 0.75), rump, chest, **coat),
        limb(
            (0, y + chest * 0.7, half * 0.85),
            (0, head[1] - 0.05, head[2] - 0.06),
            b.neck_radius * 1.25,
            b.neck_radius,
            "body",
            **coat,
        ),
        ball((0, y + chest * 0.42, half * 0.8), (chest * 0.95, chest * 1.02, chest * 0.9), **coat),
    )


def _pivots(b: Build, head: Vec, tail: Vec) -> dict[str, Vec]:
    wide, y, half = b.barrel[1] * 0.62, b.leg + b.barrel[1] * 0.1, b.long / 2
    out: dict[str, Vec] = {
        "body": (0, y, -half),
        "head": (0, head[1] - b.head[1] * 0.7, head[2] - b.head[2] * 0.6),
        "jaw": (0, head[1] - 0.05, head[2]),
        "tail": tail,
        "tip": (0, tail[1], tail[2] - 0.2),
    }
    for side, sign in (("L", 1.0), ("R", -1.0)):
        out["arm" + side] = (sign * wide, y, half)
        out["leg" + side] = (sign * wide, y, -half)
        out["fore" + side] = (sign * wide, b.leg * 0.5, half + 0.03)
        out["shin" + side] = (sign * wide, b.leg * 0.5, -half - 0.05)
    return out


def quadruped(
    name: str,
    words: tuple[str, ...],
    palette: tuple[str, str, str, str, str, str],
    b: Build,
    extras: dict[str, tuple[Part, ...]] | None = None,
    size: float = 1.0,
) -> Subject:
    """A subject from proportions and `extras`: parts per group, "ears", "tail", "more"; placed by `at`."""
    head, face = _head(b)
    parts = _trunk(b, head) + face + _legs(b)
    for group in ("ears", "tail", "more"):
        parts += (extras or {}).get(group, ())
    tail = tail_root(b)
    return Subject(
        name,
        words,
        "quad",
        palette,
        parts + _paws(b),
        _pivots(b, head, tail),
        (-b.barrel[1] * 0.62, 0.05, b.long / 2 + 0.05),
        (0, head[1] + b.head[1] * 0.92, head[2] - 0.02),
        size,
    )


def head_at(b: Build) -> Vec:
    """Centre of the head."""
    return (0.0, b.leg + b.barrel[1] * 0.55 + b.neck[0], b.long / 2 + b.neck[1])


def tail_root(b: Build) -> Vec:
    """Where the tail begins."""
    return (0.0, b.leg + b.barrel[0] * 0.95, -b.long / 2 - b.barrel[0] * 0.55)


def pointed_ears(b: Build, tip: Vec, radii: tuple[float, float], inner: int = ACCENT) -> tuple[Part, ...]:
    """Two pointed ears; `tip` is the offset of the left ear's tip from its root."""
    x, y, z = head_at(b)
    root = (x + b.head[0] * 0.6, y + b.head[1] * 0.62, z - b.head[2] * 0.15)
    end = (root[0] + tip[0], root[1] + tip[1], root[2] + tip[2])
    return pair(limb(root, end, *radii, "head", alt=inner, pattern="end"))


def flap_ears(b: Build, radii: Vec, turn: Vec, color: int = MAIN, drop: float = 0.1) -> tuple[Part, ...]:
    """Two flat ears at the sides of the head."""
    x, y, z = head_at(b)
    center = (x + b.head[0] * 0.85 + radii[0] * 0.5, y + b.head[1] * 0.6 - drop, z - b.head[2] * 0.2)
    return pair(ball(center, radii, "head", turn, color=color))


def tail_of(b: Build, mid: Vec, end: Vec, radii: Vec, **look: object) -> tuple[Part, ...]:
    """Two segments; `mid` and `end` are offsets from the root, `radii` at root, middle, end."""
    x, y, z = tail_root(b)
    root, m, e = (x, y, z), (x + mid[0], y + mid[1], z + mid[2]), (x + end[0], y + end[1], z + end[2])
    return (
        limb(root, m, radii[0], radii[1], "tail", color=look.get("root", MAIN)),
        limb(m, e, radii[1], radii[2], "tip", **{k: v for k, v in look.items() if k != "root"}),
    )
