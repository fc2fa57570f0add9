"""Vehicles. Front wheels hang on the arm bones, rear wheels on the leg bones, propellers on the tail bone."""

from __future__ import annotations

from fourreal.worlds.parts import ACCENT, DARK, EXTRA, LIGHT, MAIN, SECOND, Part, Vec, ball, block, limb, pair, tube

from .base import Subject


def _wheels(x: float, r: float, front: float, rear: float, wide: float = 0.08) -> tuple[Part, ...]:
    return pair(
        *(
            tube((x - wide, r, z), (x + wide, r, z), r, r, bone, color=DARK, alt=LIGHT, pattern="wheel")
            for bone, z in (("armL", front), ("legL", rear))
        )
    )


def _pivots(x: float, r: float, front: float, rear: float, tail: Vec = (0, 0.5, -0.5)) -> dict[str, Vec]:
    out: dict[str, Vec] = {"body": (0, r, 0), "head": (0, 0.5, 0), "jaw": (0, 0.5, 0.4), "tail": tail, "tip": tail}
    for side, s in (("L", 1.0), ("R", -1.0)):
        out |= {
            "arm" + side: (s * x, r, front),
            "leg" + side: (s * x, r, rear),
            "fore" + side: (s * x, r, front),
            "shin" + side: (s * x, r, rear),
        }
    return out


def _lamps(x: float, y: float, z: float, r: float = 0.075) -> tuple[Part, ...]:
    return pair(ball((x, y, z), (r, r, r * 0.5), color=EXTRA, pattern="glow", caster=False))


def _car() -> Subject:
    parts = (
        block((0, 0.42, 0), (0.42, 0.17, 0.88), gloss=0.7),
        block((0, 0.5, 0.45), (0.4, 0.13, 0.42), gloss=0.7),
        block((0, 0.73, -0.12), (0.36, 0.18, 0.44), color=LIGHT, alt=SECOND, pattern="glass", gloss=0.9),
        block((0, 0.93, -0.12), (0.34, 0.035, 0.4), gloss=0.7),
        *_wheels(0.38, 0.21, 0.54, -0.54),
        *_lamps(0.28, 0.46, 0.88),
        block((0, 0.3, 0.88), (0.4, 0.05, 0.05), color=LIGHT, gloss=0.6),
        block((0, 0.3, -0.88), (0.4, 0.05, 0.05), color=LIGHT, gloss=0.6),
        *pair(block((0.3, 0.47, -0.88), (0.08, 0.05, 0.02), color=ACCENT, caster=False)),
    )
    palette = ("#d7352e", "#26323f", "#1b1b1e", "#d9dee4", "#c8242a", "#fff2b8")
    return Subject(
        "car",
        ("little car", "sedan"),
        "car",
        palette,
        parts,
        _pivots(0.38, 0.21, 0.54, -0.54),
        (-0.4, 0.6, 0.3),
        (0, 0.97, -0.12),
        1.0,
    )


def _truck() -> Subject:
    parts = (
        block((0, 0.42, 0), (0.4, 0.1, 1.05), color=DARK),
        block((0, 0.72, 0.72), (0.4, 0.32, 0.32), gloss=0.6),
        block((0, 0.88, 0.8), (0.36, 0.14, 0.27), color=LIGHT, alt=SECOND, pattern="glass", gloss=0.9),
        block((0, 0.92, -0.32), (0.43, 0.44, 0.66), color=LIGHT),
        *_wheels(0.38, 0.23, 0.68, -0.58, 0.1),
        *_lamps(0.27, 0.52, 1.04),
        block((0, 0.36, 1.05), (0.4, 0.06, 0.05), color=SECOND),
    )
    palette = ("#2f66c0", "#1f2c3c", "#1b1b1e", "#e9e6df", "#d03030", "#fff2b8")
    return Subject(
        "truck",
        ("lorry", "delivery truck"),
        "car",
        palette,
        parts,
        _pivots(0.38, 0.23, 0.68, -0.58),
        (-0.4, 0.8, 0.6),
        (0, 1.36, -0.3),
        1.4,
    )


def _bus() -> Subject:
    parts = (
        block((0, 0.7, 0), (0.42, 0.5, 1.05), gloss=0.5),
        block((0, 0.88, 0), (0.43, 0.16, 0.92), color=LIGHT, alt=SECOND, pattern="glass", gloss=0.9),
        block((0, 0.9, 0.98), (0.36, 0.2, 0.08), color=SECOND, pattern="glass", alt=SECOND, gloss=0.9),
        *_wheels(0.38, 0.22, 0.62, -0.62),
        *_lamps(0.3, 0.42, 1.05),
        block((0, 0.27, 1.05), (0.42, 0.05, 0.04), color=DARK),
    )
    palette = ("#f2b41f", "#2a3746", "#1b1b1e", "#dfe6ea", "#d03030", "#fff2b8")
    return Subject(
        "bus",
        ("school bus", "little bus"),
        "car",
        palette,
        parts,
        _pivots(0.38, 0.22, 0.62, -0.62),
        (-0.4, 0.8, 0.6),
        (0, 1.2, 0),
        1.5,
    )


def _train() -> Subject:
    parts = (
        tube((0, 0.66, -0.3), (0, 0.66, 0.84), 0.32, 0.32, gloss=0.5),
        block((0, 0.36, 0), (0.36, 0.09, 0.95), color=DARK),
        block((0, 0.86, -0.62), (0.4, 0.46, 0.32), gloss=0.4),
        block((0, 1.35, -0.62), (0.46, 0.05, 0.4), color=SECOND),
        tube((0, 0.95, 0.55), (0, 1.32, 0.55), 0.09, 0.14, color=DARK),
        ball((0, 1.0, 0.1), (0.13, 0.12, 0.13), color=EXTRA, gloss=0.8),
        block((0, 0.98, -0.62), (0.41, 0.15, 0.2), color=LIGHT, alt=SECOND, pattern="glass"),
        *_wheels(0.32, 0.22, 0.6, -0.6, 0.06),
        *pair(
            tube((0.27, 0.22, 0.05), (0.37, 0.22, 0.05), 0.22, 0.22, "body", color=DARK, alt=ACCENT, pattern="wheel")
        ),
        *_lamps(0.0, 0.72, 0.86, 0.1)[:1],
    )
    palette = ("#2d7d4f", "#b23a2e", "#1d1d20", "#e8e2cf", "#c9362c", "#f0c95a")
    return Subject(
        "train",
        ("steam train", "toy train"),
        "car",
        palette,
        parts,
        _pivots(0.32, 0.22, 0.6, -0.6),
        (-0.4, 0.8, 0.6),
        (0, 1.4, -0.62),
        1.4,
    )


def _boat() -> Subject:
    parts = (
        limb((0, 0.36, -0.62), (0, 0.42, 0.72), 0.34, 0.16),
        block((0, 0.52, -0.12), (0.34, 0.06, 0.7), color=LIGHT),
        block((0, 0.72, -0.28), (0.22, 0.17, 0.28), color=LIGHT, alt=SECOND, pattern="glass"),
        block((0, 0.92, -0.28), (0.26, 0.03, 0.33), color=MAIN),
        tube((0, 0.5, 0.22), (0, 1.62, 0.22), 0.03, 0.02, color=SECOND),
        block((0, 1.12, -0.08), (0.012, 0.34, 0.27), color=LIGHT, alt=MAIN, pattern="rings"),
        limb((0, 1.58, 0.2), (0, 1.54, -0.02), 0.035, 0.02, "tail", color=ACCENT),
        *pair(ball((0.35, 0.44, -0.1), (0.05, 0.1, 0.1), color=ACCENT)),
    )
    palette = ("#c8392f", "#7a5230", "#22252a", "#f6f1e6", "#f0a52e", "#f6f1e6")
    return Subject(
        "boat",
        ("sailing boat", "ship"),
        "ship",
        palette,
        parts,
        _pivots(0.3, 0.3, 0.4, -0.4),
        (-0.3, 0.6, 0.2),
        (0, 1.1, -0.28),
        1.2,
    )


def _airplane() -> Subject:
    parts = (
        limb((0, 0.62, -0.7), (0, 0.6, 0.58), 0.1, 0.23),
        ball((0, 0.8, 0.28), (0.14, 0.13, 0.26), color=SECOND, pattern="glass", alt=SECOND, gloss=1.0),
        block((0, 0.56, 0.16), (1.05, 0.03, 0.22), alt=LIGHT, pattern="split"),
        block((0, 0.66, -0.72), (0.4, 0.025, 0.13)),
        block((0, 0.86, -0.76), (0.025, 0.2, 0.15), color=ACCENT),
        tube((0, 0.6, 0.76), (0, 0.6, 0.9), 0.09, 0.02, "tail", color=DARK),
        block((0, 0.6, 0.85), (0.42, 0.045, 0.015), "tail", color=DARK),
        block((0, 0.6, 0.85), (0.045, 0.42, 0.015), "tail", color=DARK),
        *pair(
            tube((0.24, 0.15, 0.3), (0.32, 0.15, 0.3), 0.13, 0.13, color=DARK, alt=LIGHT, pattern="wheel"),
            limb((0.27, 0.16, 0.3), (0.15, 0.5, 0.26), 0.03, 0.03, color=SECOND),
            tube((0.62, 0.5, 0.1), (0.62, 0.5, 0.5), 0.09, 0.11, color=LIGHT),
        ),
    )
    palette = ("#e8483a", "#6c8aa3", "#22262c", "#f6f3ea", "#f2b632", "#f6f3ea")
    return Subject(
        "airplane",
        ("plane", "toy plane"),
        "plane",
        palette,
        parts,
        _pivots(0.28, 0.15, 0.3, -0.7, (0, 0.6, 0.85)),
        (-0.3, 0.6, 0.2),
        (0, 0.92, 0.28),
        1.3,
    )


def _rocket() -> Subject:
    fins = (
        *(block((s * 0.34, 0.38, 0), (0.14, 0.2, 0.03), turn=(0, 0, -s * 18), color=ACCENT) for s in (-1, 1)),
        block((0, 0.38, -0.34), (0.03, 0.2, 0.14), color=ACCENT),
        block((0, 0.38, 0.34), (0.03, 0.2, 0.14), color=ACCENT),
    )
    parts = (
        tube((0, 0.3, 0), (0, 1.12, 0), 0.29, 0.29),
        tube((0, 1.12, 0), (0, 1.66, 0), 0.29, 0.02, color=ACCENT),
        tube((0, 0.14, 0), (0, 0.3, 0), 0.22, 0.16, color=DARK),
        *fins,
        ball((0, 0.95, 0.26), (0.14, 0.14, 0.06), color=SECOND, pattern="glass", alt=SECOND, gloss=1.0),
        ball((0, 0.02, 0), (0.14, 0.2, 0.14), "tail", color=EXTRA, pattern="glow"),
    )
    palette = ("#f1f1ee", "#4aa3d8", "#2b2e34", "#f1f1ee", "#e0412f", "#ffb03a")
    return Subject(
        "rocket",
        ("space rocket", "spaceship"),
        "plane",
        palette,
        parts,
        _pivots(0.28, 0.15, 0.3, -0.7, (0, 0.2, 0)),
        (-0.3, 0.6, 0.2),
        (0, 1.66, 0),
        1.5,
    )


def vehicles() -> tuple[Subject, ...]:
    """All vehicles."""
    return tuple(make() for make in (_car, _truck, _bus, _train, _boat, _airplane, _rocket))
