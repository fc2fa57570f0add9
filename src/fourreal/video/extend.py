"""View extension: walks of the frozen camera that are longer than one clip.

A clip has as many frames as the model makes (16). Every further clip keeps half of its frames from the pictures that
exist and draws the other half, in both directions from the conditioning frame; a walk that goes all the way round is
closed by a clip that knows both of its ends (4Real, arXiv 2406.07472, section 3.1 and supplement: "view extension").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .base import (
    CameraPath,
    KnownFrames,
    TextCondition,
    UnsupportedConditionError,
    VideoModel,
    VideoModelSpec,
)
from .camera_text import parse_camera

FULL = 360.0
LEAST = 20.0  # degrees: less is hardly a walk round anything
STEP = 6.0  # degrees between two frames, at most
_CLOSING = ("first_frame", "frames")  # what all the way round needs of a model; any walk needs the first


@dataclass(frozen=True, eq=False)
class Walk:
    """Where the frozen camera goes, frame by frame.

    Attributes:
        values: [N, 3] as `CameraPath.values`, relative to frame `start`.
        start: the frame that is known from the beginning.
        closed: the step after the last frame would be the first again.
    """

    values: Float[Tensor, "N 3"]
    start: int = 0
    closed: bool = False

    def at(self, frames: Sequence[int]) -> Float[Tensor, "F 3"]:
        """The poses of `frames`; on a closed walk they may be counted past its ends."""
        index = torch.tensor(frames)
        out = self.values[index % len(self)].clone()
        out[:, 0] += 2 * math.pi * torch.div(index, len(self), rounding_mode="floor")
        return out

    def __len__(self) -> int:
        return len(self.values)

    @property
    def degrees(self) -> float:
        """How much of the circle is covered."""
        if self.closed:
            return FULL
        azimuth = self.values[:, 0]
        return math.degrees(float(azimuth.max() - azimuth.min()))


class Link(NamedTuple):
    """One clip of a walk.

    frames: the walk's frames that it shows, in the clip's order (past the ends of a closed walk they go on).
    known: positions in the clip of those that exist before.
    """

    frames: tuple[int, ...]
    known: tuple[int, ...]


class Reach(NamedTuple):
    """How a model goes on from a clip: frames of each of its clips, and how many of them it is given."""

    clip: int
    known: int

    @property
    def fresh(self) -> int:
        """Frames that each further clip adds."""
        return self.clip - self.known


def reach_of(spec: VideoModelSpec) -> Reach:
    """Half of a clip where the model takes that many known frames, else only its last frame."""
    if "prefix" in spec.features:
        return Reach(spec.frames, spec.prefix_frames(spec.frames // 2))
    return Reach(spec.frames, 1)


def orbit_walk(degrees: float, reach: Reach, *, step: float = STEP) -> Walk:
    """A walk to both sides of the known frame, about as far to each.

    Args:
        degrees: of azimuth covered, 20 to 360; 360 closes the circle.
        reach: of the model.
        step: degrees between two frames, at most.

    Raises:
        UnsupportedConditionError: if the degrees or the step are impossible.
    """
    if not LEAST <= degrees <= FULL:
        raise UnsupportedConditionError(f"--coverage must lie in {LEAST:g}..{FULL:g} degrees, got {degrees:g}")
    _check_step(step)
    closed = degrees == FULL
    wanted = math.ceil(degrees / step - 1e-9) + (0 if closed else 1)
    further = max(math.ceil((wanted - reach.clip) / reach.fresh), 2 if closed else 0)
    count = reach.clip + reach.fresh * further
    left = reach.fresh * min(round((count - 1) / 2 / reach.fresh), further - closed)
    values = torch.zeros(count, 3, dtype=torch.float64)
    values[:, 0] = (torch.arange(count) - left) * math.radians(degrees) / (count if closed else count - 1)
    return Walk(values.float(), left, closed)


def text_walk(text: str, reach: Reach, *, step: float = STEP) -> Walk:
    """The walk that words such as "orbit 180 left, rise 10" describe, from its first frame on.

    Raises:
        UnsupportedConditionError: if the words cannot be read; see `parse_camera`.
    """
    _check_step(step)
    turn = math.degrees(float(parse_camera(text, 2).values[-1, :2].norm()))
    further = max(math.ceil((math.ceil(turn / step - 1e-6) + 1 - reach.clip) / reach.fresh), 0)
    return Walk(parse_camera(text, reach.clip + reach.fresh * further).values)


def _check_step(step: float) -> None:
    if not 0 < step <= 30:
        raise UnsupportedConditionError(f"the step between frames must lie in (0, 30] degrees, got {step:g}")


def closes(spec: VideoModelSpec) -> bool:
    """Whether a model can draw a walk all the way round."""
    return spec.features >= set(_CLOSING)


def check_walk(walk: Walk, spec: VideoModelSpec) -> None:
    """Raise `UnsupportedConditionError` if the model cannot draw such a walk from a known frame."""
    ways = {
        "first_frame": "a first frame (first_frame), from which the freeze-time clip must start; take one that does, "
        "such as Wan-AI/Wan2.1-VACE-1.3B-diffusers, or draw a clip from words alone: 4real video --context dynamic",
        "frames": "known frames at both ends (frames), which 360 degrees need; lower --coverage, to 300 for example",
    }
    for feature in _CLOSING if walk.closed else _CLOSING[:1]:
        if feature not in spec.features:
            raise UnsupportedConditionError(f"{spec.name} does not take {ways[feature]}")


def plan(walk: Walk, reach: Reach) -> list[Link]:
    """The clips that draw a walk, in order: to the right of its start, further right, to the left, then the gap.

    Args:
        walk: clip + k * fresh frames, of which a multiple of `fresh` lies to the left of the start.
        reach: of the model.
    """
    clip, known, fresh = reach.clip, reach.known, reach.fresh
    start, further = walk.start, (len(walk) - reach.clip) // reach.fresh - walk.closed
    left = min(start // fresh, further)
    links = [Link(tuple(range(start, start + clip)), (0,))]
    for i in range(further - left):
        first = start + fresh * (i + 1)
        links.append(Link(tuple(range(first, first + clip)), tuple(range(known))))
    for i in range(left):
        first = start - fresh * i + known - 1
        links.append(Link(tuple(range(first, first - clip, -1)), tuple(range(known))))
    if walk.closed:
        before = (known + 1) // 2
        first = start + clip + fresh * (further - left) - before
        links.append(Link(tuple(range(first, first + clip)), (*range(before), *range(before + fresh, clip))))
    return links


def draw_link(
    model: VideoModel,
    text: TextCondition,
    walk: Walk,
    link: Link,
    pictures: Mapping[int, Tensor],
    **options: Any,
) -> dict[int, Float[Tensor, "3 H W"]]:
    """The pictures that a clip adds, by the walk's frame.

    Args:
        model: which draws it.
        text: the prompt, in the context of frozen time.
        walk: the whole walk.
        link: which clip of it.
        pictures: what exists, by the walk's frame; without a picture of the start, the first clip starts freely.
        options: seed, steps, size, on_step; see `VideoModel.generate`.
    """
    known, camera = conditions_of(model.spec, walk, link, pictures)
    clip = model.generate(text, known=known, camera=camera, **options)
    held = () if known is None else known.indices
    return {f % len(walk): clip[i] for i, f in enumerate(link.frames) if i not in held}


def conditions_of(
    spec: VideoModelSpec, walk: Walk, link: Link, pictures: Mapping[int, Tensor]
) -> tuple[KnownFrames | None, CameraPath | None]:
    """The frames that a clip knows of those that exist, and the path that its camera is told."""
    count = len(walk)
    held = {i: pictures[link.frames[i] % count] for i in link.known if link.frames[i] % count in pictures}
    known = KnownFrames(tuple(held), torch.stack(list(held.values()))) if held else None
    return known, CameraPath(walk.at(link.frames)) if "camera" in spec.features else None
