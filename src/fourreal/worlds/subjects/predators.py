"""Foxes, dogs, cats, lions."""

from __future__ import annotations

from fourreal.worlds.parts import ACCENT, DARK, LIGHT, MAIN, SECOND, ball, pair

from ._quadruped import Build, flap_ears, head_at, pointed_ears, quadruped, tail_of, tail_root
from .base import Subject


def _fox() -> Subject:
    b = Build(
        leg=0.42,
        barrel=(0.22, 0.24),
        long=0.58,
        neck=(0.36, 0.22),
        head=(0.33, 0.27, 0.26),
        snout=(0.19, 0.11, 0.1),
        limb=(0.115, 0.085),
        sock=DARK,
        neck_radius=0.16,
        eye=0.09,
        face="muzzle",
    )
    tail = tail_of(b, (0, -0.02, -0.28), (0, 0.2, -0.68), (0.09, 0.19, 0.07), pattern="end", alt=LIGHT)
    palette = ("#e0661c", "#8a3d12", "#2a1d1a", "#fff3e4", "#2b1a18", "#e0661c")
    return quadruped(
        "fox",
        ("little fox", "fox cub"),
        palette,
        b,
        {"ears": pointed_ears(b, (0.08, 0.26, -0.02), (0.14, 0.03)), "tail": tail},
        0.75,
    )


def _dog() -> Subject:
    b = Build(
        leg=0.42,
        barrel=(0.23, 0.26),
        long=0.6,
        neck=(0.38, 0.22),
        head=(0.31, 0.29, 0.27),
        snout=(0.17, 0.16, 0.1),
        limb=(0.115, 0.085),
        face="muzzle",
        sock=LIGHT,
        eye=0.084,
        neck_radius=0.17,
    )
    tail = tail_of(b, (0, 0.14, -0.12), (0, 0.34, -0.16), (0.08, 0.07, 0.05), pattern="end", alt=LIGHT)
    ears = flap_ears(b, (0.08, 0.25, 0.14), (0, 0, 14), SECOND, 0.17)
    palette = ("#c98a4b", "#6e4020", "#251a16", "#fff1dc", "#e8788a", "#c98a4b")
    return quadruped("dog", ("puppy", "pup"), palette, b, {"ears": ears, "tail": tail}, 0.75)


def _corgi() -> Subject:
    b = Build(
        leg=0.27,
        barrel=(0.24, 0.26),
        long=0.7,
        neck=(0.4, 0.22),
        head=(0.33, 0.28, 0.27),
        snout=(0.17, 0.14, 0.09),
        limb=(0.115, 0.085),
        sock=LIGHT,
        face="muzzle",
        eye=0.084,
        neck_radius=0.17,
    )
    x, y, z = tail_root(b)
    chest = b.leg + 0.1 * b.barrel[1]
    extras = {
        "ears": pointed_ears(b, (0.11, 0.3, 0.0), (0.14, 0.05)),
        "tail": (ball((x, y, z), 0.1, "tail"),),
        "more": (ball((0.0, chest + 0.1, b.long / 2 + 0.05), (0.19, 0.22, 0.22), color=LIGHT),),
    }
    palette = ("#dd8b3c", "#b8651f", "#2a1d1a", "#fff7ec", "#f0a59a", "#dd8b3c")
    return quadruped("corgi", ("corgi dog", "little corgi"), palette, b, extras, 0.6)


def _dalmatian() -> Subject:
    b = Build(
        leg=0.46,
        barrel=(0.22, 0.25),
        long=0.64,
        neck=(0.4, 0.22),
        head=(0.29, 0.28, 0.26),
        snout=(0.19, 0.15, 0.09),
        limb=(0.115, 0.08),
        coat="spots",
        alt=DARK,
        eye=0.078,
        neck_radius=0.16,
    )
    tail = tail_of(b, (0, 0.1, -0.2), (0, 0.3, -0.36), (0.05, 0.04, 0.025))
    palette = ("#f6f3ee", "#26221f", "#1d1a1a", "#f6f3ee", "#e8788a", "#f6f3ee")
    ears = flap_ears(b, (0.075, 0.24, 0.13), (0, 0, 14), DARK, 0.17)
    return quadruped("dalmatian", ("spotted dog", "dalmatian dog"), palette, b, {"ears": ears, "tail": tail}, 0.8)


def _cat() -> Subject:
    b = Build(
        leg=0.36,
        barrel=(0.23, 0.23),
        long=0.54,
        neck=(0.34, 0.2),
        head=(0.36, 0.31, 0.28),
        snout=(0.03, 0.14, 0.1),
        limb=(0.11, 0.085),
        coat="stripes",
        alt=SECOND,
        eye=0.114,
        nose=ACCENT,
        sock=LIGHT,
        neck_radius=0.16,
    )
    tail = tail_of(b, (0, 0.16, -0.26), (0, 0.5, -0.3), (0.08, 0.075, 0.07), pattern="end", alt=LIGHT)
    palette = ("#a8a29a", "#6d675f", "#22211f", "#f7f3ec", "#f2a0a5", "#8fc05a")
    return quadruped(
        "cat",
        ("kitten", "kitty"),
        palette,
        b,
        {"ears": pointed_ears(b, (0.09, 0.24, 0.0), (0.15, 0.03)), "tail": tail},
        0.65,
    )


def _tiger() -> Subject:
    b = Build(
        leg=0.42,
        barrel=(0.26, 0.29),
        long=0.7,
        neck=(0.36, 0.24),
        head=(0.34, 0.3, 0.28),
        snout=(0.08, 0.14, 0.09),
        limb=(0.125, 0.095),
        coat="stripes",
        alt=DARK,
        nose=ACCENT,
        eye=0.09,
    )
    tail = tail_of(b, (0, -0.04, -0.3), (0, 0.24, -0.6), (0.06, 0.055, 0.05), pattern="rings", alt=DARK)
    x, y, z = head_at(b)
    ears = pair(
        ball((x + 0.24, y + 0.25, z - 0.05), (0.11, 0.11, 0.06), "head", color=MAIN, alt=LIGHT, pattern="inner")
    )
    palette = ("#ec8a1e", "#fff3e0", "#1c1613", "#fff6ea", "#e58a8a", "#ec8a1e")
    return quadruped("tiger", ("tiger cub", "young tiger"), palette, b, {"ears": ears, "tail": tail}, 1.1)


def _lion() -> Subject:
    b = Build(
        leg=0.42,
        barrel=(0.23, 0.28),
        long=0.68,
        neck=(0.36, 0.26),
        head=(0.29, 0.27, 0.25),
        snout=(0.09, 0.13, 0.08),
        limb=(0.12, 0.092),
        nose=DARK,
        eye=0.084,
    )
    tail = tail_of(b, (0, -0.1, -0.25), (0, -0.02, -0.58), (0.045, 0.035, 0.035))
    x, y, z = head_at(b)
    tx, ty, tz = tail_root(b)
    mane = (
        ball((x, y + 0.0, z - 0.13), (0.44, 0.45, 0.25), "head", color=SECOND),
        ball((x, y - 0.3, z - 0.16), (0.29, 0.34, 0.25), color=SECOND),
        ball((tx, ty - 0.01, tz - 0.62), (0.07, 0.07, 0.11), "tip", color=SECOND),
        *pair(ball((x + 0.28, y + 0.31, z - 0.02), (0.1, 0.1, 0.055), "head")),
    )
    palette = ("#dca650", "#8a4a1c", "#241a14", "#fbead0", "#c77b62", "#dca650")
    return quadruped("lion", ("big lion", "lion with a mane"), palette, b, {"tail": tail, "more": mane}, 1.1)


def predators() -> tuple[Subject, ...]:
    """Dogs, cats and their kin."""
    return tuple(make() for make in (_fox, _dog, _corgi, _dalmatian, _cat, _tiger, _lion))
