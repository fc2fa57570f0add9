"""Actions of rest, food and music."""

from __future__ import annotations

from .motion import BREATHE, PLANS, SIT, Action, Pose, against, both, mix, upright, wave

nod = {"head.x": wave(0.1, sin2=0.28), "tail.y": wave(0, sin=0.3)}
look = {"head.y": wave(0, sin=0.75), "head.x": wave(-0.05), "body.y": wave(0, sin=0.1), "tail.y": wave(0, sin2=0.2)}
sit4 = mix(
    {"body.x": wave(-0.55), "head.x": wave(0.5, sin=0.05), "tail.y": wave(0, sin2=0.4), "tail.x": wave(0.6)},
    both("arm.x", 0.52),
    both("leg.x", -0.55),
    both("shin.x", 1.25),
)
lie = mix(
    {"head.x": wave(0.35, sin=0.06), "tail.y": wave(0.4)},
    both("arm.x", -1.45),
    both("leg.x", -1.35),
    both("fore.x", 0.1),
    both("shin.x", 0.2),
    {"body.x": wave(0.0, sin=0.015)},
)
lie2 = mix(
    {"root.x": wave(-1.5), "head.x": wave(0.25, sin=0.06)},
    both("arm.z", 0.35, sin=0.04, mirror=True),
    both("leg.y", 0.2, mirror=True),
)
eat = {
    "armR.x": wave(-1.2, sin2=-0.12),
    "foreR.x": wave(-1.55, sin2=-0.2),
    "armR.z": wave(0.35),
    "head.x": wave(0.1, sin2=0.1),
    "jaw.x": wave(0.15, sin2=0.25),
    "armL.x": wave(-0.3),
}
eat4 = {
    "armR.x": wave(-0.75, sin2=-0.12),
    "foreR.x": wave(-0.7, sin2=-0.15),
    "armR.z": wave(0.2),
    "head.x": wave(0.15, sin2=0.12),
    "jaw.x": wave(0.15, sin2=0.25),
}
read = mix(
    both("arm.x", -0.85),
    both("fore.x", -0.85, sin=0.03),
    both("arm.z", -0.12, mirror=True),
    {"head.x": wave(0.28, sin2=0.03), "head.y": wave(0, sin=0.12)},
)
read4 = mix(both("arm.x", -0.3), both("fore.x", -0.35, sin=0.04), {"head.x": wave(0.22), "head.y": wave(0, sin=0.12)})
sing = mix(
    {
        "armR.x": wave(-1.1),
        "foreR.x": wave(-1.5),
        "armR.z": wave(0.25),
        "armL.z": wave(0.7, sin=0.4),
        "head.z": wave(0, sin=0.14),
        "head.x": wave(-0.2, sin2=0.08),
        "jaw.x": wave(0.3, sin2=0.3),
        "body.z": wave(0, sin=0.07),
    }
)
sing4 = {
    "armR.x": wave(-0.7),
    "foreR.x": wave(-0.6),
    "head.z": wave(0, sin=0.14),
    "head.x": wave(-0.15, sin2=0.1),
    "jaw.x": wave(0.3, sin2=0.3),
    "armL.x": wave(-0.2, sin=0.3),
}
strum = mix(
    both("arm.x", -0.75),
    both("fore.x", -0.8),
    {
        "armL.z": wave(0.25),
        "armR.z": wave(0.1, sin2=0.15),
        "foreR.x": wave(0, sin2=0.25),
        "head.z": wave(0, sin=0.12),
        "body.z": wave(0, sin=0.06),
    },
)
strum4 = mix(both("arm.x", -0.25), both("fore.x", -0.4), {"armR.x": wave(0, sin2=0.2), "head.z": wave(0, sin=0.12)})
bash = mix(
    both("arm.x", -0.8),
    against("arm.x", sin=0.25),
    both("fore.x", -0.5),
    {"head.x": wave(0.2, sin2=0.1), "body.x": wave(0.08)},
)
bash4 = mix(both("arm.x", -0.1), against("arm.x", sin=0.3), {"head.x": wave(0.1, sin2=0.1)})
game = mix(
    both("arm.x", -0.7),
    both("fore.x", -0.9, sin2=0.06),
    both("arm.z", -0.15, mirror=True),
    {"head.z": wave(0, sin=0.12), "body.z": wave(0, sin=0.08), "head.x": wave(0.12)},
)
flip = {"armR.x": wave(-0.9, hop=-0.4), "foreR.x": wave(-0.9, hop=-0.3), "head.x": wave(-0.1, hop=-0.25)}
idle: dict[str, Pose] = {p: {} for p in PLANS} | {
    "quad": BREATHE,
    "biped": mix(BREATHE, both("arm.z", 0.06, sin=0.03, mirror=True)),
    "bird": BREATHE,
    "fish": {"tail.y": wave(0, sin=0.1), "move.y": wave(0.25)},
    "ship": {"move.y": wave(-0.12)},
    "plane": {},
}
CALM: tuple[Action, ...] = (
    Action("standing", ("standing", "standing still", "waiting"), 1.0, idle),
    Action("nodding", ("nodding", "nodding along"), 1.5, {"biped": nod, "quad": nod, "bird": nod}),
    Action(
        "looking around",
        ("looking around", "glancing from side to side"),
        1.0,
        {"biped": look, "quad": look, "bird": look},
    ),
    Action("sitting", ("sitting", "sitting down", "resting"), 1.0, {"biped": SIT, "quad": sit4}),
    Action("sleeping", ("sleeping", "taking a nap", "lying down"), 1.0, {"biped": lie2, "quad": lie}),
    Action(
        "eating",
        ("eating {item}", "munching on {item}", "enjoying {item}"),
        2.0,
        upright(eat, eat4, sit=True),
        ("ice cream", "carrot", "apple", "candy bar"),
    ),
    Action("drinking", ("drinking from a cup", "sipping a drink"), 1.0, upright(eat, eat4, sit=True), ("drink",)),
    Action("reading", ("reading a {item}",), 1.0, upright(read, read4, sit=True), ("book",)),
    Action("singing", ("singing", "singing into a microphone"), 1.0, upright(sing, sing4), ("microphone",)),
    Action(
        "playing music",
        ("playing the {item}", "performing on the {item}"),
        2.0,
        upright(strum, strum4),
        ("guitar", "violin", "saxophone"),
    ),
    Action(
        "drumming", ("playing the {item}", "making music on a {item}"), 2.0, upright(bash, bash4), ("drum", "piano")
    ),
    Action(
        "playing a videogame",
        ("playing a videogame", "playing video games", "gaming"),
        2.0,
        upright(game, read4, sit=True),
        ("game controller",),
    ),
    Action(
        "watching a movie",
        ("watching a movie", "watching television"),
        1.0,
        upright(mix({"head.z": wave(0, sin=0.1)}), {"head.z": wave(0, sin=0.1)}, sit=True),
        ("screen",),
    ),
    Action(
        "clapping",
        ("clapping", "clapping along"),
        2.0,
        upright(
            mix(
                both("arm.x", -1.1),
                both("fore.x", -0.4),
                both("arm.z", -0.1, mirror=True, sin=0.35),
                {"head.z": wave(0, sin=0.08)},
            ),
            mix(both("arm.x", -0.3), both("arm.z", -0.05, mirror=True, sin=0.3)),
        ),
    ),
    Action(
        "throwing",
        ("throwing a toy", "tossing something up"),
        1.0,
        {"biped": flip, "bird": flip},
        ("apple", "candy bar"),
    ),
)
