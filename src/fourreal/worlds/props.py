"""Props: scenery that stands around, things held while acting, and hats."""

from __future__ import annotations

from dataclasses import dataclass

from .parts import ACCENT, DARK, EXTRA, LIGHT, MAIN, SECOND, Part, ball, block, limb, pair, tube

Palette = tuple[str, str, str, str, str, str]
_WOOD: Palette = ("#9a6a3c", "#6f4725", "#2a1d14", "#e9d3ae", "#c8392f", "#ffd36b")


@dataclass(frozen=True)
class Prop:
    """A thing.

    Attributes:
        name, words: label and other words for captions.
        anchor: "scenery" (on the ground, around the subject), "hand", "chest" (between the hands), "front" (on the
            ground before the subject), "seat" (around the subject's middle) or "crown" (top of the head).
        palette: six sRGB colours, as for subjects.
        parts: primitives; the origin is the point held, or the point on the ground.
        many: usual number of copies of scenery, 1 to 3.
        light: 0, or the strength of the light that it gives.
        back: for held things, how far the origin stays in front of the anchor, in metres.
    """

    name: str
    words: tuple[str, ...]
    anchor: str
    palette: Palette
    parts: tuple[Part, ...]
    many: int = 1
    light: float = 0.0
    back: float = 0.0


def _tree() -> Prop:
    parts = (tube((0, 0, 0), (0, 0.95, 0), 0.13, 0.09, color=SECOND), ball((0, 1.35, 0), (0.55, 0.5, 0.55), pattern="spots", alt=EXTRA),
             ball((0.3, 1.15, 0.1), (0.36, 0.32, 0.36)), ball((-0.28, 1.2, -0.12), (0.38, 0.34, 0.38)), ball((0.02, 1.72, 0), (0.34, 0.3, 0.34)))  # fmt: skip
    return Prop("tree", ("tree", "leafy tree"), "scenery", ("#4c9a3a", "#6d4a2a", "#222222", "#eeeeee", "#c8392f", "#6bb54a"), parts, 3)


def _pine() -> Prop:
    parts = (tube((0, 0, 0), (0, 0.4, 0), 0.1, 0.1, color=SECOND), *(tube((0, h, 0), (0, h + 0.75, 0), r, 0.0) for h, r in ((0.3, 0.56), (0.68, 0.46), (1.06, 0.35))))
    return Prop("pine tree", ("pine tree", "fir tree"), "scenery", ("#2f6e45", "#5d3f26", "#222222", "#eeeeee", "#c8392f", "#3f8453"), parts, 3)


def _scenery() -> tuple[Prop, ...]:
    rock = (ball((0, 0.2, 0), (0.42, 0.32, 0.36), turn=(8, 20, 12), pattern="spots", alt=SECOND), ball((0.36, 0.1, 0.16), (0.22, 0.17, 0.2), alt=SECOND, pattern="spots"))
    bush = (ball((0, 0.26, 0), (0.36, 0.32, 0.34)), ball((0.28, 0.2, 0.08), (0.26, 0.24, 0.26)), ball((-0.27, 0.2, 0.02), (0.27, 0.24, 0.26)),
            ball((0.1, 0.5, 0.12), 0.05, color=ACCENT), ball((-0.16, 0.44, 0.22), 0.05, color=ACCENT), ball((0.26, 0.36, 0.26), 0.05, color=ACCENT))  # fmt: skip
    mushroom = (limb((0, 0, 0), (0, 0.34, 0), 0.13, 0.1, color=LIGHT), ball((0, 0.42, 0), (0.36, 0.22, 0.36), alt=LIGHT, pattern="spots"))
    sunflower = (tube((0, 0, 0), (0, 0.8, 0), 0.03, 0.025, color=SECOND), ball((0, 0.9, 0), (0.24, 0.24, 0.05), turn=(-15, 0, 0)), ball((0, 0.905, 0.035), (0.13, 0.13, 0.05), turn=(-15, 0, 0), color=DARK),
                 ball((0.14, 0.4, 0), (0.15, 0.03, 0.07), turn=(0, 0, 25), color=SECOND))  # fmt: skip
    lamp = (tube((0, 0, 0), (0, 0.08, 0), 0.16, 0.12, color=DARK), tube((0, 0, 0), (0, 1.5, 0), 0.035, 0.03, color=DARK), ball((0, 1.62, 0), 0.15, color=EXTRA, pattern="glow"), tube((0, 1.72, 0), (0, 1.82, 0), 0.17, 0.02, color=DARK))
    fire = (*(tube((0.26 * x, 0.05, 0.26 * z), (-0.26 * x, 0.13, -0.26 * z), 0.055, 0.05, color=SECOND) for x, z in ((1, 0.2), (-0.3, 1))), limb((0, 0.16, 0), (0, 0.46, 0.0), 0.16, 0.02, color=ACCENT, pattern="glow"),
            limb((0.05, 0.14, 0.06), (0.06, 0.34, 0.07), 0.11, 0.02, color=EXTRA, pattern="glow"), limb((-0.08, 0.14, 0.02), (-0.1, 0.36, 0.02), 0.09, 0.015, color=ACCENT, pattern="glow"))  # fmt: skip
    house = (block((0, 0.5, 0), (0.6, 0.5, 0.5), color=LIGHT), block((0.27, 1.13, 0), (0.48, 0.05, 0.6), turn=(0, 0, -42)), block((-0.27, 1.13, 0), (0.48, 0.05, 0.6), turn=(0, 0, 42)),
             block((0, 0.3, 0.5), (0.13, 0.3, 0.02), color=SECOND), block((0, 1.0, 0), (0.34, 0.32, 0.49), turn=(0, 0, 45), color=LIGHT), block((0.36, 0.62, 0.5), (0.12, 0.12, 0.02), color=EXTRA, pattern="glow"))  # fmt: skip
    fence = (*(block((x, 0.3, 0), (0.05, 0.3, 0.03)) for x in (-0.6, 0.0, 0.6)), *(block((0, h, 0.03), (0.85, 0.05, 0.02)) for h in (0.2, 0.45)))
    snowman = (ball((0, 0.32, 0), 0.36), ball((0, 0.82, 0), 0.26), ball((0, 1.2, 0), 0.19), tube((0, 1.2, 0.17), (0, 1.18, 0.4), 0.04, 0.005, color=ACCENT), tube((0, 1.36, 0), (0, 1.58, 0), 0.14, 0.13, color=DARK), tube((0, 1.35, 0), (0, 1.38, 0), 0.22, 0.22, color=DARK))
    cactus = (limb((0, 0, 0), (0, 0.95, 0), 0.16, 0.15), limb((0.16, 0.5, 0), (0.38, 0.55, 0), 0.08, 0.08), limb((0.38, 0.55, 0), (0.38, 0.82, 0), 0.08, 0.075), limb((-0.34, 0.42, 0), (-0.34, 0.7, 0), 0.075, 0.07), limb((-0.15, 0.38, 0), (-0.34, 0.42, 0), 0.075, 0.075))
    hydrant = (tube((0, 0, 0), (0, 0.08, 0), 0.2, 0.19), tube((0, 0.05, 0), (0, 0.5, 0), 0.15, 0.14), ball((0, 0.5, 0), (0.15, 0.13, 0.15)), tube((-0.25, 0.34, 0), (0.25, 0.34, 0), 0.075, 0.075), tube((0, 0.32, 0.1), (0, 0.32, 0.23), 0.09, 0.09, color=SECOND))
    table = (tube((0, 0.48, 0), (0, 0.54, 0), 0.46, 0.46), tube((0, 0, 0), (0, 0.5, 0), 0.06, 0.06, color=SECOND), tube((0, 0, 0), (0, 0.04, 0), 0.24, 0.2, color=SECOND))
    crate = (block((0, 0.26, 0), (0.26, 0.26, 0.26), turn=(0, 20, 0), alt=SECOND, pattern="rings"), block((0.1, 0.66, -0.02), (0.16, 0.14, 0.16), turn=(0, 50, 0), alt=SECOND, pattern="rings"))
    tent = (tube((0, 0, 0), (0, 1.1, 0), 0.75, 0.02, alt=SECOND, pattern="split"), ball((0, 1.12, 0), 0.05, color=EXTRA))
    balloons = (*(ball((x, h, z), (0.17, 0.21, 0.17), color=c, gloss=0.8) for x, h, z, c in ((-0.2, 1.2, 0, MAIN), (0.2, 1.3, 0.05, SECOND), (0.0, 1.55, -0.05, EXTRA))), tube((0, 0, 0), (0, 1.2, 0), 0.012, 0.012, color=LIGHT), block((0, 0.06, 0), (0.07, 0.06, 0.07), color=ACCENT))
    return (
        _tree(), _pine(),
        Prop("rock", ("rock", "boulder"), "scenery", ("#8b8780", "#6d6963", "#333333", "#bbbbbb", "#c8392f", "#8b8780"), rock, 3),
        Prop("bush", ("bush", "flowering bush"), "scenery", ("#4f8f3c", "#3c7030", "#222222", "#eeeeee", "#e2557a", "#f6d04d"), bush, 3),
        Prop("mushroom", ("mushroom", "red mushroom"), "scenery", ("#d43a2e", "#b02c22", "#222222", "#f8efe0", "#e2557a", "#f6d04d"), mushroom, 3),
        Prop("sunflower", ("sunflower", "tall flower"), "scenery", ("#f6bf26", "#4a8a34", "#4a2c18", "#eeeeee", "#e2557a", "#f6d04d"), sunflower, 3),
        Prop("street lamp", ("street lamp", "lamp post"), "scenery", ("#3a3d42", "#3a3d42", "#2b2d31", "#eeeeee", "#e2557a", "#ffe6a3"), lamp, 1, 1.0),
        Prop("campfire", ("campfire", "fire pit"), "scenery", ("#6b4a2d", "#5a3a22", "#2b2220", "#eeeeee", "#ff7a1c", "#ffd24a"), fire, 1, 1.2),
        Prop("house", ("small house", "cottage"), "scenery", ("#b5483a", "#6b4428", "#2b2220", "#f0e2c6", "#b5483a", "#ffd98a"), house, 1, 0.4),
        Prop("fence", ("wooden fence", "fence"), "scenery", ("#c9a06a", "#a17d4c", "#2b2220", "#f0e2c6", "#b5483a", "#ffd98a"), fence, 2),
        Prop("snowman", ("snowman", "little snowman"), "scenery", ("#f6f8fb", "#dfe6ee", "#202226", "#ffffff", "#f0832a", "#f6f8fb"), snowman, 1),
        Prop("cactus", ("cactus", "tall cactus"), "scenery", ("#4f8f52", "#3f7a45", "#202226", "#ffffff", "#e2557a", "#4f8f52"), cactus, 2),
        Prop("fire hydrant", ("fire hydrant", "red hydrant"), "scenery", ("#d63a2c", "#e9c53d", "#202226", "#ffffff", "#e2557a", "#e9c53d"), hydrant, 1),
        Prop("table", ("round table", "wooden table"), "scenery", _WOOD, table, 1),
        Prop("crate", ("wooden crate", "stack of boxes"), "scenery", ("#c39455", "#936832", "#2a1d14", "#e9d3ae", "#c8392f", "#ffd36b"), crate, 2),
        Prop("tent", ("tent", "camping tent"), "scenery", ("#e0703a", "#f3e6cc", "#2a1d14", "#e9d3ae", "#c8392f", "#ffd36b"), tent, 1),
        Prop("balloons", ("colourful balloons", "party balloons"), "scenery", ("#e4463c", "#3f84d8", "#2a1d14", "#e9e3d6", "#6b4a8f", "#f4c430"), balloons, 1),
    )  # fmt: skip


def _held() -> tuple[Prop, ...]:
    cream = (tube((0, 0.16, 0), (0, -0.12, 0), 0.1, 0.01, color=EXTRA), ball((0, 0.22, 0), 0.125, color=LIGHT), ball((0, 0.36, 0), 0.1, color=ACCENT))
    carrot = (limb((0, 0.28, 0.04), (0, -0.12, 0), 0.085, 0.02), limb((0, 0.32, 0.05), (0.04, 0.46, 0.06), 0.03, 0.02, color=SECOND), limb((0, 0.32, 0.05), (-0.05, 0.45, 0.06), 0.03, 0.02, color=SECOND))
    apple = (ball((0, 0.08, 0.04), (0.13, 0.12, 0.13), gloss=0.6), limb((0, 0.18, 0.04), (0.02, 0.25, 0.04), 0.014, 0.012, color=SECOND))
    candy = (block((0, 0.12, 0.03), (0.065, 0.17, 0.04), turn=(0, 0, 12)), block((0, 0.04, 0.03), (0.075, 0.09, 0.05), turn=(0, 0, 12), color=ACCENT))
    cup = (tube((0, -0.08, 0.03), (0, 0.2, 0.03), 0.1, 0.12), tube((0, 0.2, 0.03), (0, 0.225, 0.03), 0.115, 0.115, color=LIGHT), tube((0.03, 0.1, 0.03), (0.08, 0.4, 0.05), 0.016, 0.016, color=ACCENT))
    book = (block((0.15, 0.04, 0.06), (0.16, 0.19, 0.02), turn=(-28, -20, 0)), block((-0.15, 0.04, 0.06), (0.16, 0.19, 0.02), turn=(-28, 20, 0)), block((0.14, 0.06, 0.035), (0.14, 0.17, 0.02), turn=(-28, -20, 0), color=LIGHT), block((-0.14, 0.06, 0.035), (0.14, 0.17, 0.02), turn=(-28, 20, 0), color=LIGHT))
    mic = (tube((0, -0.12, 0), (0, 0.14, 0.02), 0.035, 0.045, color=DARK), ball((0, 0.2, 0.03), 0.085, color=LIGHT, gloss=0.9))
    guitar = (ball((-0.2, -0.06, 0.05), (0.21, 0.19, 0.06)), ball((-0.02, -0.0, 0.05), (0.15, 0.14, 0.055)), limb((0.05, 0.03, 0.08), (0.6, 0.2, 0.1), 0.035, 0.03, color=SECOND), ball((-0.1, -0.03, 0.085), (0.075, 0.075, 0.03), color=DARK), block((0.64, 0.215, 0.1), (0.08, 0.045, 0.025), turn=(0, 0, 16), color=SECOND))
    violin = (ball((0.2, 0.16, 0.04), (0.14, 0.1, 0.05)), ball((0.34, 0.2, 0.06), (0.1, 0.08, 0.045)), limb((0.4, 0.21, 0.07), (0.6, 0.27, 0.12), 0.025, 0.02, color=DARK), tube((-0.25, 0.1, 0.16), (0.42, 0.3, 0.14), 0.014, 0.012, color=SECOND))
    sax = (limb((0, 0.3, 0.0), (0, -0.12, 0.1), 0.035, 0.06, color=EXTRA, gloss=1.0), limb((0, -0.12, 0.1), (0.1, -0.12, 0.24), 0.06, 0.07, color=EXTRA, gloss=1.0), tube((0.1, -0.12, 0.24), (0.13, 0.14, 0.3), 0.07, 0.13, color=EXTRA, gloss=1.0))
    pad = (block((0, 0, 0.06), (0.15, 0.05, 0.075), turn=(-30, 0, 0)), *pair(ball((0.15, -0.02, 0.05), (0.075, 0.06, 0.1))), *pair(ball((0.1, 0.05, 0.07), 0.035, color=ACCENT)))
    kart = (block((0, 0.19, 0.05), (0.46, 0.1, 0.86), gloss=0.7), block((0, 0.36, 0.64), (0.4, 0.12, 0.26), gloss=0.7), block((0, 0.52, -0.66), (0.42, 0.3, 0.07), color=SECOND),
            *pair(ball((0.42, 0.38, -0.05), (0.08, 0.14, 0.62), gloss=0.7)), ball((0, 0.42, 0.9), (0.1, 0.1, 0.04), color=EXTRA, pattern="glow"),
            *(tube((s * 0.4, 0.22, z), (s * 0.6, 0.22, z), 0.22, 0.22, color=DARK, alt=LIGHT, pattern="wheel") for s in (-1.0, 1.0) for z in (0.58, -0.56)))  # fmt: skip
    piano = (block((0, 0.2, 0.2), (0.5, 0.2, 0.14), color=DARK, gloss=0.8), block((0, 0.3, 0.03), (0.48, 0.03, 0.1), color=LIGHT, alt=DARK, pattern="rings"), block((0, 0.43, 0.2), (0.52, 0.025, 0.16), color=DARK, gloss=0.8), *pair(tube((0.42, 0, -0.02), (0.42, 0.3, -0.02), 0.03, 0.03, color=DARK)))
    ball_ = (ball((0, 0.22, 0), 0.22, alt=LIGHT, pattern="mosaic", gloss=0.5),)
    drum = (tube((0, 0.02, 0), (0, 0.36, 0), 0.26, 0.26), tube((0, 0.36, 0), (0, 0.39, 0), 0.27, 0.27, color=LIGHT), tube((0, 0.0, 0), (0, 0.03, 0), 0.27, 0.27, color=EXTRA))
    screen = (block((0, 0.34, 0.2), (0.38, 0.23, 0.03), turn=(0, 28, 0), color=DARK), block((-0.015, 0.34, 0.17), (0.34, 0.19, 0.012), turn=(0, 28, 0), color=EXTRA, pattern="glow"), block((0, 0.06, 0.2), (0.16, 0.06, 0.1), color=DARK))
    p = ("#e88a2a", "#4f9a3a", "#26211f", "#fbf1dd", "#e85f7a", "#d9a35a")
    return (
        Prop("ice cream", ("ice cream", "ice cream cone"), "hand", p, cream),
        Prop("carrot", ("carrot", "big carrot"), "hand", p, carrot),
        Prop("apple", ("apple", "red apple"), "hand", ("#d42f2a", "#6d4a2a", "#222222", "#fbf1dd", "#e85f7a", "#d9a35a"), apple),
        Prop("candy bar", ("candy bar", "chocolate bar"), "hand", ("#6b3d20", "#4f9a3a", "#26211f", "#fbf1dd", "#d93b4e", "#d9a35a"), candy),
        Prop("drink", ("drink", "cup of tea", "boba tea"), "hand", ("#e9d9c4", "#c79a63", "#26211f", "#fff8ea", "#e5486a", "#d9a35a"), cup),
        Prop("book", ("book", "story book"), "chest", ("#3b6fc4", "#2d5596", "#26211f", "#fbf6e8", "#e85f7a", "#d9a35a"), book, back=0.1),
        Prop("microphone", ("microphone", "mic"), "hand", ("#555555", "#444444", "#26272b", "#c9ccd2", "#e85f7a", "#d9a35a"), mic),
        Prop("guitar", ("guitar", "acoustic guitar"), "chest", ("#c9803a", "#5d3a20", "#2a1a12", "#fbf1dd", "#e85f7a", "#d9a35a"), guitar, back=0.02),
        Prop("violin", ("violin", "fiddle"), "chest", ("#a8521f", "#e9d6b0", "#2a1a12", "#fbf1dd", "#e85f7a", "#d9a35a"), violin),
        Prop("saxophone", ("saxophone", "sax"), "chest", ("#e2b13a", "#c2922a", "#2a1a12", "#fbf1dd", "#e85f7a", "#eebb3c"), sax),
        Prop("game controller", ("video game", "game controller"), "chest", ("#33363d", "#26282e", "#1c1d20", "#fbf1dd", "#e5485a", "#5cd0f0"), pad, back=0.04),
        Prop("kart", ("go-kart", "little car"), "seat", ("#d83a30", "#26282e", "#1c1d20", "#e6e6e6", "#e5485a", "#fff0b0"), kart),
        Prop("piano", ("piano", "black piano"), "front", ("#222226", "#26282e", "#1c1d20", "#f7f4ec", "#e5485a", "#5cd0f0"), piano, back=0.1),
        Prop("ball", ("ball", "football"), "front", ("#e4463c", "#f4c430", "#26211f", "#fbf6e8", "#3f84d8", "#f4c430"), ball_, back=0.12),
        Prop("drum", ("drum", "little drum"), "front", ("#c8392f", "#f4c430", "#26211f", "#f7efdc", "#3f84d8", "#f4c430"), drum, back=0.02),
        Prop("screen", ("movie", "television"), "front", ("#26282e", "#26282e", "#1c1d20", "#f7f4ec", "#e5485a", "#8fd4ff"), screen, back=0.5),
    )  # fmt: skip


def _worn() -> tuple[Prop, ...]:
    party = (tube((0, -0.03, 0), (0, 0.34, 0), 0.15, 0.01, alt=LIGHT, pattern="rings"), ball((0, 0.35, 0), 0.05, color=EXTRA))
    top = (tube((0, -0.03, 0), (0, 0.0, 0), 0.27, 0.26), tube((0, 0.0, 0), (0, 0.27, 0), 0.165, 0.18), tube((0, 0.01, 0), (0, 0.07, 0), 0.172, 0.175, color=ACCENT))
    crown = (tube((0, -0.03, 0), (0, 0.07, 0), 0.155, 0.165, gloss=1.0), *(tube((x, 0.06, z), (x * 1.15, 0.2, z * 1.15), 0.06, 0.0, gloss=1.0) for x, z in ((0.12, 0.06), (-0.12, 0.06), (0.0, 0.13), (0.08, -0.1), (-0.08, -0.1))))
    p = ("#d83a7e", "#f4c430", "#26211f", "#fbf6e8", "#3f84d8", "#f4c430")
    return (Prop("party hat", ("party hat", "pointed hat"), "crown", p, party),
            Prop("top hat", ("black top hat", "top hat"), "crown", ("#202125", "#333333", "#1a1a1c", "#fbf6e8", "#b8322c", "#f4c430"), top),
            Prop("crown", ("golden crown", "crown"), "crown", ("#f0c13a", "#d9a52a", "#26211f", "#fbf6e8", "#b8322c", "#f4c430"), crown))  # fmt: skip


SCENERY: tuple[Prop, ...] = _scenery()
HELD: tuple[Prop, ...] = _held()
WORN: tuple[Prop, ...] = _worn()
