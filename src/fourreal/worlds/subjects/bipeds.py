"""Upright subjects: bears, rabbits, people, robots."""

from __future__ import annotations

from fourreal.worlds.parts import (
    ACCENT,
    DARK,
    EXTRA,
    LIGHT,
    MAIN,
    SECOND,
    Part,
    Vec,
    ball,
    block,
    eye,
    limb,
    pair,
    tube,
)

from ._figure import Figure, figure, head_at
from .base import Subject


def _round_ears(f: Figure, radius: float, color: int, inner: int = ACCENT) -> tuple[Part, ...]:
    x, y, z = head_at(f)
    return pair(
        ball(
            (x + f.head[0] * 0.72, y + f.head[1] * 0.78, z - 0.04),
            (radius, radius, radius * 0.55),
            "head",
            color=color,
            alt=inner,
            pattern="inner",
        )
    )


def _panda() -> Subject:
    f = Figure(
        head=(0.37, 0.33, 0.31),
        eye=0.084,
        leg=0.32,
        girth=(0.12, 0.145),
        arms=SECOND,
        legs=SECOND,
        hands=SECOND,
        feet=SECOND,
        belly="plain",
        muzzle=LIGHT,
    )
    _, y, z = head_at(f)
    patch = pair(
        ball((0.158, y + 0.03, z + 0.215), (0.115, 0.14, 0.075), "head", (0, 18, -28), color=SECOND, caster=False)
    )
    sash = (limb((0.2, 0.9, 0), (-0.2, 0.9, 0), 0.19, 0.19, color=SECOND),)
    palette = ("#f8f6f1", "#1d1c20", "#141316", "#fffdf8", "#d97f86", "#f8f6f1")
    return figure(
        "panda", ("panda bear", "baby panda"), palette, f, (*patch, *_round_ears(f, 0.125, SECOND, SECOND), *sash)
    )


def _bear() -> Subject:
    f = Figure(hips=0.37, chest=0.3, girth=(0.13, 0.155))
    palette = ("#8a5a32", "#6b4224", "#1f1510", "#e7c79b", "#b86d5a", "#8a5a32")
    return figure("bear", ("teddy bear", "bear cub"), palette, f, _round_ears(f, 0.12, MAIN, LIGHT), 1.15)


def _koala() -> Subject:
    f = Figure(leg=0.24, hips=0.32, chest=0.25, waist=0.3, head=(0.35, 0.3, 0.28), muzzle=None, eye=0.078)
    _, y, z = head_at(f)
    nose = (ball((0, y - 0.05, z + 0.28), (0.075, 0.11, 0.06), "head", color=DARK, gloss=0.6),)
    ears = pair(ball((0.36, y + 0.17, z - 0.03), (0.19, 0.18, 0.08), "head", alt=LIGHT, pattern="inner"))
    palette = ("#9aa0a6", "#7a8088", "#1b1b1e", "#f0eeea", "#c98f95", "#9aa0a6")
    return figure("koala", ("koala bear", "baby koala"), palette, f, nose + ears, 0.7)


def _rabbit() -> Subject:
    f = Figure(leg=0.22, hips=0.31, chest=0.22, waist=0.32, head=(0.28, 0.26, 0.26), arm=0.38, girth=(0.085, 0.125))
    _, y, z = head_at(f)
    ears = pair(
        limb((0.1, y + 0.18, z - 0.02), (0.17, y + 0.62, z - 0.08), 0.07, 0.085, "head", alt=ACCENT, pattern="inner")
    )
    tail = (ball((0, 0.36, -0.33), 0.12, "tail", color=LIGHT),)
    palette = ("#cdb9a3", "#a58d74", "#2a1e1a", "#fffaf2", "#f3a9ae", "#cdb9a3")
    return figure("rabbit", ("bunny", "baby rabbit"), palette, f, ears + tail, 0.6)


def _monkey() -> Subject:
    f = Figure(
        leg=0.3,
        hips=0.27,
        chest=0.23,
        waist=0.34,
        head=(0.3, 0.28, 0.26),
        arm=0.56,
        girth=(0.095, 0.115),
        hands=LIGHT,
        feet=LIGHT,
        eye=0.0744,
    )
    _, y, z = head_at(f)
    more = (
        ball((0, y - 0.01, z + 0.11), (0.23, 0.22, 0.17), "head", color=LIGHT),
        *pair(ball((0.31, y + 0.03, z - 0.01), (0.1, 0.1, 0.05), "head", color=LIGHT)),
        limb((0, 0.38, -0.22), (0, 0.3, -0.55), 0.045, 0.04, "tail"),
        limb((0, 0.3, -0.55), (0, 0.75, -0.7), 0.04, 0.035, "tip"),
    )
    palette = ("#7a4a28", "#5a351c", "#1d130d", "#eec49a", "#c96f5f", "#7a4a28")
    return figure("monkey", ("baby monkey", "chimp"), palette, f, more, 0.75)


def _squirrel() -> Subject:
    f = Figure(
        leg=0.2, hips=0.29, chest=0.22, waist=0.32, head=(0.27, 0.24, 0.24), arm=0.36, girth=(0.08, 0.115), eye=0.078
    )
    _, y, z = head_at(f)
    more = (
        *pair(limb((0.13, y + 0.15, z - 0.03), (0.17, y + 0.33, z - 0.04), 0.075, 0.02, "head")),
        limb((0, 0.3, -0.28), (0.05, 0.9, -0.44), 0.14, 0.26, "tail", color=SECOND),
        limb((0.05, 0.9, -0.44), (0.16, 1.38, -0.5), 0.26, 0.17, "tip", color=SECOND),
    )
    palette = ("#b5652b", "#8f4a1c", "#21150e", "#fbead2", "#d07a68", "#b5652b")
    return figure("squirrel", ("little squirrel", "fluffy squirrel"), palette, f, more, 0.55)


def _kangaroo() -> Subject:
    f = Figure(
        leg=0.4, hips=0.28, chest=0.19, waist=0.5, head=(0.26, 0.24, 0.24), arm=0.38, girth=(0.085, 0.125), eye=0.084
    )
    _, y, z = head_at(f)
    more = (
        limb((0, y - 0.07, z + 0.1), (0, y - 0.13, z + 0.34), 0.13, 0.09, "head"),
        *pair(
            limb((0.09, y + 0.13, z - 0.04), (0.16, y + 0.4, z - 0.07), 0.06, 0.03, "head", alt=ACCENT, pattern="inner")
        ),
        limb((0, 0.45, -0.22), (0, 0.14, -0.66), 0.17, 0.085, "tail"),
        limb((0, 0.14, -0.66), (0, 0.09, -1.1), 0.085, 0.04, "tip"),
        limb((0, 0.62, 0.22), (0, 0.5, 0.26), 0.16, 0.15, color=LIGHT),
    )
    palette = ("#b9794a", "#8d5630", "#22160f", "#ecd3b0", "#d39a86", "#b9794a")
    return figure("kangaroo", ("young kangaroo", "roo"), palette, f, more, 1.1)


def _dinosaur() -> Subject:
    f = Figure(
        leg=0.5,
        hips=0.29,
        chest=0.24,
        waist=0.26,
        head=(0.26, 0.24, 0.26),
        arm=0.32,
        girth=(0.085, 0.125),
        legs=SECOND,
        feet=SECOND,
        hands=SECOND,
        muzzle=None,
        stance=1.3,
    )
    _, y, z = head_at(f)
    spikes = tuple(
        tube((0, h, -d), (0, h + 0.1, -d - 0.12), 0.07, 0.0, "body", color=SECOND)
        for h, d in ((1.0, 0.24), (0.8, 0.28))
    )
    more = (
        limb((0, y - 0.06, z + 0.12), (0, y - 0.09, z + 0.4), 0.18, 0.14, "head"),
        limb((0, y - 0.2, z + 0.1), (0, y - 0.22, z + 0.36), 0.11, 0.09, "jaw", color=LIGHT),
        limb((0, 0.62, -0.18), (0, 0.55, -0.62), 0.2, 0.12, "tail", pattern="belly", alt=LIGHT),
        limb((0, 0.55, -0.62), (0, 0.68, -1.05), 0.12, 0.03, "tip"),
        *spikes,
        *pair(
            ball((0.14, y + 0.15, z + 0.12), 0.105, "head"),
            eye((0.155, y + 0.165, z + 0.17), 0.102, 24),
            ball((0.07, y + 0.0, z + 0.52), 0.025, "head", color=DARK, caster=False),
        ),
    )
    palette = ("#6aa648", "#2f6b3a", "#171b14", "#e8e2a6", "#d9694a", "#6aa648")
    return figure("dinosaur", ("dino", "baby dinosaur"), palette, f, more, 1.4, face=False)


def _monster() -> Subject:
    f = Figure(
        leg=0.2,
        hips=0.4,
        chest=0.36,
        waist=0.35,
        head=(0.38, 0.3, 0.34),
        muzzle=None,
        eye=0.12,
        hands=SECOND,
        feet=SECOND,
        gap=-0.16,
        belly="spots",
        girth=(0.11, 0.13),
    )
    _, y, z = head_at(f)
    more = (
        *pair(limb((0.2, y + 0.22, z), (0.32, y + 0.46, z), 0.075, 0.02, "head", color=EXTRA)),
        ball((0, y - 0.14, z + 0.28), (0.2, 0.085, 0.09), "jaw", color=DARK),
        *pair(tube((0.08, y - 0.09, z + 0.34), (0.08, y - 0.17, z + 0.36), 0.035, 0.0, "head", color=LIGHT)),
    )
    palette = ("#7d54c9", "#4d2f93", "#241730", "#fbf6e8", "#e0567f", "#f3d25a")
    return figure("monster", ("furry monster", "little monster"), palette, f, more, 1.1)


def _alien() -> Subject:
    f = Figure(
        leg=0.4,
        hips=0.2,
        chest=0.17,
        waist=0.34,
        head=(0.33, 0.36, 0.3),
        muzzle=None,
        arm=0.5,
        girth=(0.085, 0.11),
        belly="plain",
    )
    _, y, z = head_at(f)
    more = (
        *pair(
            eye((0.155, y - 0.02, z + 0.235), (0.12, 0.16, 0.07), 24),
            limb((0.12, y + 0.3, z), (0.2, y + 0.54, z), 0.02, 0.02, "head"),
            ball((0.21, y + 0.56, z), 0.055, "head", color=EXTRA, pattern="glow"),
        ),
        ball((0, y - 0.21, z + 0.23), (0.06, 0.018, 0.03), "jaw", color=DARK),
    )
    palette = ("#7fd06a", "#4f9c49", "#12161a", "#e4ffd0", "#d96a9a", "#f8ef7a")
    return figure("alien", ("little alien", "space alien"), palette, f, more, 0.95, face=False)


def _clothed(
    name: str, words: tuple[str, ...], palette: tuple[str, str, str, str, str, str], hair: tuple[Part, ...], f: Figure
) -> Subject:
    """A person: skin is LIGHT, clothes MAIN (top) and SECOND (trousers), hair EXTRA."""
    x, y, z = head_at(f)
    skull = ball((x, y, z), tuple(r * 1.01 for r in f.head), "head", color=LIGHT)  # type: ignore[arg-type]
    nose = (
        ball((0, y - 0.03, z + f.head[2]), 0.035, "head", color=LIGHT, caster=False),
        ball((0, y - 0.12, z + f.head[2] * 0.9), (0.06, 0.016, 0.03), "jaw", color=ACCENT, caster=False),
    )
    return figure(name, words, palette, f, (skull, *nose, *hair), 1.0)


def _person() -> Subject:
    f = Figure(
        leg=0.48,
        hips=0.21,
        chest=0.2,
        waist=0.34,
        head=(0.25, 0.27, 0.25),
        arm=0.5,
        girth=(0.09, 0.115),
        legs=SECOND,
        hands=LIGHT,
        feet=DARK,
        muzzle=None,
        belly="plain",
        eye=0.066,
        gap=0.02,
    )
    _, y, z = head_at(f)
    hair = (ball((0, y + 0.07, z - 0.035), (0.265, 0.235, 0.255), "head", color=EXTRA),)
    palette = ("#d8433b", "#2f4f86", "#20181a", "#efc09a", "#b6514f", "#4a2a18")
    return _clothed("person", ("man", "boy"), palette, hair, f)


def _girl() -> Subject:
    f = Figure(
        leg=0.44,
        hips=0.19,
        chest=0.17,
        waist=0.3,
        head=(0.27, 0.28, 0.26),
        arm=0.48,
        girth=(0.08, 0.1),
        legs=LIGHT,
        hands=LIGHT,
        feet=DARK,
        muzzle=None,
        belly="plain",
        eye=0.0696,
    )
    _, y, z = head_at(f)
    hair = (
        ball((0, y + 0.06, z - 0.04), (0.285, 0.255, 0.27), "head", color=EXTRA),
        limb((0, y + 0.02, z - 0.26), (0, y - 0.36, z - 0.34), 0.1, 0.06, "head", color=EXTRA),
        tube((0, 0.3, 0), (0, 0.7, 0), 0.36, 0.17, color=MAIN),
    )
    palette = ("#e85f8b", "#c8406f", "#20181a", "#f0c4a2", "#b6514f", "#7c4a22")
    return _clothed("girl", ("young girl", "woman"), palette, hair, f)


def _astronaut() -> Subject:
    f = Figure(
        leg=0.42,
        hips=0.27,
        chest=0.27,
        waist=0.3,
        head=(0.29, 0.29, 0.29),
        arm=0.48,
        girth=(0.115, 0.13),
        hands=SECOND,
        feet=SECOND,
        muzzle=None,
        belly="plain",
    )
    _, y, z = head_at(f)
    more = (
        ball((0, y + 0.01, z + 0.1), (0.25, 0.21, 0.235), "head", color=EXTRA, gloss=0.4),
        block((0, 0.95, -0.32), (0.24, 0.3, 0.12), color=SECOND),
        block((0, 0.92, 0.26), (0.13, 0.09, 0.05), color=SECOND, alt=ACCENT, pattern="wheel"),
    )
    palette = ("#f3f4f6", "#54617c", "#1b1d22", "#f3f4f6", "#e2683a", "#16223f")
    return figure("astronaut", ("spaceman", "space explorer"), palette, f, more, 1.05, face=False)


def _robot() -> Subject:
    body = (
        block((0, 0.82, 0), (0.31, 0.29, 0.22), gloss=0.5),
        block((0, 1.38, 0), (0.27, 0.21, 0.22), "head", gloss=0.5),
        tube((0, 1.08, 0), (0, 1.2, 0), 0.09, 0.09, "body", color=SECOND),
        block((0, 0.86, 0.215), (0.19, 0.14, 0.03), color=LIGHT, alt=ACCENT, pattern="wheel"),
        *pair(ball((0.115, 1.42, 0.21), (0.075, 0.075, 0.045), "head", color=EXTRA, pattern="glow")),
        block((0, 1.27, 0.22), (0.12, 0.022, 0.015), "jaw", color=DARK, caster=False),
        tube((0, 1.58, 0), (0, 1.74, 0), 0.022, 0.022, "head", color=SECOND),
        ball((0, 1.78, 0), 0.055, "head", color=ACCENT, pattern="glow"),
    )
    sides = pair(
        ball((0.37, 1.0, 0), 0.1, "armL", color=SECOND, gloss=0.5),
        limb((0.4, 0.98, 0), (0.46, 0.76, 0), 0.065, 0.06, "armL", color=SECOND, gloss=0.5),
        limb((0.46, 0.74, 0), (0.47, 0.5, 0.06), 0.085, 0.08, "foreL", gloss=0.5),
        ball((0.47, 0.43, 0.08), 0.095, "foreL", color=SECOND, gloss=0.5),
        limb((0.16, 0.55, 0), (0.17, 0.32, 0), 0.075, 0.07, "legL", color=SECOND, gloss=0.5),
        limb((0.17, 0.3, 0), (0.17, 0.14, 0), 0.095, 0.1, "shinL", gloss=0.5),
        block((0.17, 0.06, 0.05), (0.115, 0.06, 0.18), "shinL", color=SECOND, gloss=0.5),
    )
    pivots: dict[str, Vec] = {
        "body": (0, 0.55, 0),
        "head": (0, 1.15, 0),
        "jaw": (0, 1.27, 0.2),
        "tail": (0, 0.6, -0.2),
        "tip": (0, 0.6, -0.4),
    }
    for side, s in (("L", 1.0), ("R", -1.0)):
        pivots |= {
            "arm" + side: (s * 0.37, 1.0, 0),
            "fore" + side: (s * 0.46, 0.75, 0),
            "leg" + side: (s * 0.16, 0.55, 0),
            "shin" + side: (s * 0.17, 0.31, 0),
        }
    palette = ("#b9c2cc", "#5c6672", "#1c2026", "#30405a", "#f0563f", "#62e6ff")
    return Subject(
        "robot",
        ("humanoid robot", "little robot"),
        "biped",
        palette,
        body + sides,
        pivots,
        (-0.47, 0.43, 0.1),
        (0, 1.58, 0),
        1.0,
    )


def bipeds() -> tuple[Subject, ...]:
    """All upright subjects."""
    makers = (
        _panda,
        _bear,
        _koala,
        _rabbit,
        _monkey,
        _squirrel,
        _kangaroo,
        _dinosaur,
        _monster,
        _alien,
        _person,
        _girl,
        _astronaut,
        _robot,
    )
    return tuple(make() for make in makers)
