"""Actions of play, dance and driving."""

from __future__ import annotations

from .motion import PLANS, SIT, SITUP, Action, Pose, against, both, mix, wave

dance = mix(
    {
        "body.z": wave(0, sin=0.2),
        "body.y": wave(0, sin=0.35),
        "head.z": wave(0, sin=-0.25),
        "move.y": wave(0, hop=0.06),
        "move.x": wave(0, sin=0.05),
    },
    both("arm.z", 0.9, sin2=0.35, mirror=True),
    against("arm.z", sin=0.5),
    both("fore.x", -0.9, sin2=0.4),
    against("leg.x", sin=0.35),
    both("shin.x", 0.2),
)
dance4 = mix(
    SITUP,
    {"body.z": wave(0, sin=0.16), "head.z": wave(0, sin=-0.3), "move.y": wave(0, hop=0.06), "root.y": wave(0, sin=0.3)},
    against("arm.x", -0.35, sin=0.6),
)
flap = mix(
    {"body.z": wave(0, sin=0.2), "root.y": wave(0, sin=0.35), "head.z": wave(0, sin=-0.2), "move.y": wave(0, hop=0.05)},
    both("arm.z", 0.8, sin2=0.5, mirror=True),
)
spin: Pose = {"root.y": wave(0, ramp=3.1416)}
spins = dict.fromkeys(PLANS, spin) | {
    "biped": mix(spin, both("arm.z", 1.2, mirror=True)),
    "bird": mix(spin, both("arm.z", 0.9, mirror=True)),
    "ship": mix(spin, {"move.y": wave(-0.12)}),
    "plane": mix(spin, {"tail.z": wave(0, ramp=25.0)}),
}
hello = mix(
    {
        "armR.z": wave(-2.3, sin2=0.3),
        "foreR.z": wave(-0.2, sin2=0.5),
        "head.z": wave(0.1, sin=0.06),
        "body.z": wave(0, sin=0.04),
    },
    {"armL.z": wave(0.1)},
)
hello4: Pose = {"armR.x": wave(-1.5, sin2=0.25), "armR.z": wave(-0.3, sin2=0.45), "head.z": wave(0.1, sin=0.08)}
roll: Pose = {"root.x": wave(0, ramp=3.1416), "move.z": wave(0, ramp=0.35)}
tuck = mix(
    roll,
    both("leg.x", -1.3),
    both("shin.x", 1.5),
    both("arm.x", -1.0),
    both("fore.x", -1.0),
    {"head.x": wave(0.4)},
)
tuck4 = mix(
    {"root.z": wave(0, ramp=3.1416), "move.x": wave(0, ramp=-0.3)},
    both("arm.x", -0.6),
    both("fore.x", 0.9),
    both("leg.x", 0.5),
    both("shin.x", -0.6),
    {"head.x": wave(0.2)},
)
reach = mix(
    both("arm.z", 2.3, sin=0.35, mirror=True),
    {"body.x": wave(-0.1, sin=0.12), "head.x": wave(-0.25), "body.z": wave(0, cos=0.12)},
)
bow4 = mix(
    {"body.x": wave(0.28, sin=0.14), "head.x": wave(-0.45), "tail.x": wave(0.4)},
    both("arm.x", -0.85, sin=-0.12),
    both("leg.x", -0.22, sin=-0.1),
)
kick = mix(
    {"legR.x": wave(-0.25, sin=-0.75), "shinR.x": wave(0.4, cos=0.3), "head.x": wave(0.2), "body.y": wave(0, sin=0.15)},
    against("arm.x", sin=0.5),
    both("arm.z", 0.3, mirror=True),
)
pounce = mix(
    {
        "armR.x": wave(-0.55, sin=-0.5),
        "head.x": wave(0.3, sin=0.08),
        "body.x": wave(0.08, sin=0.06),
        "tail.y": wave(0, sin2=0.6),
    }
)
drive = mix(
    SIT,
    both("arm.x", -1.15),
    {
        "armL.z": wave(-0.1, sin=0.15),
        "armR.z": wave(0.1, sin=0.15),
        "head.y": wave(0, sin=0.25),
        "move.y": wave(0.13, sin2=0.015),
        "root.y": wave(0, sin=0.14),
        "move.z": wave(0, ramp=0.3),
    },
    both("fore.x", -0.3),
)
drive4 = mix(
    SITUP,
    {
        "head.y": wave(0, sin=0.25),
        "move.y": wave(0.13, sin2=0.015),
        "root.y": wave(0, sin=0.14),
        "move.z": wave(0, ramp=0.3),
    },
)
roll_on: Pose = mix(
    both("arm.x", 0, ramp=9.0),
    both("leg.x", 0, ramp=9.0),
    {
        "move.y": wave(0, sin2=0.012),
        "body.x": wave(0, sin2=0.02),
        "root.y": wave(0, sin=0.1),
        "move.z": wave(0, ramp=0.45),
    },
)
sail: Pose = {
    "root.z": wave(0, sin=0.08),
    "root.x": wave(0, cos=0.06),
    "move.y": wave(-0.12, sin2=0.02),
    "move.z": wave(0, ramp=0.3),
}
PLAYING: tuple[Action, ...] = (
    Action("dancing", ("dancing", "grooving", "doing a dance"), 2.0, {"biped": dance, "quad": dance4, "bird": flap}),
    Action("spinning", ("spinning", "twirling", "turning around"), 1.0, spins),
    Action(
        "waving",
        ("waving", "waving hello"),
        1.5,
        {
            "biped": hello,
            "quad": mix(SITUP, hello4),
            "bird": {"armR.z": wave(-1.5, sin2=0.6), "head.z": wave(0.1, sin=0.05)},
        },
    ),
    Action(
        "rolling", ("rolling over", "tumbling", "doing a somersault"), 1.0, {"biped": tuck, "quad": tuck4, "bird": roll}
    ),
    Action(
        "stretching",
        ("stretching", "having a stretch"),
        1.0,
        {"biped": reach, "quad": bow4, "bird": both("arm.z", 1.3, sin=0.4, mirror=True)},
    ),
    Action(
        "playing with a ball",
        ("playing with a {item}", "kicking a {item}"),
        1.0,
        {"biped": kick, "quad": pounce, "bird": kick},
        ("ball",),
    ),
    Action(
        "driving",
        ("driving a {item}", "racing in a {item}"),
        1.0,
        {"biped": drive, "quad": drive4, "car": roll_on},
        ("kart",),
    ),
    Action("sailing", ("sailing", "floating on the waves"), 1.0, {"ship": sail}, ground="water"),
)
