"""Actions that go somewhere."""

from __future__ import annotations

from .motion import Action, against, both, mix, wave

walk2 = mix(
    against("leg.x", sin=0.55),
    both("shin.x", 0.25),
    against("shin.x", cos=-0.3),
    against("arm.x", sin=-0.5),
    both("fore.x", -0.25),
    {
        "body.z": wave(0, sin=0.05),
        "body.y": wave(0, sin=0.1),
        "move.z": wave(0, ramp=0.22),
        "head.z": wave(0, sin=-0.04),
    },
)
walk4 = mix(
    against("arm.x", sin=0.42),
    against("leg.x", sin=-0.42),
    both("fore.x", 0.16),
    against("fore.x", cos=0.25),
    both("shin.x", 0.2),
    against("shin.x", cos=-0.28),
    {"head.x": wave(0, sin2=0.06), "tail.y": wave(0, sin=0.4), "move.z": wave(0, ramp=0.25)},
)
waddle = mix(
    against("leg.x", sin=0.4),
    {"body.z": wave(0, sin=0.16), "move.z": wave(0, ramp=0.2), "head.z": wave(0, sin=-0.1)},
    both("arm.z", 0.2, mirror=True),
    against("arm.z", sin=0.1),
)
run2 = mix(
    against("leg.x", -0.15, sin=0.95),
    both("shin.x", 0.65),
    against("shin.x", cos=-0.55),
    against("arm.x", sin=-0.95),
    both("fore.x", -1.2),
    {"body.x": wave(0.22), "head.x": wave(-0.15), "move.y": wave(0, hop=0.09), "move.z": wave(0, ramp=0.4)},
)
run4 = mix(
    both("arm.x", -0.05, sin=0.72),
    {"armR.x": wave(0, cos=0.25)},
    both("fore.x", 0.35, cos=0.4),
    both("leg.x", 0.05, sin=-0.72),
    {"legR.x": wave(0, cos=-0.25)},
    both("shin.x", 0.3, cos=-0.4),
    {
        "body.x": wave(0, cos=0.13),
        "head.x": wave(0, cos=-0.12),
        "tail.x": wave(0.2, cos=0.2),
        "move.y": wave(0, hop=0.1),
        "move.z": wave(0, ramp=0.42),
    },
)
jump2 = mix(
    both("arm.x", -0.3, hop=-1.7),
    both("arm.z", 0.1, hop=0.4, mirror=True),
    both("leg.x", 0.0, hop=-0.5),
    both("shin.x", 0.0, hop=0.9),
    {"move.y": wave(0, hop=0.34), "body.x": wave(0.1, hop=-0.12)},
)
jump4 = mix(
    both("arm.x", 0.0, hop=-0.8),
    both("fore.x", 0, hop=1.0),
    both("leg.x", 0, hop=0.75),
    both("shin.x", 0, hop=-0.4),
    {"move.y": wave(0, hop=0.34), "body.x": wave(0, cos=-0.2), "tail.x": wave(0, hop=0.4)},
)
swim2 = mix(
    {"body.x": wave(0.75), "head.x": wave(-0.8), "move.y": wave(-0.36, sin2=0.025), "move.z": wave(0, ramp=0.2)},
    against("arm.x", -1.6, sin=1.1),
    against("leg.x", 0.2, sin=0.4),
)
swim4 = mix(
    {
        "head.x": wave(-0.15),
        "body.x": wave(-0.12, sin2=0.04),
        "move.y": wave(-0.42, sin2=0.025),
        "move.z": wave(0, ramp=0.2),
    },
    against("arm.x", -0.4, sin=0.6),
    against("leg.x", 0.4, sin=0.6),
)
paddle = mix(
    {
        "move.y": wave(-0.2, sin2=0.025),
        "body.z": wave(0, sin=0.07),
        "move.z": wave(0, ramp=0.25),
        "tail.y": wave(0, sin2=0.3),
    }
)
fish = mix(
    {
        "root.y": wave(0, sin=0.14),
        "tail.y": wave(0, sin=-0.4),
        "tip.y": wave(0, cos=0.5),
        "move.y": wave(0.28, sin2=0.04),
        "move.z": wave(0, ramp=0.2),
    },
    both("arm.z", 0.1, sin2=0.25, mirror=True),
)
leap = mix(
    {
        "root.x": wave(0, cos=-0.7),
        "tail.x": wave(0.1, cos=0.5),
        "tip.x": wave(0, cos=0.4),
        "move.y": wave(0.02, hop=0.42),
        "move.z": wave(0, ramp=0.2),
    },
    both("arm.z", 0, sin=0.2, mirror=True),
)
fly = mix(
    both("arm.z", 1.15, sin=0.75, mirror=True),
    both("fore.z", 0.1, sin=0.3, mirror=True),
    {"body.x": wave(0.5), "head.x": wave(-0.45), "move.y": wave(0.42, cos=-0.07), "tail.x": wave(-0.2)},
    both("leg.x", 0.6),
)
hero = mix(
    {"body.x": wave(1.1), "head.x": wave(-0.95), "move.y": wave(0.5, sin=0.06), "body.z": wave(0, sin=0.12)},
    both("arm.x", -2.6),
    both("leg.x", 0.25, sin2=0.1),
)
hero4 = mix(
    {"body.x": wave(-0.15, sin=0.08), "move.y": wave(0.45, sin=0.06), "body.z": wave(0, cos=0.1)},
    both("arm.x", -1.1),
    both("leg.x", 1.1),
    {"tail.y": wave(0, sin2=0.3), "tail.x": wave(-0.3)},
)
soar = {
    "root.z": wave(0, sin=0.3),
    "root.x": wave(-0.06, cos=0.1),
    "move.y": wave(0.4, sin=0.06),
    "tail.z": wave(0, ramp=25.0),
}
MOVING: tuple[Action, ...] = (
    Action("walking", ("walking", "strolling", "taking a walk"), 2.0, {"biped": walk2, "quad": walk4, "bird": waddle}),
    Action(
        "running", ("running", "sprinting", "dashing"), 3.0, {"biped": run2, "quad": run4, "bird": mix(waddle, waddle)}
    ),
    Action(
        "jumping",
        ("jumping", "hopping", "leaping"),
        1.0,
        {
            "biped": jump2,
            "quad": jump4,
            "bird": mix({"move.y": wave(0, hop=0.34)}, both("arm.z", 0.2, hop=1.2, mirror=True)),
            "fish": leap,
            "car": {"move.y": wave(0, hop=0.25), "root.x": wave(0, cos=-0.16)},
        },
    ),
    Action(
        "swimming",
        ("swimming", "paddling"),
        1.0,
        {"biped": swim2, "quad": swim4, "bird": paddle, "fish": fish},
        ground="water",
    ),
    Action(
        "flying",
        ("flying", "soaring through the air"),
        2.0,
        {"biped": hero, "quad": hero4, "bird": fly, "plane": soar},
        floats=True,
    ),
)
