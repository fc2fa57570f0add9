"""Hoofed animals, elephants, and small or strange four-legged ones."""

from __future__ import annotations

from fourreal.worlds.parts import ACCENT, DARK, EXTRA, LIGHT, MAIN, SECOND, ball, block, eye, limb, pair

from ._quadruped import Build, flap_ears, head_at, pointed_ears, quadruped, tail_of, tail_root
from .base import Subject


def _horse() -> Subject:
    b = Build(
        leg=0.62,
        barrel=(0.27, 0.28),
        long=0.72,
        neck=(0.56, 0.36),
        head=(0.2, 0.22, 0.24),
        snout=(0.24, 0.145, 0.16),
        limb=(0.13, 0.08),
        neck_radius=0.15,
        muzzle=MAIN,
        coat="plain",
        nose=DARK,
        sock=LIGHT,
        eye=0.072,
    )
    tail = tail_of(b, (0, -0.12, -0.14), (0, -0.55, -0.24), (0.06, 0.1, 0.04), color=SECOND, root=SECOND)
    x, y, z = head_at(b)
    mane = (
        limb((x, y + 0.15, z - 0.08), (x, y - 0.5, z - 0.46), 0.075, 0.1, color=SECOND),
        ball((x, y + 0.2, z + 0.08), (0.06, 0.07, 0.13), "head", (25, 0, 0), color=SECOND),
    )
    palette = ("#8b5227", "#2c1a12", "#1f1512", "#f4eadb", "#5a3620", "#8b5227")
    return quadruped(
        "horse",
        ("pony", "foal"),
        palette,
        b,
        {"ears": pointed_ears(b, (0.02, 0.15, 0.0), (0.05, 0.02)), "tail": tail, "more": mane},
        1.3,
    )


def _zebra() -> Subject:
    b = Build(
        leg=0.58,
        barrel=(0.27, 0.28),
        long=0.7,
        neck=(0.52, 0.34),
        head=(0.2, 0.22, 0.24),
        snout=(0.21, 0.145, 0.14),
        limb=(0.125, 0.08),
        coat="stripes",
        alt=DARK,
        muzzle=DARK,
        nose=DARK,
        neck_radius=0.15,
        eye=0.072,
    )
    tail = tail_of(b, (0, -0.14, -0.1), (0, -0.45, -0.16), (0.04, 0.04, 0.06), color=DARK)
    x, y, z = head_at(b)
    mane = (limb((x, y + 0.18, z - 0.08), (x, y - 0.45, z - 0.42), 0.06, 0.08, color=DARK),)
    palette = ("#f5f2ec", "#1b1a1c", "#1b1a1c", "#f5f2ec", "#4a4542", "#f5f2ec")
    return quadruped(
        "zebra",
        ("young zebra", "striped zebra"),
        palette,
        b,
        {"ears": pointed_ears(b, (0.04, 0.16, 0.0), (0.06, 0.03)), "tail": tail, "more": mane},
        1.2,
    )


def _cow() -> Subject:
    b = Build(
        leg=0.5,
        barrel=(0.33, 0.34),
        long=0.86,
        neck=(0.28, 0.32),
        head=(0.26, 0.26, 0.26),
        snout=(0.16, 0.16, 0.12),
        limb=(0.125, 0.09),
        coat="patches",
        alt=DARK,
        muzzle=ACCENT,
        nose=ACCENT,
        sock=MAIN,
        eye=0.0744,
    )
    tail = tail_of(b, (0, -0.25, -0.1), (0, -0.5, -0.12), (0.035, 0.03, 0.06), color=MAIN)
    x, y, z = head_at(b)
    more = (
        *pair(limb((x + 0.15, y + 0.21, z - 0.03), (x + 0.26, y + 0.4, z + 0.02), 0.05, 0.02, "head", color=EXTRA)),
        ball((0, b.leg - 0.18, -0.26), (0.15, 0.12, 0.15), color=ACCENT),
    )
    palette = ("#f7f4ee", "#1d1a19", "#1d1a19", "#f7f4ee", "#f0aaa4", "#e6d8b8")
    return quadruped(
        "cow",
        ("dairy cow", "calf"),
        palette,
        b,
        {"ears": flap_ears(b, (0.13, 0.06, 0.05), (0, 0, -12), DARK, 0.08), "tail": tail, "more": more},
        1.2,
    )


def _pig() -> Subject:
    b = Build(
        leg=0.28,
        barrel=(0.33, 0.33),
        long=0.66,
        neck=(0.2, 0.3),
        head=(0.27, 0.26, 0.25),
        coat="plain",
        snout=(0.1, 0.13, 0.06),
        limb=(0.11, 0.08),
        muzzle=ACCENT,
        nose=ACCENT,
        sock=SECOND,
        eye=0.072,
    )
    tail = tail_of(b, (0.06, 0.07, -0.08), (-0.02, 0.16, -0.1), (0.03, 0.03, 0.02), color=ACCENT, root=ACCENT)
    palette = ("#f4a6a8", "#d97b84", "#3a2224", "#f9c9c6", "#e8808a", "#f4a6a8")
    return quadruped(
        "pig",
        ("piglet", "little pig"),
        palette,
        b,
        {"ears": pointed_ears(b, (0.1, 0.13, 0.08), (0.085, 0.025)), "tail": tail},
        0.8,
    )


def _goat() -> Subject:
    b = Build(
        leg=0.44,
        barrel=(0.25, 0.25),
        long=0.64,
        neck=(0.42, 0.24),
        head=(0.22, 0.23, 0.23),
        snout=(0.17, 0.125, 0.1),
        limb=(0.11, 0.08),
        sock=SECOND,
        coat="plain",
        muzzle=MAIN,
        eye=0.072,
    )
    x, y, z = head_at(b)
    tx, ty, tz = tail_root(b)
    more = (
        *pair(limb((x + 0.08, y + 0.17, z - 0.02), (x + 0.15, y + 0.42, z - 0.2), 0.05, 0.015, "head", color=EXTRA)),
        limb((x, y - 0.2, z + 0.25), (x, y - 0.4, z + 0.24), 0.06, 0.015, "head", color=SECOND),
        limb((tx, ty, tz), (tx, ty + 0.12, tz - 0.08), 0.05, 0.02, "tail"),
    )
    palette = ("#efe9dd", "#8d7a66", "#241f1b", "#f8f4ec", "#d99a8e", "#8a7758")
    return quadruped(
        "goat",
        ("billy goat", "young goat"),
        palette,
        b,
        {"ears": flap_ears(b, (0.12, 0.05, 0.05), (0, 0, -18), MAIN, 0.1), "more": more},
        0.85,
    )


def _sheep() -> Subject:
    b = Build(
        leg=0.34,
        barrel=(0.2, 0.2),
        long=0.6,
        neck=(0.3, 0.28),
        head=(0.2, 0.22, 0.21),
        coat="plain",
        snout=(0.1, 0.11, 0.1),
        limb=(0.095, 0.075),
        sock=DARK,
        muzzle=DARK,
        neck_radius=0.12,
        eye=0.0696,
    )
    x, y, z = head_at(b)
    wool = tuple(
        ball((sx * 0.17, b.leg + h, zz), (0.26, 0.25, 0.26))
        for sx in (-1.0, 1.0)
        for h, zz in ((0.2, -0.3), (0.22, 0.02), (0.2, 0.28))
    )
    more = (
        *wool,
        ball((0, b.leg + 0.34, -0.02), (0.28, 0.2, 0.44)),
        ball((x, y + 0.17, z - 0.06), (0.17, 0.12, 0.15), "head"),
        ball((x, y, z), (0.205, 0.225, 0.215), "head", color=DARK),
    )
    palette = ("#f6f1e6", "#2b2523", "#2b2523", "#fdfaf3", "#e7a9a3", "#f6f1e6")
    return quadruped(
        "sheep",
        ("lamb", "woolly sheep"),
        palette,
        b,
        {"more": more, "ears": flap_ears(b, (0.12, 0.05, 0.05), (0, 0, -15), DARK, 0.06)},
        0.85,
    )


def _elephant() -> Subject:
    b = Build(
        leg=0.52,
        barrel=(0.4, 0.4),
        long=0.72,
        neck=(0.32, 0.36),
        head=(0.3, 0.32, 0.28),
        coat="plain",
        sock=SECOND,
        snout=(0.05, 0.13, 0.16),
        limb=(0.15, 0.13),
        muzzle=MAIN,
        nose=MAIN,
        eye=0.09,
    )
    x, y, z = head_at(b)
    more = (
        limb((x, y - 0.2, z + 0.3), (x, y - 0.58, z + 0.42), 0.115, 0.085, "jaw"),
        limb((x, y - 0.58, z + 0.42), (x, y - 0.72, z + 0.6), 0.085, 0.06, "jaw", color=SECOND),
        *pair(
            ball(
                (x + 0.38, y - 0.02, z - 0.1),
                (0.27, 0.33, 0.05),
                "head",
                (0, 35, 0),
                color=SECOND,
                alt=ACCENT,
                pattern="inner",
            ),
            limb((x + 0.16, y - 0.2, z + 0.22), (x + 0.2, y - 0.4, z + 0.56), 0.06, 0.03, "head", color=LIGHT),
        ),
    )
    tail = tail_of(b, (0, -0.25, -0.08), (0, -0.45, -0.1), (0.035, 0.03, 0.045))
    palette = ("#8f949c", "#585c66", "#26262a", "#f7f1e2", "#cf9d9c", "#8f949c")
    return quadruped("elephant", ("baby elephant", "young elephant"), palette, b, {"more": more, "tail": tail}, 1.45)


def _giraffe() -> Subject:
    b = Build(
        leg=0.62,
        barrel=(0.24, 0.27),
        long=0.62,
        neck=(0.92, 0.28),
        head=(0.19, 0.19, 0.21),
        coat="mosaic",
        snout=(0.19, 0.115, 0.09),
        limb=(0.115, 0.08),
        alt=SECOND,
        neck_radius=0.125,
        sock=LIGHT,
        eye=0.072,
    )
    x, y, z = head_at(b)
    more = (
        *pair(limb((x + 0.05, y + 0.1, z - 0.04), (x + 0.06, y + 0.27, z - 0.06), 0.025, 0.035, "head", color=SECOND)),
        limb((x, y - 0.02, z - 0.14), (x, y - 0.74, z - 0.34), 0.05, 0.06, color=SECOND),
    )
    tail = tail_of(b, (0, -0.2, -0.1), (0, -0.45, -0.12), (0.035, 0.025, 0.05), color=SECOND)
    palette = ("#f0cf8a", "#a8622a", "#2a1c14", "#f8e9c8", "#c98f6c", "#f0cf8a")
    return quadruped(
        "giraffe",
        ("tall giraffe", "young giraffe"),
        palette,
        b,
        {"ears": flap_ears(b, (0.11, 0.045, 0.04), (0, 0, 14), MAIN, 0.05), "tail": tail, "more": more},
        1.6,
    )


def _mouse() -> Subject:
    b = Build(
        leg=0.2,
        barrel=(0.3, 0.24),
        long=0.46,
        neck=(0.2, 0.26),
        head=(0.25, 0.23, 0.24),
        coat="belly",
        snout=(0.14, 0.09, 0.04),
        limb=(0.085, 0.065),
        nose=ACCENT,
        sock=ACCENT,
        muzzle=MAIN,
        eye=0.0816,
    )
    x, y, z = head_at(b)
    ears = pair(
        ball((x + 0.22, y + 0.25, z - 0.06), (0.19, 0.19, 0.04), "head", (0, 12, 0), alt=ACCENT, pattern="inner")
    )
    tail = tail_of(b, (0, -0.12, -0.32), (0.12, 0.06, -0.72), (0.04, 0.03, 0.015), color=ACCENT, root=ACCENT)
    palette = ("#9c958f", "#6d6762", "#1f1c1c", "#ece6df", "#f0a3a8", "#9c958f")
    return quadruped("mouse", ("little mouse", "small mouse"), palette, b, {"ears": ears, "tail": tail}, 0.5)


def _turtle() -> Subject:
    b = Build(
        leg=0.17,
        barrel=(0.16, 0.16),
        long=0.62,
        neck=(0.26, 0.32),
        head=(0.17, 0.16, 0.19),
        coat="plain",
        snout=(0.02, 0.1, 0.04),
        limb=(0.11, 0.1),
        muzzle=MAIN,
        nose=MAIN,
        neck_radius=0.1,
        eye=0.0576,
    )
    x, y, z = tail_root(b)
    more = (
        ball((0, 0.3, 0), (0.46, 0.36, 0.56), color=SECOND, alt=EXTRA, pattern="shell"),
        ball((0, 0.22, 0), (0.5, 0.08, 0.6), color=EXTRA),
        limb((x, y - 0.1, z), (x, y - 0.16, z - 0.2), 0.06, 0.02, "tail"),
    )
    palette = ("#7fb052", "#5b7a2e", "#20231a", "#d9e3a8", "#7fb052", "#c9b26a")
    return quadruped("turtle", ("tortoise", "little turtle"), palette, b, {"more": more}, 0.5)


def _dragon() -> Subject:
    b = Build(
        leg=0.42,
        barrel=(0.26, 0.28),
        long=0.68,
        neck=(0.52, 0.34),
        head=(0.25, 0.23, 0.24),
        coat="belly",
        snout=(0.22, 0.12, 0.06),
        limb=(0.125, 0.09),
        muzzle=MAIN,
        nose=MAIN,
        alt=EXTRA,
        neck_radius=0.14,
        eye=0.078,
    )
    x, y, z = head_at(b)
    more = (
        *pair(
            limb((x + 0.1, y + 0.15, z - 0.08), (x + 0.17, y + 0.4, z - 0.26), 0.05, 0.015, "head", color=EXTRA),
            ball((0.5, 0.98, -0.06), (0.44, 0.025, 0.26), "body", (18, 12, 32), color=SECOND),
            ball((0.86, 1.26, -0.12), (0.3, 0.022, 0.2), "body", (10, 25, 42), color=SECOND),
        ),
        *(
            block((0, 0.84 - 0.06 * i, -0.3 * i + 0.1), (0.02, 0.1, 0.1), "body", (45, 0, 0), color=SECOND)
            for i in range(3)
        ),
    )
    tail = tail_of(b, (0, -0.2, -0.4), (0, -0.12, -0.95), (0.17, 0.09, 0.025), alt=SECOND, pattern="end")
    palette = ("#3f9b4b", "#c6452c", "#1c1f1c", "#f3e9b0", "#d9442b", "#efdc8a")
    return quadruped("dragon", ("winged dragon", "baby dragon"), palette, b, {"more": more, "tail": tail}, 1.3)


def _squat_frog() -> Subject:
    b = Build(
        leg=0.2,
        barrel=(0.26, 0.24),
        long=0.34,
        neck=(0.16, 0.16),
        head=(0.31, 0.19, 0.24),
        coat="belly",
        snout=(0.02, 0.12, 0.06),
        limb=(0.1, 0.06),
        muzzle=MAIN,
        nose=MAIN,
        neck_radius=0.2,
        eye=0,
    )
    x, y, z = head_at(b)
    eyes = pair(
        ball((x + 0.19, y + 0.17, z + 0.06), 0.105, "head"),
        eye((x + 0.2, y + 0.2, z + 0.12), 0.09, 20),
        limb((0.24, 0.2, -0.26), (0.4, 0.24, 0.06), 0.13, 0.1, "legL"),
    )
    palette = ("#5fae35", "#3c7a22", "#1b2016", "#eef2b8", "#e0584c", "#5fae35")
    return quadruped("frog", ("toad", "little frog"), palette, b, {"more": eyes}, 0.5)


def grazers() -> tuple[Subject, ...]:
    """Hoofed animals and all other quadrupeds."""
    makers = (_horse, _zebra, _cow, _pig, _goat, _sheep, _elephant, _giraffe, _mouse, _turtle, _dragon, _squat_frog)
    return tuple(make() for make in makers)
