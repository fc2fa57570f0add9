"""Actions: how each body plan's joints swing. Data; `motion_table` turns it into one tensor."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from .parts import BONES

PLANS = ("quad", "biped", "bird", "fish", "car", "ship", "plane")
# A joint angle is a sum over these functions of the phase p = 2 pi (cycles * time + start) and the time itself.
BASIS = ("one", "sin", "cos", "sin2", "cos2", "hop", "ramp")
CHANNELS = len(BONES) * 3 + 3  # angles about x, y, z of every bone; then the root's shift in x, y, z

Wave = dict[str, float]
Pose = dict[str, Wave]


def _w(one: float = 0.0, **terms: float) -> Wave:
    """One channel: constant, sin, cos, sin2, cos2 (twice the frequency), hop = |sin|, ramp from -1 to 1."""
    return {"one": one, **terms}


def _both(name: str, one: float = 0.0, mirror: bool = False, **terms: float) -> Pose:
    """The same wave on the left and right bone; `mirror` negates it on the right (for turns about y and z)."""
    bone, axis = name.split(".")
    sign = -1.0 if mirror else 1.0
    right = {k: sign * v for k, v in _w(one, **terms).items()}
    return {f"{bone}L.{axis}": _w(one, **terms), f"{bone}R.{axis}": right}


def _against(name: str, one: float = 0.0, **terms: float) -> Pose:
    """Left and right swing in opposite phase about the same offset."""
    bone, axis = name.split(".")
    left = _w(one, **terms)
    return {f"{bone}L.{axis}": left, f"{bone}R.{axis}": {k: v if k in {"one", "sin2", "cos2", "hop"} else -v for k, v in left.items()}}


def _mix(*poses: Pose) -> Pose:
    """Sum of poses."""
    out: Pose = {}
    for pose in poses:
        for channel, wave in pose.items():
            old = out.get(channel, {})
            out[channel] = {k: old.get(k, 0.0) + wave.get(k, 0.0) for k in {*old, *wave}}
    return out


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        name, words: label and other words for captions; "{item}" stands for the thing held.
        cycles: repetitions in a clip of two seconds.
        poses: the motion for each body plan that can do it.
        items: names of held props, one of which the action needs; empty for none.
        ground: name of the only ground that it makes sense on, or "".
    """

    name: str
    words: tuple[str, ...]
    cycles: float
    poses: dict[str, Pose]
    items: tuple[str, ...] = ()
    ground: str = ""
    floats: bool = field(default=False)


_BREATHE: Pose = {"head.x": _w(0, sin=0.04), "tail.y": _w(0, sin2=0.25)}
_SITUP = _mix({"body.x": _w(-1.0), "head.x": _w(0.85), "tail.x": _w(0.9)}, _both("leg.x", -0.35), _both("shin.x", 0.25),
              _both("arm.x", 0.25), _both("leg.y", 0.3, mirror=True), {"tail.y": _w(0, sin=0.3)})  # fmt: skip
_SIT = _mix(_both("leg.x", -1.45), _both("shin.x", 0.15), _both("leg.y", 0.3, mirror=True), {"head.x": _w(0, sin=0.06), "tail.x": _w(0.35)})


def _upright(biped: Pose, quad: Pose | None = None, sit: bool = False) -> dict[str, Pose]:
    """An action of arms and head: figures stand or sit, birds stand, quadrupeds sit up on their hind legs."""
    seat = _SIT if sit else {}
    return {"biped": _mix(seat, biped), "quad": _mix(_SITUP, biped if quad is None else quad), "bird": biped}


def _locomotion() -> tuple[Action, ...]:
    walk2 = _mix(_against("leg.x", sin=0.55), _both("shin.x", 0.25), _against("shin.x", cos=-0.3), _against("arm.x", sin=-0.5),
                 _both("fore.x", -0.25), {"body.z": _w(0, sin=0.05), "body.y": _w(0, sin=0.1), "move.z": _w(0, ramp=0.22), "head.z": _w(0, sin=-0.04)})  # fmt: skip
    walk4 = _mix(_against("arm.x", sin=0.42), _against("leg.x", sin=-0.42), _both("fore.x", 0.16), _against("fore.x", cos=0.25), _both("shin.x", 0.2),
                 _against("shin.x", cos=-0.28), {"head.x": _w(0, sin2=0.06), "tail.y": _w(0, sin=0.4), "move.z": _w(0, ramp=0.25)})  # fmt: skip
    waddle = _mix(_against("leg.x", sin=0.4), {"body.z": _w(0, sin=0.16), "move.z": _w(0, ramp=0.2), "head.z": _w(0, sin=-0.1)},
                  _both("arm.z", 0.2, mirror=True), _against("arm.z", sin=0.1))  # fmt: skip
    run2 = _mix(_against("leg.x", -0.15, sin=0.95), _both("shin.x", 0.65), _against("shin.x", cos=-0.55), _against("arm.x", sin=-0.95), _both("fore.x", -1.2),
                {"body.x": _w(0.22), "head.x": _w(-0.15), "move.y": _w(0, hop=0.09), "move.z": _w(0, ramp=0.4)})  # fmt: skip
    run4 = _mix(_both("arm.x", -0.05, sin=0.72), {"armR.x": _w(0, cos=0.25)}, _both("fore.x", 0.35, cos=0.4), _both("leg.x", 0.05, sin=-0.72), {"legR.x": _w(0, cos=-0.25)},
                _both("shin.x", 0.3, cos=-0.4), {"body.x": _w(0, cos=0.13), "head.x": _w(0, cos=-0.12), "tail.x": _w(0.2, cos=0.2), "move.y": _w(0, hop=0.1), "move.z": _w(0, ramp=0.42)})  # fmt: skip
    jump2 = _mix(_both("arm.x", -0.3, hop=-1.7), _both("arm.z", 0.1, hop=0.4, mirror=True), _both("leg.x", 0.0, hop=-0.5), _both("shin.x", 0.0, hop=0.9), {"move.y": _w(0, hop=0.34), "body.x": _w(0.1, hop=-0.12)})
    jump4 = _mix(_both("arm.x", 0.0, hop=-0.8), _both("fore.x", 0, hop=1.0), _both("leg.x", 0, hop=0.75), _both("shin.x", 0, hop=-0.4), {"move.y": _w(0, hop=0.34), "body.x": _w(0, cos=-0.2), "tail.x": _w(0, hop=0.4)})
    swim2 = _mix({"body.x": _w(0.75), "head.x": _w(-0.8), "move.y": _w(-0.36, sin2=0.025), "move.z": _w(0, ramp=0.2)}, _against("arm.x", -1.6, sin=1.1), _against("leg.x", 0.2, sin=0.4))
    swim4 = _mix({"head.x": _w(-0.15), "body.x": _w(-0.12, sin2=0.04), "move.y": _w(-0.42, sin2=0.025), "move.z": _w(0, ramp=0.2)}, _against("arm.x", -0.4, sin=0.6), _against("leg.x", 0.4, sin=0.6))
    paddle = _mix({"move.y": _w(-0.2, sin2=0.025), "body.z": _w(0, sin=0.07), "move.z": _w(0, ramp=0.25), "tail.y": _w(0, sin2=0.3)})
    fish = _mix({"root.y": _w(0, sin=0.14), "tail.y": _w(0, sin=-0.4), "tip.y": _w(0, cos=0.5), "move.y": _w(0.28, sin2=0.04), "move.z": _w(0, ramp=0.2)}, _both("arm.z", 0.1, sin2=0.25, mirror=True))
    leap = _mix({"root.x": _w(0, cos=-0.7), "tail.x": _w(0.1, cos=0.5), "tip.x": _w(0, cos=0.4), "move.y": _w(0.02, hop=0.42), "move.z": _w(0, ramp=0.2)}, _both("arm.z", 0, sin=0.2, mirror=True))
    fly = _mix(_both("arm.z", 1.15, sin=0.75, mirror=True), _both("fore.z", 0.1, sin=0.3, mirror=True), {"body.x": _w(0.5), "head.x": _w(-0.45), "move.y": _w(0.42, cos=-0.07), "tail.x": _w(-0.2)}, _both("leg.x", 0.6))
    hero = _mix({"body.x": _w(1.1), "head.x": _w(-0.95), "move.y": _w(0.5, sin=0.06), "body.z": _w(0, sin=0.12)}, _both("arm.x", -2.6), _both("leg.x", 0.25, sin2=0.1))
    hero4 = _mix({"body.x": _w(-0.15, sin=0.08), "move.y": _w(0.45, sin=0.06), "body.z": _w(0, cos=0.1)}, _both("arm.x", -1.1), _both("leg.x", 1.1), {"tail.y": _w(0, sin2=0.3), "tail.x": _w(-0.3)})
    soar = {"root.z": _w(0, sin=0.3), "root.x": _w(-0.06, cos=0.1), "move.y": _w(0.4, sin=0.06), "tail.z": _w(0, ramp=25.0)}
    return (
        Action("walking", ("walking", "strolling", "taking a walk"), 2.0, {"biped": walk2, "quad": walk4, "bird": waddle}),
        Action("running", ("running", "sprinting", "dashing"), 3.0, {"biped": run2, "quad": run4, "bird": _mix(waddle, waddle)}),
        Action("jumping", ("jumping", "hopping", "leaping"), 1.0, {"biped": jump2, "quad": jump4, "bird": _mix({"move.y": _w(0, hop=0.34)}, _both("arm.z", 0.2, hop=1.2, mirror=True)), "fish": leap, "car": {"move.y": _w(0, hop=0.25), "root.x": _w(0, cos=-0.16)}}),
        Action("swimming", ("swimming", "paddling"), 1.0, {"biped": swim2, "quad": swim4, "bird": paddle, "fish": fish}, ground="water"),
        Action("flying", ("flying", "soaring through the air"), 2.0, {"biped": hero, "quad": hero4, "bird": fly, "plane": soar}, floats=True),
    )  # fmt: skip


def _play() -> tuple[Action, ...]:
    dance = _mix({"body.z": _w(0, sin=0.2), "body.y": _w(0, sin=0.35), "head.z": _w(0, sin=-0.25), "move.y": _w(0, hop=0.06), "move.x": _w(0, sin=0.05)},
                 _both("arm.z", 0.9, sin2=0.35, mirror=True), _against("arm.z", sin=0.5), _both("fore.x", -0.9, sin2=0.4), _against("leg.x", sin=0.35), _both("shin.x", 0.2))  # fmt: skip
    dance4 = _mix(_SITUP, {"body.z": _w(0, sin=0.16), "head.z": _w(0, sin=-0.3), "move.y": _w(0, hop=0.06), "root.y": _w(0, sin=0.3)}, _against("arm.x", -0.35, sin=0.6))
    flap = _mix({"body.z": _w(0, sin=0.2), "root.y": _w(0, sin=0.35), "head.z": _w(0, sin=-0.2), "move.y": _w(0, hop=0.05)}, _both("arm.z", 0.8, sin2=0.5, mirror=True))
    spin: Pose = {"root.y": _w(0, ramp=3.1416)}
    spins = {p: spin for p in PLANS} | {"biped": _mix(spin, _both("arm.z", 1.2, mirror=True)), "bird": _mix(spin, _both("arm.z", 0.9, mirror=True)), "ship": _mix(spin, {"move.y": _w(-0.12)}), "plane": _mix(spin, {"tail.z": _w(0, ramp=25.0)})}
    wave = _mix({"armR.z": _w(-2.3, sin2=0.3), "foreR.z": _w(-0.2, sin2=0.5), "head.z": _w(0.1, sin=0.06), "body.z": _w(0, sin=0.04)}, {"armL.z": _w(0.1)})
    wave4 = {"armR.x": _w(-1.5, sin2=0.25), "armR.z": _w(-0.3, sin2=0.45), "head.z": _w(0.1, sin=0.08)}
    roll: Pose = {"root.x": _w(0, ramp=3.1416), "move.z": _w(0, ramp=0.35)}
    tuck = _mix(roll, _both("leg.x", -1.3), _both("shin.x", 1.5), _both("arm.x", -1.0), _both("fore.x", -1.0), {"head.x": _w(0.4)})
    tuck4 = _mix({"root.z": _w(0, ramp=3.1416), "move.x": _w(0, ramp=-0.3)}, _both("arm.x", -0.6), _both("fore.x", 0.9), _both("leg.x", 0.5), _both("shin.x", -0.6), {"head.x": _w(0.2)})
    reach = _mix(_both("arm.z", 2.3, sin=0.35, mirror=True), {"body.x": _w(-0.1, sin=0.12), "head.x": _w(-0.25), "body.z": _w(0, cos=0.12)})
    bow4 = _mix({"body.x": _w(0.28, sin=0.14), "head.x": _w(-0.45), "tail.x": _w(0.4)}, _both("arm.x", -0.85, sin=-0.12), _both("leg.x", -0.22, sin=-0.1))
    kick = _mix({"legR.x": _w(-0.25, sin=-0.75), "shinR.x": _w(0.4, cos=0.3), "head.x": _w(0.2), "body.y": _w(0, sin=0.15)}, _against("arm.x", sin=0.5), _both("arm.z", 0.3, mirror=True))
    pounce = _mix({"armR.x": _w(-0.55, sin=-0.5), "head.x": _w(0.3, sin=0.08), "body.x": _w(0.08, sin=0.06), "tail.y": _w(0, sin2=0.6)})
    drive = _mix(_SIT, _both("arm.x", -1.15), {"armL.z": _w(-0.1, sin=0.15), "armR.z": _w(0.1, sin=0.15), "head.y": _w(0, sin=0.25), "move.y": _w(0.13, sin2=0.015), "root.y": _w(0, sin=0.14), "move.z": _w(0, ramp=0.3)}, _both("fore.x", -0.3))
    drive4 = _mix(_SITUP, {"head.y": _w(0, sin=0.25), "move.y": _w(0.13, sin2=0.015), "root.y": _w(0, sin=0.14), "move.z": _w(0, ramp=0.3)})
    roll_on: Pose = _mix(_both("arm.x", 0, ramp=9.0), _both("leg.x", 0, ramp=9.0), {"move.y": _w(0, sin2=0.012), "body.x": _w(0, sin2=0.02), "root.y": _w(0, sin=0.1), "move.z": _w(0, ramp=0.45)})
    sail: Pose = {"root.z": _w(0, sin=0.08), "root.x": _w(0, cos=0.06), "move.y": _w(-0.12, sin2=0.02), "move.z": _w(0, ramp=0.3)}
    return (
        Action("dancing", ("dancing", "grooving", "doing a dance"), 2.0, {"biped": dance, "quad": dance4, "bird": flap}),
        Action("spinning", ("spinning", "twirling", "turning around"), 1.0, spins),
        Action("waving", ("waving", "waving hello"), 1.5, {"biped": wave, "quad": _mix(_SITUP, wave4), "bird": {"armR.z": _w(-1.5, sin2=0.6), "head.z": _w(0.1, sin=0.05)}}),
        Action("rolling", ("rolling over", "tumbling", "doing a somersault"), 1.0, {"biped": tuck, "quad": tuck4, "bird": roll}),
        Action("stretching", ("stretching", "having a stretch"), 1.0, {"biped": reach, "quad": bow4, "bird": _both("arm.z", 1.3, sin=0.4, mirror=True)}),
        Action("playing with a ball", ("playing with a {item}", "kicking a {item}"), 1.0, {"biped": kick, "quad": pounce, "bird": kick}, ("ball",)),
        Action("driving", ("driving a {item}", "racing in a {item}"), 1.0, {"biped": drive, "quad": drive4, "car": roll_on}, ("kart",)),
        Action("sailing", ("sailing", "floating on the waves"), 1.0, {"ship": sail}, ground="water"),
    )  # fmt: skip


def _calm() -> tuple[Action, ...]:
    nod = {"head.x": _w(0.1, sin2=0.28), "tail.y": _w(0, sin=0.3)}
    look = {"head.y": _w(0, sin=0.75), "head.x": _w(-0.05), "body.y": _w(0, sin=0.1), "tail.y": _w(0, sin2=0.2)}
    sit4 = _mix({"body.x": _w(-0.55), "head.x": _w(0.5, sin=0.05), "tail.y": _w(0, sin2=0.4), "tail.x": _w(0.6)}, _both("arm.x", 0.52), _both("leg.x", -0.55), _both("shin.x", 1.25))
    lie = _mix({"head.x": _w(0.35, sin=0.06), "tail.y": _w(0.4)}, _both("arm.x", -1.45), _both("leg.x", -1.35), _both("fore.x", 0.1), _both("shin.x", 0.2), {"body.x": _w(0.0, sin=0.015)})
    lie2 = _mix({"root.x": _w(-1.5), "head.x": _w(0.25, sin=0.06)}, _both("arm.z", 0.35, sin=0.04, mirror=True), _both("leg.y", 0.2, mirror=True))
    eat = {"armR.x": _w(-1.2, sin2=-0.12), "foreR.x": _w(-1.55, sin2=-0.2), "armR.z": _w(0.35), "head.x": _w(0.1, sin2=0.1), "jaw.x": _w(0.15, sin2=0.25), "armL.x": _w(-0.3)}
    eat4 = {"armR.x": _w(-0.75, sin2=-0.12), "foreR.x": _w(-0.7, sin2=-0.15), "armR.z": _w(0.2), "head.x": _w(0.15, sin2=0.12), "jaw.x": _w(0.15, sin2=0.25)}
    read = _mix(_both("arm.x", -0.85), _both("fore.x", -0.85, sin=0.03), _both("arm.z", -0.12, mirror=True), {"head.x": _w(0.28, sin2=0.03), "head.y": _w(0, sin=0.12)})
    read4 = _mix(_both("arm.x", -0.3), _both("fore.x", -0.35, sin=0.04), {"head.x": _w(0.22), "head.y": _w(0, sin=0.12)})
    sing = _mix({"armR.x": _w(-1.1), "foreR.x": _w(-1.5), "armR.z": _w(0.25), "armL.z": _w(0.7, sin=0.4), "head.z": _w(0, sin=0.14), "head.x": _w(-0.2, sin2=0.08), "jaw.x": _w(0.3, sin2=0.3), "body.z": _w(0, sin=0.07)})
    sing4 = {"armR.x": _w(-0.7), "foreR.x": _w(-0.6), "head.z": _w(0, sin=0.14), "head.x": _w(-0.15, sin2=0.1), "jaw.x": _w(0.3, sin2=0.3), "armL.x": _w(-0.2, sin=0.3)}
    strum = _mix(_both("arm.x", -0.75), _both("fore.x", -0.8), {"armL.z": _w(0.25), "armR.z": _w(0.1, sin2=0.15), "foreR.x": _w(0, sin2=0.25), "head.z": _w(0, sin=0.12), "body.z": _w(0, sin=0.06)})
    strum4 = _mix(_both("arm.x", -0.25), _both("fore.x", -0.4), {"armR.x": _w(0, sin2=0.2), "head.z": _w(0, sin=0.12)})
    bash = _mix(_both("arm.x", -0.8), _against("arm.x", sin=0.25), _both("fore.x", -0.5), {"head.x": _w(0.2, sin2=0.1), "body.x": _w(0.08)})
    bash4 = _mix(_both("arm.x", -0.1), _against("arm.x", sin=0.3), {"head.x": _w(0.1, sin2=0.1)})
    game = _mix(_both("arm.x", -0.7), _both("fore.x", -0.9, sin2=0.06), _both("arm.z", -0.15, mirror=True), {"head.z": _w(0, sin=0.12), "body.z": _w(0, sin=0.08), "head.x": _w(0.12)})
    flip = {"armR.x": _w(-0.9, hop=-0.4), "foreR.x": _w(-0.9, hop=-0.3), "head.x": _w(-0.1, hop=-0.25)}
    idle: dict[str, Pose] = {p: {} for p in PLANS} | {"quad": _BREATHE, "biped": _mix(_BREATHE, _both("arm.z", 0.06, sin=0.03, mirror=True)), "bird": _BREATHE, "fish": {"tail.y": _w(0, sin=0.1), "move.y": _w(0.25)}, "ship": {"move.y": _w(-0.12)}, "plane": {}}
    return (
        Action("standing", ("standing", "standing still", "waiting"), 1.0, idle),
        Action("nodding", ("nodding", "nodding its head"), 1.5, {"biped": nod, "quad": nod, "bird": nod}),
        Action("looking around", ("looking around", "glancing from side to side"), 1.0, {"biped": look, "quad": look, "bird": look}),
        Action("sitting", ("sitting", "sitting down", "resting"), 1.0, {"biped": _SIT, "quad": sit4}),
        Action("sleeping", ("sleeping", "taking a nap", "lying down"), 1.0, {"biped": lie2, "quad": lie}),
        Action("eating", ("eating {item}", "munching on {item}", "enjoying {item}"), 2.0, _upright(eat, eat4, sit=True), ("ice cream", "carrot", "apple", "candy bar")),
        Action("drinking", ("drinking from a cup", "sipping a drink"), 1.0, _upright(eat, eat4, sit=True), ("drink",)),
        Action("reading", ("reading a {item}",), 1.0, _upright(read, read4, sit=True), ("book",)),
        Action("singing", ("singing", "singing into a microphone"), 1.0, _upright(sing, sing4), ("microphone",)),
        Action("playing music", ("playing the {item}", "performing on the {item}"), 2.0, _upright(strum, strum4), ("guitar", "violin", "saxophone")),
        Action("drumming", ("playing the {item}", "making music on a {item}"), 2.0, _upright(bash, bash4), ("drum", "piano")),
        Action("playing a videogame", ("playing a videogame", "playing video games", "gaming"), 2.0, _upright(game, read4, sit=True), ("game controller",)),
        Action("watching a movie", ("watching a movie", "watching television"), 1.0, _upright(_mix({"head.z": _w(0, sin=0.1)}), {"head.z": _w(0, sin=0.1)}, sit=True), ("screen",)),
        Action("clapping", ("clapping", "clapping its hands"), 2.0, _upright(_mix(_both("arm.x", -1.1), _both("fore.x", -0.4), _both("arm.z", -0.1, mirror=True, sin=0.35), _flip_head()), _mix(_both("arm.x", -0.3), _both("arm.z", -0.05, mirror=True, sin=0.3)))),
        Action("throwing", ("throwing a toy", "tossing something up"), 1.0, {"biped": flip, "bird": flip}, ("apple", "candy bar")),
    )  # fmt: skip


def _flip_head() -> Pose:
    """A small tilt of the head in time with the hands."""
    return {"head.z": _w(0, sin=0.08)}


ACTIONS: tuple[Action, ...] = (*_calm(), *_locomotion(), *_play())


def motion_table() -> Float[Tensor, "A L C K"]:
    """Coefficients per action A, body plan L, channel C (`CHANNELS`) and basis function K (`BASIS`), in radians
    (root shift: in subject heights)."""
    table = torch.zeros(len(ACTIONS), len(PLANS), CHANNELS, len(BASIS))
    for a, action in enumerate(ACTIONS):
        for plan, pose in action.poses.items():
            for channel, wave in pose.items():
                bone, axis = channel.split(".")
                base = len(BONES) * 3 if bone == "move" else BONES.index(bone) * 3
                for term, value in wave.items():
                    table[a, PLANS.index(plan), base + "xyz".index(axis), BASIS.index(term)] = value
    return table
