"""Things held, and hats."""

from __future__ import annotations

from .parts import ACCENT, DARK, EXTRA, LIGHT, SECOND, ball, block, limb, pair, tube
from .prop import Palette, Prop

cream = (
    tube((0, 0.16, 0), (0, -0.12, 0), 0.1, 0.01, color=EXTRA),
    ball((0, 0.22, 0), 0.125, color=LIGHT),
    ball((0, 0.36, 0), 0.1, color=ACCENT),
)
carrot = (
    limb((0, 0.28, 0.04), (0, -0.12, 0), 0.085, 0.02),
    limb((0, 0.32, 0.05), (0.04, 0.46, 0.06), 0.03, 0.02, color=SECOND),
    limb((0, 0.32, 0.05), (-0.05, 0.45, 0.06), 0.03, 0.02, color=SECOND),
)
apple = (
    ball((0, 0.08, 0.04), (0.13, 0.12, 0.13), gloss=0.6),
    limb((0, 0.18, 0.04), (0.02, 0.25, 0.04), 0.014, 0.012, color=SECOND),
)
candy = (
    block((0, 0.12, 0.03), (0.065, 0.17, 0.04), turn=(0, 0, 12)),
    block((0, 0.04, 0.03), (0.075, 0.09, 0.05), turn=(0, 0, 12), color=ACCENT),
)
cup = (
    tube((0, -0.08, 0.03), (0, 0.2, 0.03), 0.1, 0.12),
    tube((0, 0.2, 0.03), (0, 0.225, 0.03), 0.115, 0.115, color=LIGHT),
    tube((0.03, 0.1, 0.03), (0.08, 0.4, 0.05), 0.016, 0.016, color=ACCENT),
)
book = (
    block((0.15, 0.04, 0.06), (0.16, 0.19, 0.02), turn=(-28, -20, 0)),
    block((-0.15, 0.04, 0.06), (0.16, 0.19, 0.02), turn=(-28, 20, 0)),
    block((0.14, 0.06, 0.035), (0.14, 0.17, 0.02), turn=(-28, -20, 0), color=LIGHT),
    block((-0.14, 0.06, 0.035), (0.14, 0.17, 0.02), turn=(-28, 20, 0), color=LIGHT),
)
mic = (
    tube((0, -0.12, 0), (0, 0.14, 0.02), 0.035, 0.045, color=DARK),
    ball((0, 0.2, 0.03), 0.085, color=LIGHT, gloss=0.9),
)
guitar = (
    ball((-0.2, -0.06, 0.05), (0.21, 0.19, 0.06)),
    ball((-0.02, -0.0, 0.05), (0.15, 0.14, 0.055)),
    limb((0.05, 0.03, 0.08), (0.6, 0.2, 0.1), 0.035, 0.03, color=SECOND),
    ball((-0.1, -0.03, 0.085), (0.075, 0.075, 0.03), color=DARK),
    block((0.64, 0.215, 0.1), (0.08, 0.045, 0.025), turn=(0, 0, 16), color=SECOND),
)
violin = (
    ball((0.2, 0.16, 0.04), (0.14, 0.1, 0.05)),
    ball((0.34, 0.2, 0.06), (0.1, 0.08, 0.045)),
    limb((0.4, 0.21, 0.07), (0.6, 0.27, 0.12), 0.025, 0.02, color=DARK),
    tube((-0.25, 0.1, 0.16), (0.42, 0.3, 0.14), 0.014, 0.012, color=SECOND),
)
sax = (
    limb((0, 0.34, 0.0), (0, -0.16, 0.12), 0.05, 0.085, color=EXTRA, gloss=1.0),
    limb((0, -0.16, 0.12), (0.14, -0.16, 0.3), 0.085, 0.1, color=EXTRA, gloss=1.0),
    tube((0.14, -0.16, 0.3), (0.19, 0.18, 0.38), 0.1, 0.19, color=EXTRA, gloss=1.0),
    tube((0.19, 0.18, 0.38), (0.192, 0.19, 0.382), 0.15, 0.15, color=SECOND),
)
pad = (
    block((0, 0, 0.06), (0.15, 0.05, 0.075), turn=(-30, 0, 0)),
    *pair(ball((0.15, -0.02, 0.05), (0.075, 0.06, 0.1))),
    *pair(ball((0.1, 0.05, 0.07), 0.035, color=ACCENT)),
)
kart = (
    block((0, 0.19, 0.05), (0.46, 0.1, 0.86), gloss=0.7),
    block((0, 0.36, 0.64), (0.4, 0.12, 0.26), gloss=0.7),
    block((0, 0.52, -0.66), (0.42, 0.3, 0.07), color=SECOND),
    *pair(ball((0.42, 0.38, -0.05), (0.08, 0.14, 0.62), gloss=0.7)),
    ball((0, 0.42, 0.9), (0.1, 0.1, 0.04), color=EXTRA, pattern="glow"),
    *(
        tube((s * 0.4, 0.22, z), (s * 0.6, 0.22, z), 0.22, 0.22, color=DARK, alt=LIGHT, pattern="wheel")
        for s in (-1.0, 1.0)
        for z in (0.58, -0.56)
    ),
)
piano = (
    block((0, 0.2, 0.2), (0.5, 0.2, 0.14), color=DARK, gloss=0.8),
    block((0, 0.3, 0.03), (0.48, 0.03, 0.1), color=LIGHT, alt=DARK, pattern="rings"),
    block((0, 0.43, 0.2), (0.52, 0.025, 0.16), color=DARK, gloss=0.8),
    *pair(tube((0.42, 0, -0.02), (0.42, 0.3, -0.02), 0.03, 0.03, color=DARK)),
)
ball_ = (ball((0, 0.22, 0), 0.22, alt=LIGHT, pattern="mosaic", gloss=0.5),)
drum = (
    tube((0, 0.02, 0), (0, 0.36, 0), 0.26, 0.26),
    tube((0, 0.36, 0), (0, 0.39, 0), 0.27, 0.27, color=LIGHT),
    tube((0, 0.0, 0), (0, 0.03, 0), 0.27, 0.27, color=EXTRA),
)
screen = (
    block((0, 0.34, 0.2), (0.38, 0.23, 0.03), turn=(0, 28, 0), color=DARK),
    block((-0.015, 0.34, 0.17), (0.34, 0.19, 0.012), turn=(0, 28, 0), color=EXTRA, pattern="glow"),
    block((0, 0.06, 0.2), (0.16, 0.06, 0.1), color=DARK),
)
p: Palette = ("#e88a2a", "#4f9a3a", "#26211f", "#fbf1dd", "#e85f7a", "#d9a35a")
HELD: tuple[Prop, ...] = (
    Prop("ice cream", ("ice cream", "ice cream cone"), "hand", p, cream),
    Prop("carrot", ("carrot", "big carrot"), "hand", p, carrot),
    Prop(
        "apple",
        ("apple", "red apple"),
        "hand",
        ("#d42f2a", "#6d4a2a", "#222222", "#fbf1dd", "#e85f7a", "#d9a35a"),
        apple,
    ),
    Prop(
        "candy bar",
        ("candy bar", "chocolate bar"),
        "hand",
        ("#6b3d20", "#4f9a3a", "#26211f", "#fbf1dd", "#d93b4e", "#d9a35a"),
        candy,
    ),
    Prop(
        "drink",
        ("drink", "cup of tea", "boba tea"),
        "hand",
        ("#e9d9c4", "#c79a63", "#26211f", "#fff8ea", "#e5486a", "#d9a35a"),
        cup,
    ),
    Prop(
        "book",
        ("book", "story book"),
        "chest",
        ("#3b6fc4", "#2d5596", "#26211f", "#fbf6e8", "#e85f7a", "#d9a35a"),
        book,
        back=0.1,
    ),
    Prop(
        "microphone",
        ("microphone", "mic"),
        "hand",
        ("#555555", "#444444", "#26272b", "#c9ccd2", "#e85f7a", "#d9a35a"),
        mic,
    ),
    Prop(
        "guitar",
        ("guitar", "acoustic guitar"),
        "chest",
        ("#c9803a", "#5d3a20", "#2a1a12", "#fbf1dd", "#e85f7a", "#d9a35a"),
        guitar,
        back=0.02,
    ),
    Prop(
        "violin",
        ("violin", "fiddle"),
        "chest",
        ("#a8521f", "#e9d6b0", "#2a1a12", "#fbf1dd", "#e85f7a", "#d9a35a"),
        violin,
    ),
    Prop(
        "saxophone",
        ("saxophone", "sax"),
        "chest",
        ("#e2b13a", "#c2922a", "#2a1a12", "#fbf1dd", "#e85f7a", "#eebb3c"),
        sax,
    ),
    Prop(
        "game controller",
        ("video game", "game controller"),
        "chest",
        ("#33363d", "#26282e", "#1c1d20", "#fbf1dd", "#e5485a", "#5cd0f0"),
        pad,
        back=0.04,
    ),
    Prop(
        "kart",
        ("go-kart", "little car"),
        "seat",
        ("#d83a30", "#26282e", "#1c1d20", "#e6e6e6", "#e5485a", "#fff0b0"),
        kart,
    ),
    Prop(
        "piano",
        ("piano", "black piano"),
        "front",
        ("#222226", "#26282e", "#1c1d20", "#f7f4ec", "#e5485a", "#5cd0f0"),
        piano,
        back=0.1,
    ),
    Prop(
        "ball",
        ("ball", "football"),
        "front",
        ("#e4463c", "#f4c430", "#26211f", "#fbf6e8", "#3f84d8", "#f4c430"),
        ball_,
        back=0.12,
    ),
    Prop(
        "drum",
        ("drum", "little drum"),
        "front",
        ("#c8392f", "#f4c430", "#26211f", "#f7efdc", "#3f84d8", "#f4c430"),
        drum,
        back=0.02,
    ),
    Prop(
        "screen",
        ("movie", "television"),
        "front",
        ("#26282e", "#26282e", "#1c1d20", "#f7f4ec", "#e5485a", "#8fd4ff"),
        screen,
        back=0.5,
    ),
)


party = (
    tube((0, -0.03, 0), (0, 0.34, 0), 0.15, 0.01, alt=LIGHT, pattern="rings"),
    ball((0, 0.35, 0), 0.05, color=EXTRA),
)
top = (
    tube((0, -0.03, 0), (0, 0.0, 0), 0.27, 0.26),
    tube((0, 0.0, 0), (0, 0.27, 0), 0.165, 0.18),
    tube((0, 0.01, 0), (0, 0.07, 0), 0.172, 0.175, color=ACCENT),
)
crown = (
    tube((0, -0.03, 0), (0, 0.07, 0), 0.155, 0.165, gloss=1.0),
    *(
        tube((x, 0.06, z), (x * 1.15, 0.2, z * 1.15), 0.06, 0.0, gloss=1.0)
        for x, z in ((0.12, 0.06), (-0.12, 0.06), (0.0, 0.13), (0.08, -0.1), (-0.08, -0.1))
    ),
)
hats: Palette = ("#d83a7e", "#f4c430", "#26211f", "#fbf6e8", "#3f84d8", "#f4c430")
WORN: tuple[Prop, ...] = (
    Prop("party hat", ("party hat", "pointed hat"), "crown", hats, party),
    Prop(
        "top hat",
        ("black top hat", "top hat"),
        "crown",
        ("#202125", "#333333", "#1a1a1c", "#fbf6e8", "#b8322c", "#f4c430"),
        top,
    ),
    Prop(
        "crown",
        ("golden crown", "crown"),
        "crown",
        ("#f0c13a", "#d9a52a", "#26211f", "#fbf6e8", "#b8322c", "#f4c430"),
        crown,
    ),
)
