"""`Action`: how each body plan's joints swing, and the words to write that down."""

from __future__ import annotations

from dataclasses import dataclass, field

from .parts import BONES

PLANS = ("quad", "biped", "bird", "fish", "car", "ship", "plane")
# A joint angle is a sum over these functions of the phase p = 2 pi (cycles * time + start) and the time itself.
BASIS = ("one", "sin", "cos", "sin2", "cos2", "hop", "ramp")
CHANNELS = len(BONES) * 3 + 3  # angles about x, y, z of every bone; then the root's shift in x, y, z

Wave = dict[str, float]
Pose = dict[str, Wave]


def wave(one: float = 0.0, **terms: float) -> Wave:
    """One channel: constant, sin, cos, sin2, cos2 (twice the frequency), hop = |sin|, ramp from -1 to 1."""
    return {"one": one, **terms}


def both(name: str, one: float = 0.0, mirror: bool = False, **terms: float) -> Pose:
    """The same wave on the left and right bone; `mirror` negates it on the right (for turns about y and z)."""
    bone, axis = name.split(".")
    sign = -1.0 if mirror else 1.0
    right = {k: sign * v for k, v in wave(one, **terms).items()}
    return {f"{bone}L.{axis}": wave(one, **terms), f"{bone}R.{axis}": right}


def against(name: str, one: float = 0.0, **terms: float) -> Pose:
    """Left and right swing in opposite phase about the same offset."""
    bone, axis = name.split(".")
    left = wave(one, **terms)
    return {
        f"{bone}L.{axis}": left,
        f"{bone}R.{axis}": {k: v if k in {"one", "sin2", "cos2", "hop"} else -v for k, v in left.items()},
    }


def mix(*poses: Pose) -> Pose:
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


BREATHE: Pose = {"head.x": wave(0, sin=0.04), "tail.y": wave(0, sin2=0.25)}
SITUP = mix(
    {"body.x": wave(-1.0), "head.x": wave(0.85), "tail.x": wave(0.9)},
    both("leg.x", -0.35),
    both("shin.x", 0.25),
    both("arm.x", 0.25),
    both("leg.y", 0.3, mirror=True),
    {"tail.y": wave(0, sin=0.3)},
)
SIT = mix(
    both("leg.x", -1.45),
    both("shin.x", 0.15),
    both("leg.y", 0.3, mirror=True),
    {"head.x": wave(0, sin=0.06), "tail.x": wave(0.35)},
)


def upright(biped: Pose, quad: Pose | None = None, sit: bool = False) -> dict[str, Pose]:
    """An action of arms and head: figures stand or sit, birds stand, quadrupeds sit up on their hind legs."""
    seat = SIT if sit else {}
    return {"biped": mix(seat, biped), "quad": mix(SITUP, biped if quad is None else quad), "bird": biped}
