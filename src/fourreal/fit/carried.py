"""A first guess of the motion, carried from frame to frame, for subjects that do not turn about themselves.

Points on a smooth subject that leaps are lost after three or four frames, and what comes later was left to comparing
pictures: a fox that jumped lost its head a quarter of a second from the instant. The scene itself does not get lost:
posed as in the frame before, it is drawn, and points of that picture are looked for in the frame. So every frame is
compared with the canonical scene, and errors do not add up along the clip.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fourreal.core.gaussians import Gaussians
from fourreal.core.record import Recorder
from fourreal.deform.losses import neighbourhood, rigidity, rotation_similarity, turns_of
from fourreal.deform.nodes import NodeField, farthest_points
from fourreal.raster.base import Rasterizer

from .clips import Clips
from .guess import DIFF, LEAST, NEIGHBOURS, RIGID, SUPPORT, Followed, carriers, drawn, huber, places_of

_ROUNDS = 2  # a second look from where the first has brought the subject finds more of its points
_STEPS = 40
_RATE, _LAST = 1e-2, 0.05  # Adam's, and the share of it that is left at the end
_POINTS = 192  # that a frame is met at, at most; as many places are kept, so that a GPU can record the step

# Points of one picture [3, H, W], and where another shows them: two [K, 2], as `pose.tracks.find_again` has them.
Finder = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class _Sightings(NamedTuple):
    """Gaussians, and the pixels at which one frame shows them."""

    gaussian: Int64[Tensor, " K"]
    xy: Float[Tensor, "K 2"]

    def beside(self, other: _Sightings) -> _Sightings:
        """Both together."""
        return _Sightings(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def filled(self, count: int) -> tuple[_Sightings, Float[Tensor, " count"]]:
        """`count` of them, evenly chosen, or filled up with repeated ones; and what each counts: those nothing."""
        own, places = len(self.gaussian), torch.arange(count, device=self.xy.device)
        even = torch.linspace(0, own - 1, count, device=self.xy.device).round().long()
        which = even if own > count else places % own
        return _Sightings(self.gaussian[which], self.xy[which]), (places < own).to(self.xy)


def carry_motion(
    motion: NodeField,
    gaussians: Gaussians,
    clips: Clips,
    followed: Followed,
    find_again: Finder,
    render: Rasterizer,
    busy: Bool[Tensor, " N"] | None = None,
) -> None:
    """Carry `motion` outward from the instant: each frame begins as the one before it, and is brought to what it shows.

    What it shows: points of the scene as posed, found again in the frame, and those of `followed` that
    last so long. Loss, a frame at a time: Huber's of the distances in the picture, 5 (local rigidity + similarity of
    rotations, against the instant) and 0.01 of the nodes' way since the frame before. Frames in which fewer than four
    points are found stay as the one before; with fewer than four Gaussians that may move all stay at rest.
    Deterministic on a CPU.

    Args:
        motion: nodes, bound to the Gaussians; what they do is overwritten.
        gaussians: of the canonical scene.
        clips: with a reference.
        followed: points of its instant.
        find_again: looks for points of the scene's picture in a frame.
        render: the rasterizer.
        busy: Gaussians that may move; all if None or empty.
    """
    assert clips.reference is not None
    if busy is None or not busy.any():
        busy = torch.ones(len(gaussians.means), dtype=torch.bool, device=gaussians.means.device)
    pool = busy.nonzero()[:, 0]
    if len(pool) < LEAST:
        return
    step = _Step(motion, gaussians, pool, clips)
    whole = copy.copy(motion)  # bound to all Gaussians, where `motion` is bound to those that are looked at
    whole.rebind(gaussians.means)
    told = _followed_sightings(followed, gaussians, clips, render, busy)
    for frame, before in _outward(clips.instant, len(clips.reference.cameras)):
        with torch.no_grad():
            motion.motions[frame] = motion.motions[before] if before != clips.instant else 0.0
        for _ in range(_ROUNDS):
            found = told[frame].beside(_found_again(whole, gaussians, clips, frame, find_again, render, busy))
            if len(found.gaussian) < LEAST:
                break
            step.meet(frame, found)
    motion.rebind(gaussians.means)


def _outward(instant: int, count: int) -> Iterator[tuple[int, int]]:
    """Frames and those before them on the way from the instant: to the end, then to the beginning."""
    for frame in range(instant + 1, count):
        yield frame, frame - 1
    for frame in range(instant - 1, -1, -1):
        yield frame, frame + 1


@torch.no_grad()
def _followed_sightings(
    followed: Followed, gaussians: Gaussians, clips: Clips, render: Rasterizer, busy: Tensor
) -> list[_Sightings]:
    """For each frame the points of the instant that are still followed there."""
    index, wanted, seen = places_of(followed, gaussians, clips, render)
    return [_Sightings(index[s], w[s]) for s, w in zip(seen & busy[index], wanted, strict=True)]


@torch.no_grad()
def _found_again(
    motion: NodeField,
    gaussians: Gaussians,
    clips: Clips,
    frame: int,
    find_again: Finder,
    render: Rasterizer,
    busy: Tensor,
) -> _Sightings:
    """Points of the scene as `motion` poses it in a frame, where that frame shows them."""
    assert clips.reference is not None
    camera = clips.reference.cameras[[frame]]
    state = motion.offsets(gaussians.means, camera.moments[0])
    means, quats, _ = state.apply(gaussians.means, gaussians.quats, gaussians.log_scales)
    posed = replace(gaussians, means=means, quats=quats)
    rendering = drawn(posed, camera, render)
    xy, found = (v.to(means) for v in find_again(rendering.color[0].clamp(0, 1), clips.reference.images[frame]))
    index, good = carriers(posed, camera, xy, rendering)
    good &= busy[index]
    index = index[good]
    return _Sightings(index, camera.project(means[index])[0][0] + (found - xy)[good])


class _Step:
    """Brings the nodes of one frame to sightings; on a GPU recorded once, for all frames."""

    def __init__(self, motion: NodeField, gaussians: Gaussians, pool: Tensor, clips: Clips) -> None:
        assert clips.reference is not None
        self._motion, self._means = motion, gaussians.means
        self._cameras, self._instant = clips.reference.cameras, clips.instant
        # Ties among these hold the nodes together, so the points that are looked at need none.
        self._support = pool[farthest_points(gaussians.means[pool], SUPPORT)]
        support = gaussians.means[self._support]
        self._near = neighbourhood(support, min(NEIGHBOURS, len(support) - 1))
        self._recorder = Recorder()

    def meet(self, frame: int, sightings: _Sightings) -> None:
        """Move the nodes of `frame`, and no others'."""
        motion, (seen, weight) = self._motion, sightings.filled(_POINTS)
        means = self._means[torch.cat([seen.gaussian, self._support])]
        motion.rebind(means)
        before = motion.motions.detach()[frame].clone()
        which = torch.tensor([frame], device=means.device)
        moments = means.new_tensor([self._instant, frame])
        optimizer = torch.optim.Adam([motion.motions], _RATE)
        for step in range(_STEPS):
            optimizer.param_groups[0]["lr"] = _RATE * _LAST ** (step / _STEPS)
            optimizer.zero_grad(set_to_none=True)
            inputs = means, seen.xy, weight, which, moments, before
            self._recorder.run("carried", self._missed, [motion.motions], *inputs)["loss"].backward()
            optimizer.step()

    def _missed(
        self, means: Tensor, xy: Tensor, weight: Tensor, which: Tensor, moments: Tensor, before: Tensor
    ) -> dict[str, Tensor]:
        motion = self._motion
        offsets = motion.offsets(means, moments)
        moved, turns = means + offsets.means, turns_of(offsets)
        places = self._cameras.project(moved[1, : len(xy)])[0].index_select(0, which)[0]
        told = (weight * huber(places - xy, self._cameras.height)).sum() / weight.sum()
        own, turned = moved[:, len(xy) :], turns[:, len(xy) :]
        tied = rigidity(own, turned, self._near, motion.unit) + rotation_similarity(turned, self._near)
        went = (motion.motions.index_select(0, which)[0] - before)[:, :3].abs().sum(-1).mean()
        return {"loss": told + RIGID * tied + DIFF * went}
