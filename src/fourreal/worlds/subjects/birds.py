"""Birds and sea animals. Wings and flippers are arms; a fish's body bends at tail and tip."""

from __future__ import annotations

from fourreal.worlds.parts import ACCENT, DARK, EXTRA, LIGHT, MAIN, SECOND, Part, Vec, ball, eye, limb, pair, tube

from .base import Subject


def _eyes(x: float, y: float, z: float, radius: float, turn: float = 28) -> tuple[Part, ...]:
    return pair(eye((x, y, z), radius, turn))


def _bird_pivots(hip: float, shoulder: Vec, neck: Vec) -> dict[str, Vec]:
    out: dict[str, Vec] = {
        "body": (0, hip, 0),
        "head": neck,
        "jaw": neck,
        "tail": (0, hip + 0.1, -0.3),
        "tip": (0, hip, -0.5),
    }
    for side, s in (("L", 1.0), ("R", -1.0)):
        out |= {
            "arm" + side: (s * shoulder[0], shoulder[1], shoulder[2]),
            "fore" + side: (s * (shoulder[0] + 0.1), shoulder[1] - 0.25, shoulder[2]),
            "leg" + side: (s * 0.14, hip, 0),
            "shin" + side: (s * 0.14, hip * 0.5, 0),
        }
    return out


def _feet(x: float, hip: float, color: int = ACCENT) -> tuple[Part, ...]:
    return pair(
        limb((x, hip, 0), (x, 0.06, 0.0), 0.06, 0.05, "shinL", color=color),
        ball((x, 0.035, 0.09), (0.11, 0.045, 0.16), "shinL", color=color),
    )


def _penguin() -> Subject:
    parts = (
        limb((0, 0.42, 0), (0, 0.86, 0), 0.36, 0.27),
        ball((0, 0.56, 0.11), (0.29, 0.44, 0.29), color=LIGHT),
        ball((0, 1.22, 0.02), (0.28, 0.26, 0.26), "head"),
        *pair(ball((0.11, 1.2, 0.16), (0.13, 0.14, 0.1), "head", color=LIGHT)),
        *_eyes(0.12, 1.25, 0.235, 0.06, 18),
        tube((0, 1.15, 0.22), (0, 1.12, 0.44), 0.075, 0.01, "head", color=ACCENT),
        *pair(ball((0.38, 0.72, 0.0), (0.055, 0.32, 0.14), "armL", (0, 0, 14))),
        *_feet(0.15, 0.2),
        ball((0, 0.16, -0.34), (0.1, 0.06, 0.14), "tail"),
    )
    palette = ("#20242e", "#3a4152", "#101216", "#fbfaf6", "#f39a1f", "#f7d33c")
    return Subject(
        "penguin",
        ("baby penguin", "little penguin"),
        "bird",
        palette,
        parts,
        _bird_pivots(0.2, (0.33, 0.95, 0), (0, 1.02, 0)),
        (-0.46, 0.42, 0.05),
        (0, 1.46, 0.0),
        0.75,
    )


def _duck() -> Subject:
    parts = (
        ball((0, 0.5, -0.05), (0.34, 0.31, 0.5)),
        ball((0, 0.55, 0.2), (0.28, 0.29, 0.27)),
        limb((0, 0.62, 0.28), (0, 0.98, 0.33), 0.17, 0.13, color=MAIN),
        ball((0, 1.06, 0.36), (0.23, 0.22, 0.23), "head"),
        ball((0, 1.0, 0.62), (0.13, 0.045, 0.16), "head", color=ACCENT),
        ball((0, 0.965, 0.59), (0.11, 0.03, 0.13), "jaw", color=ACCENT),
        *_eyes(0.13, 1.12, 0.51, 0.0576),
        *pair(ball((0.32, 0.56, -0.1), (0.07, 0.2, 0.34), "armL", (-12, 0, 8), color=SECOND)),
        limb((0, 0.6, -0.45), (0, 0.8, -0.66), 0.14, 0.035, "tail"),
        *_feet(0.15, 0.24),
    )
    palette = ("#f7d23f", "#eab626", "#1d1a14", "#fffdf6", "#f28a1c", "#f7d23f")
    return Subject(
        "duck",
        ("duckling", "little duck"),
        "bird",
        palette,
        parts,
        _bird_pivots(0.24, (0.3, 0.68, 0.1), (0, 0.92, 0.3)),
        (-0.34, 0.5, -0.1),
        (0, 1.26, 0.34),
        0.55,
    )


def _owl() -> Subject:
    parts = (
        limb((0, 0.46, 0), (0, 0.8, 0), 0.36, 0.32, pattern="belly", alt=LIGHT),
        ball((0, 1.08, 0.02), (0.36, 0.3, 0.3), "head"),
        *pair(ball((0.14, 1.1, 0.22), (0.17, 0.18, 0.1), "head", (0, 18, 0), color=LIGHT)),
        *_eyes(0.14, 1.1, 0.285, 0.102, 12),
        tube((0, 1.04, 0.3), (0, 0.94, 0.4), 0.05, 0.0, "head", color=ACCENT),
        *pair(
            limb((0.2, 1.28, 0.04), (0.3, 1.48, 0.0), 0.09, 0.015, "head"),
            ball((0.37, 0.64, -0.04), (0.09, 0.36, 0.2), "armL", (0, 0, 8), color=SECOND),
        ),
        *_feet(0.15, 0.16),
        ball((0, 0.28, -0.32), (0.16, 0.06, 0.2), "tail", (20, 0, 0), color=SECOND),
    )
    palette = ("#9a7047", "#6c4a2c", "#1c140e", "#f4e3c2", "#f0a02e", "#9a7047")
    return Subject(
        "owl",
        ("little owl", "baby owl"),
        "bird",
        palette,
        parts,
        _bird_pivots(0.16, (0.33, 0.92, 0), (0, 0.9, 0)),
        (-0.4, 0.32, 0),
        (0, 1.36, 0),
        0.6,
    )


def _parrot() -> Subject:
    parts = (
        limb((0, 0.5, -0.06), (0, 0.84, 0.06), 0.25, 0.21),
        ball((0, 1.06, 0.12), (0.22, 0.21, 0.22), "head"),
        *pair(ball((0.13, 1.07, 0.22), (0.1, 0.1, 0.09), "head", (0, 40, 0), color=LIGHT)),
        *_eyes(0.165, 1.09, 0.28, 0.054, 42),
        limb((0, 1.04, 0.28), (0, 0.93, 0.4), 0.1, 0.02, "head", color=DARK),
        *pair(
            ball((0.25, 0.62, -0.12), (0.06, 0.32, 0.2), "armL", (18, 0, 6), color=SECOND, alt=EXTRA, pattern="split")
        ),
        limb((0, 0.4, -0.2), (0, 0.12, -0.62), 0.12, 0.05, "tail", color=EXTRA, alt=SECOND, pattern="end"),
        *_feet(0.12, 0.3, DARK),
    )
    palette = ("#d9322b", "#2f6fc4", "#22201f", "#fff7ea", "#e8a23a", "#f2c12e")
    return Subject(
        "parrot",
        ("bird", "colourful bird"),
        "bird",
        palette,
        parts,
        _bird_pivots(0.3, (0.22, 0.85, -0.02), (0, 0.92, 0.08)),
        (-0.28, 0.35, -0.15),
        (0, 1.26, 0.1),
        0.55,
    )


def _chicken() -> Subject:
    parts = (
        ball((0, 0.55, -0.05), (0.3, 0.3, 0.4)),
        limb((0, 0.62, 0.2), (0, 0.96, 0.28), 0.2, 0.13),
        ball((0, 1.02, 0.3), (0.17, 0.18, 0.18), "head"),
        *_eyes(0.105, 1.07, 0.42, 0.0432),
        tube((0, 1.0, 0.44), (0, 0.97, 0.6), 0.055, 0.005, "head", color=EXTRA),
        *(ball((0, 1.2 - abs(i) * 0.03, 0.3 + i * 0.08), (0.03, 0.08, 0.06), "head", color=ACCENT) for i in (-1, 0, 1)),
        ball((0, 0.88, 0.45), (0.035, 0.08, 0.04), "head", color=ACCENT),
        *pair(ball((0.28, 0.58, -0.08), (0.06, 0.18, 0.28), "armL", color=SECOND)),
        limb((0, 0.62, -0.3), (0, 0.95, -0.56), 0.16, 0.1, "tail", color=SECOND),
        *_feet(0.12, 0.34, EXTRA),
    )
    palette = ("#f4ede0", "#d8b98c", "#1b1714", "#fffaf0", "#d8342c", "#f0a92c")
    return Subject(
        "chicken",
        ("hen", "rooster"),
        "bird",
        palette,
        parts,
        _bird_pivots(0.34, (0.27, 0.68, 0.05), (0, 0.86, 0.26)),
        (-0.3, 0.5, -0.1),
        (0, 1.24, 0.3),
        0.55,
    )


def _swim_pivots(y: float, neck: float, tail: float, tip: float) -> dict[str, Vec]:
    out: dict[str, Vec] = {
        "body": (0, y, 0),
        "head": (0, y, neck),
        "jaw": (0, y, neck),
        "tail": (0, y, tail),
        "tip": (0, y, tip),
    }
    for side, s in (("L", 1.0), ("R", -1.0)):
        out |= {"arm" + side: (s * 0.2, y - 0.05, neck - 0.15), "fore" + side: (s * 0.3, y - 0.1, neck - 0.25)}
    return out


def _fish() -> Subject:
    parts = (
        ball((0, 0.5, 0.1), (0.2, 0.36, 0.5), "body", pattern="rings", alt=LIGHT),
        limb((0, 0.5, -0.2), (0, 0.5, -0.56), 0.2, 0.07, "tail"),
        *_eyes(0.155, 0.56, 0.4, 0.09, 62),
        *pair(
            ball((0.025, 0.64, -0.74), (0.02, 0.24, 0.14), "tip", (-32, 0, 0), color=SECOND),
            ball((0.025, 0.36, -0.74), (0.02, 0.24, 0.14), "tip", (32, 0, 0), color=SECOND),
            ball((0.26, 0.4, 0.14), (0.13, 0.025, 0.11), "armL", (20, -20, -25), color=SECOND),
        ),
        ball((0, 0.86, 0.0), (0.025, 0.17, 0.28), "body", (-14, 0, 0), color=SECOND),
        ball((0, 0.18, -0.06), (0.025, 0.13, 0.14), color=SECOND),
        ball((0, 0.43, 0.58), (0.07, 0.04, 0.05), "jaw", color=ACCENT),
    )
    palette = ("#f58a1f", "#f5a742", "#17181c", "#fdf6ea", "#d9583a", "#f58a1f")
    return Subject(
        "fish",
        ("little fish", "tropical fish"),
        "fish",
        palette,
        parts,
        _swim_pivots(0.5, 0.3, -0.2, -0.55),
        (-0.35, 0.4, 0.15),
        (0, 0.86, 0.2),
        0.5,
    )


def _dolphin() -> Subject:
    parts = (
        limb((0, 0.5, 0.3), (0, 0.52, -0.15), 0.24, 0.25, pattern="belly", alt=LIGHT),
        ball((0, 0.53, 0.5), (0.2, 0.2, 0.24), "head", pattern="belly", alt=LIGHT),
        limb((0, 0.52, -0.1), (0, 0.5, -0.66), 0.24, 0.07, "tail", pattern="belly", alt=LIGHT),
        limb((0, 0.47, 0.64), (0, 0.43, 0.88), 0.085, 0.045, "head"),
        *_eyes(0.165, 0.56, 0.6, 0.072, 60),
        ball((0, 0.8, -0.05), (0.03, 0.19, 0.14), "body", (-38, 0, 0), color=SECOND),
        *pair(
            ball((0.32, 0.34, 0.2), (0.2, 0.028, 0.09), "armL", (0, 25, -30), color=SECOND),
            ball((0.17, 0.5, -0.78), (0.2, 0.028, 0.1), "tip", (0, 25, 0), color=SECOND),
        ),
    )
    palette = ("#6d8fb3", "#567799", "#161a20", "#eef3f6", "#c88f96", "#6d8fb3")
    return Subject(
        "dolphin",
        ("young dolphin", "playful dolphin"),
        "fish",
        palette,
        parts,
        _swim_pivots(0.5, 0.4, -0.15, -0.65),
        (-0.4, 0.3, 0.15),
        (0, 0.72, 0.5),
        0.9,
    )


def _whale() -> Subject:
    parts = (
        ball((0, 0.5, 0.15), (0.42, 0.4, 0.62), pattern="belly", alt=LIGHT),
        limb((0, 0.5, -0.25), (0, 0.6, -0.75), 0.3, 0.09, "tail"),
        *_eyes(0.34, 0.5, 0.48, 0.084, 62),
        *pair(
            ball((0.46, 0.26, 0.16), (0.22, 0.035, 0.12), "armL", (0, 25, -30), color=SECOND),
            ball((0.2, 0.66, -0.9), (0.24, 0.035, 0.13), "tip", (-20, 28, 12), color=SECOND),
        ),
    )
    palette = ("#3f6ea8", "#335a8c", "#12161c", "#eaf1f6", "#c88f96", "#3f6ea8")
    return Subject(
        "whale",
        ("baby whale", "big whale"),
        "fish",
        palette,
        parts,
        _swim_pivots(0.5, 0.5, -0.25, -0.75),
        (-0.5, 0.25, 0.15),
        (0, 0.88, 0.3),
        1.4,
    )


def birds_and_fish() -> tuple[Subject, ...]:
    """All subjects with wings or fins."""
    return tuple(make() for make in (_penguin, _duck, _owl, _parrot, _chicken, _fish, _dolphin, _whale))
