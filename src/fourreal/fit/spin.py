"""Subjects that turn about themselves: how far they have turned at each frame, before any point is followed.

Points on a subject that spins vanish round its edge before they have told a quarter of a turn, and comparing pictures
finds no way from one flank to the other. But a subject that turns upright is a rigid body with one unknown a frame: try
all angles, and take the course through them that the clip's pictures speak for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.geometry import quat_exp, quat_multiply, quat_to_matrix
from fourreal.deform.nodes import NodeField
from fourreal.deform.room import Room
from fourreal.raster.base import Rasterizer, Splats, Views

from . import courses
from .clips import Clips
from .courses import ANGLES, STEP
from .ground import Plane
from .pixels import changed, looked_up

_LARGE = 96  # pixels of width that suffice
_CHANGE = 0.06  # a pixel that leaves its colour at the instant by so much at some time is compared
_WORTH = 0.9  # of the error at rest that turning must not exceed
_WORTH_ROUND = 0.95  # the same, of who goes most of the way round: a body drawn anew with every turn is met badly
_BETTER = 0.95  # of the error with the subject at any place near, frame by frame, that turning must not exceed
_TURNED = math.radians(60)  # the subject must turn by so much at some time; less is for followed points
_STILL = 1e-5  # of a camera that rests, the most by which a pose changes
_WITHIN, _WIDER = 0.6, 0.02  # share of a turn that must lie where the clip changes; wider by so much of its height
_ROOMY = 1.1  # of how far the subject reaches
_FEET = 0.1  # of the subject's height, by which it reaches below what is seen to move
_SOLID = 0.3  # opacity of what counts for the middle
_ENDS = (0.02, 0.98)  # shares of it at which it is taken to end
# Shares of what moves that may be the subject: the rest lies behind it in the picture.
_WIDE = (0.5, 0.7, 0.85, 0.98, 1.0)
_SAME = 0.01  # of the error at rest, by which a narrower subject may be met worse
_CLOSE = 0.05  # the same, before the line has been moved to where it belongs
_SHIFTS = (0.3, 0.15)  # of the subject's reach, by which the line is moved
_FAR = 1.0  # of that reach, from where the line is looked for first
# Shares of it: places to which the subject may have gone instead of turning.
_ASIDE = (-2.0, -1.4, -0.9, -0.5, -0.2, 0.0, 0.2, 0.5, 0.9, 1.4, 2.0)
_AHEAD = (-0.6, 0.0, 0.6)
# Who goes most of the way round, in this order of frames alone, does not pass by, though a smooth flank of one colour
# may be met as well by shifting it, each frame as it likes.
_ROUND = math.radians(200)
# Shares of the reach, by which the subject may wander while it turns, and the price of going as far as it reaches, as a
# share of the mean error.
_ABOUT, _NEARER = tuple(0.12 * i for i in range(-5, 6)), (-0.3, 0.0, 0.3)
_WALK = 0.2
_UNSURE = 2  # steps of the angle, by which it may be wrong while the place is not known
_GAIN = 0.003  # of the error at rest, that is worth moving it


@dataclass(frozen=True, eq=False)
class Spin:
    """How a subject turns.

    Attributes:
        angles: [F] radians about the room's axis at each frame, unwrapped, 0 at the instant.
        places: [F, 3] where the axis has gone to over the ground at each frame, in the scene's units, 0 at the instant.
        room: where what turns is.
        worth: error of the clip's changed parts with the turning, as a share of that at rest.
    """

    angles: Float[Tensor, " F"]
    places: Float[Tensor, "F 3"]
    room: Room
    worth: float

    @property
    def turns(self) -> bool:
        """Whether it is more than points can be followed through."""
        return float(self.angles.abs().max()) >= _TURNED

    @property
    def goes_round(self) -> bool:
        """Whether it is most of the way round."""
        return float(self.angles.max() - self.angles.min()) >= _ROUND

    def poses(self, splats: Splats, turning: Bool[Tensor, " N"]) -> Splats:
        """The scene [F, N, ...] at each frame, of which `turning` turns."""
        return _turned(splats, self.room, turning, self.angles, self.places)

    def turn(self, motion: NodeField) -> None:
        """Have the nodes of `motion` in the room turn so, and what lies outside follow none of them."""
        inside = self.room.holds(motion.nodes).to(motion.nodes)[:, None]
        vectors = self.angles[:, None] * self.room.axis
        arms = motion.nodes - self.room.centre
        swung = torch.einsum("fij,mj->fmi", quat_to_matrix(quat_exp(vectors)), arms) - arms
        with torch.no_grad():
            motion.motions[..., :3] = inside * (swung + self.places[:, None]) / motion.unit
            motion.motions[..., 3:6] = inside * vectors[:, None]
            motion.room.copy_(self.room.numbers())


@torch.no_grad()
def find_spin(
    gaussians: Gaussians,
    clips: Clips,
    busy: Bool[Tensor, " N"],
    axis: Float[Tensor, " 3"],
    render: Rasterizer,
    *,
    told: bool = False,
) -> Spin | None:
    """How what moves turns about an upright axis through its middle; None if the reference clip does not speak for it.

    Every angle of a whole turn is drawn from the reference camera and compared with every frame (L1, where the clip
    changes, and what turning would change elsewhere); the cheapest course of angles is found by dynamic programming,
    to both sides of the instant, where changes of speed cost. A subject that goes past is no turning one: shifting it
    must not explain as much, unless it goes round most of a circle; nor is one whose frames turn as well in any other
    order. Where it goes while it turns is found with the angles. Deterministic.

    Args:
        gaussians: of the canonical scene.
        clips: with a reference, whose camera rests: else every pixel changes, and nothing is looked for.
        busy: Gaussians that may move.
        axis: unit vector, upwards.
        render: the rasterizer.
        told: that it turns about itself is known, as from a prompt. Then only courses that go on and on are compared,
            and of these the one that the clip speaks for most is believed, if it meets it better than rest does.
    """
    assert clips.reference is not None
    if not busy.any() or not _rests(clips.reference.cameras):
        return None
    viewmat = clips.reference.cameras.viewmats[clips.instant]
    if told:
        busy = _sweeping(gaussians.means, busy, clips, axis)
    solid = busy & (gaussians.opacities > _SOLID)
    solid = solid if solid.any() else busy
    # The median: what lies far behind the subject in the picture counts as moving, too.
    centre = gaussians.means[solid].median(0).values
    if told:  # nothing does: a face, of many small Gaussians, does not draw the line to it
        centre = centre + _to_middle(gaussians.means[solid] - centre, _sides(axis, viewmat, axis.new_tensor(1.0)))
    heights = (gaussians.means[busy] - centre) @ axis
    low, high = heights.min(), torch.quantile(heights, 0.98)
    # What moves begins a little above the ground; feet reach down to it.
    line = Room(centre, axis, centre.new_tensor(math.inf), low - _FEET * (high - low))
    apart = line.apart(gaussians.means[busy])
    splats = Splats.of(gaussians)

    def tried(room: Room) -> Spin:
        turning, spot = busy & room.holds(gaussians.means), axis.new_zeros(1, 3)
        cost = _costs_anywhere(clips, splats, room, turning, spot, render)[..., 0]
        steps, worth = courses.met(cost, clips.instant, onwards=told)
        return Spin(steps.to(centre) * STEP, centre.new_zeros(len(steps), 3), room, worth)

    found = [tried(replace(line, radius=torch.quantile(apart, share))) for share in _WIDE]
    least = min(spin.worth for spin in found)
    sides = _sides(axis, viewmat, apart.median())
    # Where a narrow room is stuck a wider one may find the line.
    found = [_centred(s, tried, sides) for s in found if s.turns and s.worth <= least + _CLOSE]
    if not found:
        return None
    least = min(spin.worth for spin in found)
    best = next(spin for spin in found if spin.worth <= least + _SAME)
    if not best.turns or best.worth > (_WORTH_ROUND if best.goes_round else _WORTH):
        return None
    if told:  # a tail that is cut off at the tip stays behind, and nothing else is left that may move
        reach = best.room.apart(gaussians.means[busy]).amax()
        best = replace(best, room=replace(best.room, radius=_ROOMY * reach))
    return _believed(best, clips, splats, sides, busy & best.room.holds(gaussians.means), render, told)


def _sweeping(
    means: Float[Tensor, "N 3"], busy: Bool[Tensor, " N"], clips: Clips, axis: Float[Tensor, " 3"]
) -> Bool[Tensor, " N"]:
    """Of what may move, what turning would leave where the clip changes: not what lies beside the subject."""
    assert clips.reference is not None
    camera = clips.reference.cameras[[clips.instant]]
    change = changed(clips.reference.images, clips.instant, _CHANGE, _WIDER)[None]
    turns = quat_to_matrix(quat_exp(axis * (STEP * torch.arange(ANGLES).to(axis))[:, None]))
    kept = busy
    for _ in range(2):  # what lies beside it draws the middle, too
        middle = means[kept].median(0).values
        swept = torch.einsum("aij,nj->ani", turns, means[busy] - middle) + middle
        within = looked_up(change, camera.project(swept.reshape(-1, 3))[0][0])
        found = busy.clone()
        found[busy] = within.reshape(ANGLES, -1).mean(0) >= _WITHIN
        if not found.any():
            return busy
        kept = found
    return kept


def _believed(
    spin: Spin,
    clips: Clips,
    splats: Splats,
    sides: Sequence[Tensor],
    turning: Bool[Tensor, " N"],
    render: Rasterizer,
    told: bool,
) -> Spin | None:
    """The turning, with the subject's way over the ground meanwhile; None if it may as well go past, or by chance."""
    places, still = _spread(sides, _ABOUT, _NEARER), spin.angles.new_zeros(1)
    cost = _costs_anywhere(clips, splats, spin.room, turning, places, render)
    wandering = _wandering(spin, cost, places, _WALK / float(sides[0].norm()), clips.instant, told)
    if told:
        return wandering
    # Drawn anew with every turn, a body is met a little better by some angle at some place in any order of the frames.
    # Then a steady course on the spot tells more: through frames in another order one changes its speed at every step.
    on_the_spot = cost[..., _spot(places)]
    if wandering.goes_round and (
        courses.in_order(cost.amin(2), clips.instant, courses.missed)
        or courses.in_order(on_the_spot, clips.instant, courses.priced)
    ):
        return wandering
    there = _spread(sides, _ASIDE, _AHEAD)
    moved = _costs(clips, splats, _turned(splats, spin.room, turning, still, there), render)
    otherwise = float(moved.min(1).values.sum() / moved[:, _spot(there)].sum().clamp_min(1e-9))
    return (
        wandering
        if spin.worth <= _BETTER * otherwise and courses.in_order(on_the_spot, clips.instant, courses.missed)
        else None
    )


def _wandering(
    spin: Spin, cost: Float[Tensor, "F A P"], places: Tensor, price: float, instant: int, onwards: bool
) -> Spin:
    """The same with where the subject goes while it turns: who dances about does not turn on the spot.

    Places and angles are found by turns, each as the cheapest course for what the other was found to be; of the place
    first, while the angle may be a little wrong.
    """
    steps, frames = courses.steady(cost.amin(2), instant, onwards=onwards), torch.arange(len(cost))
    for unsure in (_UNSURE, 0):
        about = steps[:, None] + torch.arange(-unsure, unsure + 1)
        at = courses.walk(cost[frames[:, None], about % ANGLES].amin(1), places.cpu(), _spot(places), price, instant)
        steps, met = courses.steady(cost[frames, :, at], instant, onwards=onwards), cost[frames, :, at]
    rest = float(cost[:, 0, _spot(places)].sum())
    worth = float(met.gather(1, (steps % ANGLES)[:, None]).sum()) / max(rest, 1e-9)
    return replace(spin, angles=steps.to(places) * STEP, places=places[at.to(places.device)], worth=worth)


def _costs_anywhere(
    clips: Clips, splats: Splats, room: Room, turning: Tensor, places: Float[Tensor, "P 3"], render: Rasterizer
) -> Float[Tensor, "F A P"]:
    """Costs at every angle and place, on the CPU: a course takes many small steps."""
    angles = STEP * torch.arange(ANGLES).to(places)
    some = [
        _costs(clips, splats, _turned(splats, room, turning, angles, place[None]), render).cpu() for place in places
    ]
    return torch.stack(some, -1)


def _sides(axis: Tensor, viewmat: Float[Tensor, "4 4"], reach: Tensor) -> list[Tensor]:
    """To the right and ahead over the ground, as the camera sees it, as far as `reach`."""
    right, _, ahead = viewmat[:3, :3]
    return [F.normalize(v - (v @ axis) * axis, dim=0) * reach for v in (right, ahead)]


def _to_middle(arms: Float[Tensor, "M 3"], sides: Sequence[Tensor]) -> Float[Tensor, " 3"]:
    """The way over the ground to half way between the outermost."""
    shares = arms.new_tensor(_ENDS)
    return torch.stack([side * torch.quantile(arms @ side, shares).mean() for side in sides]).sum(0)


def _centred(spin: Spin, tried: Callable[[Room], Spin], sides: Sequence[Tensor]) -> Spin:
    """With the line moved over the ground to where turning meets the clip best: a median sees the front side more."""
    begun = spin.room.centre
    for share in _SHIFTS:
        moved = True
        while moved:
            places = [spin.room.centre + sign * share * side for side in sides for sign in (1, -1)]
            near = [p for p in places if float((p - begun).norm()) <= _FAR * float(sides[0].norm())]
            others = [tried(replace(spin.room, centre=place)) for place in near]
            best = min(others, key=lambda other: other.worth, default=spin)
            moved = best.worth < spin.worth - _GAIN
            spin = best if moved else spin
    return spin


def upwards(clips: Clips, ground: Plane | None) -> Float[Tensor, " 3"]:
    """The axis about which things turn: off the ground, or up in the pictures where there is none."""
    up = -clips.freeze.cameras.viewmats[:, 1, :3].mean(0)
    up = up if ground is None else ground.normal.to(up)
    return up / up.norm()


def _spread(sides: Sequence[Tensor], right: Sequence[float], ahead: Sequence[float]) -> Float[Tensor, "P 3"]:
    """Places over the ground at all these shares of the subject's reach."""
    return torch.stack([a * sides[0] + b * sides[1] for a in right for b in ahead])


def _spot(places: Float[Tensor, "P 3"]) -> int:
    """Which of the places is where the subject stands at the instant."""
    return int(places.norm(dim=1).argmin())


def _turned(
    splats: Splats,
    room: Room,
    turning: Bool[Tensor, " N"],
    angles: Float[Tensor, " A"],
    places: Float[Tensor, "P 3"],
) -> Splats:
    """The scene [A, N, ...] with what turns at each angle and its place; one angle or one place is for all."""
    count = max(len(angles), len(places))
    turns = quat_exp(room.axis * angles[:, None])
    means, quats = splats.means.repeat(count, 1, 1), splats.quats.repeat(count, 1, 1)
    arms = splats.means[turning] - room.centre
    means[:, turning] = torch.einsum("aij,nj->ani", quat_to_matrix(turns), arms) + (room.centre + places)[:, None]
    quats[:, turning] = quat_multiply(turns[:, None], splats.quats[turning])
    return _states(splats, means, quats)


def _states(splats: Splats, means: Tensor, quats: Tensor) -> Splats:
    return Splats(means, quats, *(v.expand(len(means), *v.shape) for v in splats[2:]))


def _costs(clips: Clips, splats: Splats, states: Splats, render: Rasterizer) -> Float[Tensor, "F A"]:
    """Mean absolute difference of every frame and every state of the scene, where the clip changes.

    Elsewhere counts what a state adds to the difference of the scene at rest: who waves does not turn, though a wing
    may be met by turning the body, whose front would be gone then where every frame shows it.
    """
    assert clips.reference is not None
    small = clips.reference.shrunk(max(1, clips.reference.cameras.width // _LARGE))
    images, cameras = small.images, small.cameras
    parts = changed(images, clips.instant, _CHANGE)

    def drawn(states: Splats) -> Tensor:
        own = cameras[[clips.instant] * len(states.means)]
        return render(states, Views(own.viewmats, own.Ks, own.width, own.height), None).color

    shown, rest = drawn(states), drawn(_states(splats, splats.means[None], splats.quats[None]))
    rows = [(shown - image).abs().mean(1).sum((1, 2)) for image in images]
    begun = [((rest - image).abs().mean(1) * (1 - parts)).sum() for image in images]
    return (torch.stack(rows) - torch.stack(begun)[:, None]) / parts.sum().clamp_min(1)


def _rests(cameras: Cameras) -> bool:
    return bool((cameras.viewmats - cameras.viewmats[:1]).abs().max() < _STILL)
