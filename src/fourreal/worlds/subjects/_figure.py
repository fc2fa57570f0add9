"""The parametric body of upright subjects."""

from __future__ import annotations

from dataclasses import dataclass

from fourreal.worlds.parts import ACCENT, DARK, LIGHT, MAIN, Part, Vec, ball, eye, limb, pair

from .base import Subject


@dataclass(frozen=True)
class Figure:
    """Proportions of an upright body about 1.5 high.

    leg: hip height; hips, chest: radii; waist: distance from hips to chest; head: radii; arm: length;
    girth: (arm radius, leg radius); stance: how far apart the legs are, times what the
    hips suggest; the rest are palette slots (torso, arms, legs, hands, feet, muzzle).
    """

    leg: float = 0.3
    hips: float = 0.34
    chest: float = 0.27
    waist: float = 0.38
    head: Vec = (0.34, 0.31, 0.3)
    arm: float = 0.46
    girth: tuple[float, float] = (0.115, 0.14)
    torso: int = MAIN
    belly: str = "belly"
    arms: int = MAIN
    legs: int = MAIN
    hands: int = MAIN
    feet: int = MAIN
    muzzle: int | None = LIGHT
    eye: float = 0.066
    gap: float = 0.02
    stance: float = 1.0


def head_at(f: Figure) -> Vec:
    """Centre of the head."""
    return (0.0, f.leg + f.hips * 0.55 + f.waist + f.chest * 0.75 + f.head[1] * 0.8 + f.gap, 0.03)


def _shoulder(f: Figure) -> Vec:
    return (f.chest * 0.95, f.leg + f.hips * 0.55 + f.waist + f.chest * 0.3, 0.0)


def _limbs(f: Figure) -> tuple[Part, ...]:
    sx, sy, _ = _shoulder(f)
    ra, rl = f.girth
    elbow = (sx + 0.13, sy - f.arm * 0.5, 0.02)
    hand = (sx + 0.17, sy - f.arm, 0.08)
    wide = f.hips * f.stance
    hip = (wide * 0.52, f.leg + f.hips * 0.1, 0.0)
    knee = (wide * 0.58, f.leg * 0.52, 0.03)
    sole = (wide * 0.6, rl * 0.6, 0.0)
    return pair(
        limb((sx, sy, 0), elbow, ra, ra * 0.88, "armL", color=f.arms),
        limb(elbow, hand, ra * 0.88, ra * 0.8, "foreL", color=f.arms),
        limb(hip, knee, rl * 1.1, rl * 0.9, "legL", color=f.legs),
        limb(knee, sole, rl * 0.9, rl * 0.75, "shinL", color=f.legs),
        ball((sole[0] + 0.01, rl * 0.55, 0.08), (rl * 0.88, rl * 0.55, rl * 1.35), "shinL", color=f.feet),
        ball((hand[0], hand[1] - 0.02, hand[2] + 0.01), ra * 0.95, "foreL", color=f.hands),
    )


def _face(f: Figure) -> tuple[Part, ...]:
    x, y, z = head_at(f)
    rx, ry, rz = f.head
    parts = [*pair(eye((rx * 0.4, y + ry * 0.14, z + rz * 0.86), f.eye, 16))]
    if f.muzzle is not None:
        parts += [
            ball((x, y - ry * 0.28, z + rz * 0.85), (rx * 0.46, ry * 0.34, rz * 0.42), "head", color=f.muzzle),
            ball((x, y - ry * 0.12, z + rz * 1.22), (0.06, 0.042, 0.04), "head", color=DARK, gloss=0.7, caster=False),
            ball((x, y - ry * 0.5, z + rz * 1.1), (0.06, 0.02, 0.06), "jaw", color=ACCENT, caster=False),
        ]
    return tuple(parts)


def _pivots(f: Figure) -> dict[str, Vec]:
    x, y, z = head_at(f)
    sx, sy, _ = _shoulder(f)
    out: dict[str, Vec] = {
        "body": (0, f.leg + f.hips * 0.2, 0),
        "head": (0, y - f.head[1] * 0.75, 0),
        "jaw": (x, y - 0.1, z + 0.15),
        "tail": (0, f.leg + f.hips * 0.2, -f.hips * 0.85),
        "tip": (0, f.leg + f.hips * 0.2, -f.hips * 1.5),
    }
    for side, sign in (("L", 1.0), ("R", -1.0)):
        out["arm" + side] = (sign * sx, sy, 0)
        out["fore" + side] = (sign * (sx + 0.13), sy - f.arm * 0.5, 0.02)
        out["leg" + side] = (sign * f.hips * f.stance * 0.52, f.leg + f.hips * 0.1, 0)
        out["shin" + side] = (sign * f.hips * f.stance * 0.58, f.leg * 0.52, 0.03)
    return out


def figure(
    name: str,
    words: tuple[str, ...],
    palette: tuple[str, str, str, str, str, str],
    f: Figure,
    extras: tuple[Part, ...] = (),
    size: float = 1.0,
    face: bool = True,
) -> Subject:
    """A subject from proportions and extra parts (ears, tails, helmets), which come before hands and feet."""
    x, y, z = head_at(f)
    sx, sy, _ = _shoulder(f)
    low = (0.0, f.leg + f.hips * 0.55, 0.0)
    high = (0.0, f.leg + f.hips * 0.55 + f.waist, 0.0)
    trunk = limb(low, high, f.hips, f.chest, color=f.torso, pattern=f.belly, alt=LIGHT)
    parts = (trunk, ball((x, y, z), f.head, "head"), *(_face(f) if face else ()), *extras, *_limbs(f))
    hand = (-(sx + 0.17), sy - f.arm, 0.1)
    return Subject(name, words, "biped", palette, parts, _pivots(f), hand, (0, y + f.head[1] * 0.93, 0.0), size)
