"""Scenery."""

from __future__ import annotations

from .parts import ACCENT, DARK, EXTRA, LIGHT, MAIN, SECOND, ball, block, limb, tube
from .prop import Palette, Prop

_WOOD: Palette = ("#9a6a3c", "#6f4725", "#2a1d14", "#e9d3ae", "#c8392f", "#ffd36b")


def _tree() -> Prop:
    parts = (
        tube((0, 0, 0), (0, 0.95, 0), 0.13, 0.09, color=SECOND),
        ball((0, 1.35, 0), (0.55, 0.5, 0.55), pattern="spots", alt=EXTRA),
        ball((0.3, 1.15, 0.1), (0.36, 0.32, 0.36)),
        ball((-0.28, 1.2, -0.12), (0.38, 0.34, 0.38)),
        ball((0.02, 1.72, 0), (0.34, 0.3, 0.34)),
    )
    return Prop(
        "tree",
        ("tree", "leafy tree"),
        "scenery",
        ("#4c9a3a", "#6d4a2a", "#222222", "#eeeeee", "#c8392f", "#6bb54a"),
        parts,
        3,
    )


def _pine() -> Prop:
    parts = (
        tube((0, 0, 0), (0, 0.4, 0), 0.1, 0.1, color=SECOND),
        *(tube((0, h, 0), (0, h + 0.75, 0), r, 0.0) for h, r in ((0.3, 0.56), (0.68, 0.46), (1.06, 0.35))),
    )
    return Prop(
        "pine tree",
        ("pine tree", "fir tree"),
        "scenery",
        ("#2f6e45", "#5d3f26", "#222222", "#eeeeee", "#c8392f", "#3f8453"),
        parts,
        3,
    )


rock = (
    ball((0, 0.2, 0), (0.42, 0.32, 0.36), turn=(8, 20, 12), pattern="spots", alt=SECOND),
    ball((0.36, 0.1, 0.16), (0.22, 0.17, 0.2), alt=SECOND, pattern="spots"),
)
bush = (
    ball((0, 0.26, 0), (0.36, 0.32, 0.34)),
    ball((0.28, 0.2, 0.08), (0.26, 0.24, 0.26)),
    ball((-0.27, 0.2, 0.02), (0.27, 0.24, 0.26)),
    ball((0.1, 0.5, 0.12), 0.05, color=ACCENT),
    ball((-0.16, 0.44, 0.22), 0.05, color=ACCENT),
    ball((0.26, 0.36, 0.26), 0.05, color=ACCENT),
)
mushroom = (
    limb((0, 0, 0), (0, 0.34, 0), 0.13, 0.1, color=LIGHT),
    ball((0, 0.42, 0), (0.36, 0.22, 0.36), alt=LIGHT, pattern="spots"),
)
sunflower = (
    tube((0, 0, 0), (0, 0.8, 0), 0.03, 0.025, color=SECOND),
    ball((0, 0.9, 0), (0.24, 0.24, 0.05), turn=(-15, 0, 0)),
    ball((0, 0.905, 0.035), (0.13, 0.13, 0.05), turn=(-15, 0, 0), color=DARK),
    ball((0.14, 0.4, 0), (0.15, 0.03, 0.07), turn=(0, 0, 25), color=SECOND),
)
lamp = (
    tube((0, 0, 0), (0, 0.08, 0), 0.16, 0.12, color=DARK),
    tube((0, 0, 0), (0, 1.5, 0), 0.035, 0.03, color=DARK),
    ball((0, 1.62, 0), 0.15, color=EXTRA, pattern="glow"),
    tube((0, 1.72, 0), (0, 1.82, 0), 0.17, 0.02, color=DARK),
)
fire = (
    *(
        tube((0.26 * x, 0.05, 0.26 * z), (-0.26 * x, 0.13, -0.26 * z), 0.055, 0.05, color=SECOND)
        for x, z in ((1, 0.2), (-0.3, 1))
    ),
    limb((0, 0.16, 0), (0, 0.46, 0.0), 0.16, 0.02, color=ACCENT, pattern="glow"),
    limb((0.05, 0.14, 0.06), (0.06, 0.34, 0.07), 0.11, 0.02, color=EXTRA, pattern="glow"),
    limb((-0.08, 0.14, 0.02), (-0.1, 0.36, 0.02), 0.09, 0.015, color=ACCENT, pattern="glow"),
)
house = (
    block((0, 0.5, 0), (0.6, 0.5, 0.5), color=LIGHT),
    block((0.27, 1.13, 0), (0.48, 0.05, 0.6), turn=(0, 0, -42)),
    block((-0.27, 1.13, 0), (0.48, 0.05, 0.6), turn=(0, 0, 42)),
    block((0, 0.3, 0.5), (0.13, 0.3, 0.02), color=SECOND),
    block((0, 1.0, 0), (0.34, 0.32, 0.49), turn=(0, 0, 45), color=LIGHT),
    block((0.36, 0.62, 0.5), (0.12, 0.12, 0.02), color=EXTRA, pattern="glow"),
)
fence = (
    *(block((x, 0.3, 0), (0.05, 0.3, 0.03)) for x in (-0.6, 0.0, 0.6)),
    *(block((0, h, 0.03), (0.85, 0.05, 0.02)) for h in (0.2, 0.45)),
)
snowman = (
    ball((0, 0.32, 0), 0.36),
    ball((0, 0.82, 0), 0.26),
    ball((0, 1.2, 0), 0.19),
    tube((0, 1.2, 0.17), (0, 1.18, 0.4), 0.04, 0.005, color=ACCENT),
    tube((0, 1.36, 0), (0, 1.58, 0), 0.14, 0.13, color=DARK),
    tube((0, 1.35, 0), (0, 1.38, 0), 0.22, 0.22, color=DARK),
)
cactus = (
    limb((0, 0, 0), (0, 0.95, 0), 0.16, 0.15),
    limb((0.16, 0.5, 0), (0.38, 0.55, 0), 0.08, 0.08),
    limb((0.38, 0.55, 0), (0.38, 0.82, 0), 0.08, 0.075),
    limb((-0.34, 0.42, 0), (-0.34, 0.7, 0), 0.075, 0.07),
    limb((-0.15, 0.38, 0), (-0.34, 0.42, 0), 0.075, 0.075),
)
hydrant = (
    tube((0, 0, 0), (0, 0.08, 0), 0.2, 0.19),
    tube((0, 0.05, 0), (0, 0.5, 0), 0.15, 0.14),
    ball((0, 0.5, 0), (0.15, 0.13, 0.15)),
    tube((-0.25, 0.34, 0), (0.25, 0.34, 0), 0.075, 0.075),
    tube((0, 0.32, 0.1), (0, 0.32, 0.23), 0.09, 0.09, color=SECOND),
)
table = (
    tube((0, 0.48, 0), (0, 0.54, 0), 0.46, 0.46),
    tube((0, 0, 0), (0, 0.5, 0), 0.06, 0.06, color=SECOND),
    tube((0, 0, 0), (0, 0.04, 0), 0.24, 0.2, color=SECOND),
)
crate = (
    block((0, 0.26, 0), (0.26, 0.26, 0.26), turn=(0, 20, 0), alt=SECOND, pattern="rings"),
    block((0.1, 0.66, -0.02), (0.16, 0.14, 0.16), turn=(0, 50, 0), alt=SECOND, pattern="rings"),
)
tent = (
    tube((0, 0, 0), (0, 1.1, 0), 0.75, 0.02, alt=SECOND, pattern="split"),
    ball((0, 1.12, 0), 0.05, color=EXTRA),
)
balloons = (
    *(
        ball((x, h, z), (0.17, 0.21, 0.17), color=c, gloss=0.8)
        for x, h, z, c in ((-0.2, 1.2, 0, MAIN), (0.2, 1.3, 0.05, SECOND), (0.0, 1.55, -0.05, EXTRA))
    ),
    tube((0, 0, 0), (0, 1.2, 0), 0.012, 0.012, color=LIGHT),
    block((0, 0.06, 0), (0.07, 0.06, 0.07), color=ACCENT),
)
SCENERY: tuple[Prop, ...] = (
    _tree(),
    _pine(),
    Prop(
        "rock",
        ("rock", "boulder"),
        "scenery",
        ("#8b8780", "#6d6963", "#333333", "#bbbbbb", "#c8392f", "#8b8780"),
        rock,
        3,
    ),
    Prop(
        "bush",
        ("bush", "flowering bush"),
        "scenery",
        ("#4f8f3c", "#3c7030", "#222222", "#eeeeee", "#e2557a", "#f6d04d"),
        bush,
        3,
    ),
    Prop(
        "mushroom",
        ("mushroom", "red mushroom"),
        "scenery",
        ("#d43a2e", "#b02c22", "#222222", "#f8efe0", "#e2557a", "#f6d04d"),
        mushroom,
        3,
    ),
    Prop(
        "sunflower",
        ("sunflower", "tall flower"),
        "scenery",
        ("#f6bf26", "#4a8a34", "#4a2c18", "#eeeeee", "#e2557a", "#f6d04d"),
        sunflower,
        3,
    ),
    Prop(
        "street lamp",
        ("street lamp", "lamp post"),
        "scenery",
        ("#3a3d42", "#3a3d42", "#2b2d31", "#eeeeee", "#e2557a", "#ffe6a3"),
        lamp,
        1,
        1.0,
    ),
    Prop(
        "campfire",
        ("campfire", "fire pit"),
        "scenery",
        ("#6b4a2d", "#5a3a22", "#2b2220", "#eeeeee", "#ff7a1c", "#ffd24a"),
        fire,
        1,
        1.2,
    ),
    Prop(
        "house",
        ("small house", "cottage"),
        "scenery",
        ("#b5483a", "#6b4428", "#2b2220", "#f0e2c6", "#b5483a", "#ffd98a"),
        house,
        1,
        0.4,
    ),
    Prop(
        "fence",
        ("wooden fence", "fence"),
        "scenery",
        ("#c9a06a", "#a17d4c", "#2b2220", "#f0e2c6", "#b5483a", "#ffd98a"),
        fence,
        2,
    ),
    Prop(
        "snowman",
        ("snowman", "little snowman"),
        "scenery",
        ("#f6f8fb", "#dfe6ee", "#202226", "#ffffff", "#f0832a", "#f6f8fb"),
        snowman,
        1,
    ),
    Prop(
        "cactus",
        ("cactus", "tall cactus"),
        "scenery",
        ("#4f8f52", "#3f7a45", "#202226", "#ffffff", "#e2557a", "#4f8f52"),
        cactus,
        2,
    ),
    Prop(
        "fire hydrant",
        ("fire hydrant", "red hydrant"),
        "scenery",
        ("#d63a2c", "#e9c53d", "#202226", "#ffffff", "#e2557a", "#e9c53d"),
        hydrant,
        1,
    ),
    Prop("table", ("round table", "wooden table"), "scenery", _WOOD, table, 1),
    Prop(
        "crate",
        ("wooden crate", "stack of boxes"),
        "scenery",
        ("#c39455", "#936832", "#2a1d14", "#e9d3ae", "#c8392f", "#ffd36b"),
        crate,
        2,
    ),
    Prop(
        "tent",
        ("tent", "camping tent"),
        "scenery",
        ("#e0703a", "#f3e6cc", "#2a1d14", "#e9d3ae", "#c8392f", "#ffd36b"),
        tent,
        1,
    ),
    Prop(
        "balloons",
        ("colourful balloons", "party balloons"),
        "scenery",
        ("#e4463c", "#3f84d8", "#2a1d14", "#e9e3d6", "#6b4a8f", "#f4c430"),
        balloons,
        1,
    ),
)
