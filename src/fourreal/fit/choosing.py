"""What a step of the dynamic fit looks at: frames of both clips, drawn at random, and neighbours that should keep together."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Int64
from torch import Tensor

from fourreal.deform.losses import Neighbours, neighbourhood
from fourreal.deform.nodes import NodeField

from .clips import Clips
from .formed import PAIRWISE, Choice
from .loop import CHECK_EVERY
from .phases import Phase
from .state import FitState

_NEIGHBOURS, _SAMPLED = 8, 2000
_LINKS = 12  # of each control node


@dataclass(eq=False)
class Chooser:
    """Draws what a step looks at, and keeps the neighbours that were searched for it."""

    _nearby: dict[tuple[int, int, int], Neighbours] = field(default_factory=dict)
    _links: list[tuple[Tensor, Neighbours]] = field(default_factory=list)

    def __call__(self, clips: Clips, state: FitState, phase: Phase) -> Choice:
        """The choice for the state's next step."""
        device = state.params["means"].device
        views = frames = near = links = None
        if phase.views:
            views = _views(clips, state, phase).to(device)
        if phase.frames and clips.reference is not None:
            frames = _pairs(len(clips.reference.cameras), phase.frames, state.generator).to(device)
            near, links = self._near(state, phase), self._linked(state, phase)
        return Choice(views, frames, near, links)

    def _near(self, state: FitState, phase: Phase) -> Neighbours | None:
        if not any(k in phase.losses for k in PAIRWISE):
            return None
        means = state.params["means"]
        key = (state.phase, state.step // CHECK_EVERY, len(means))  # a resumed run must find the same neighbours
        if key not in self._nearby:
            self._nearby.clear()
            self._nearby[key] = neighbourhood(means, _NEIGHBOURS)
        return self._nearby[key].sample(_SAMPLED, state.generator)

    def _linked(self, state: FitState, phase: Phase) -> tuple[Tensor, Neighbours] | None:
        """Control nodes that move, and their neighbours, found once: they stay the same."""
        nodes = state.modules["motion"]
        if "arap" not in phase.losses or not isinstance(nodes, NodeField):
            return None
        if not self._links:
            index = (nodes.moves > 0).nonzero()[:, 0]
            if len(index) < 2:
                return None
            self._links.append((index, neighbourhood(nodes.nodes[index], min(_LINKS, len(index) - 1))))
        return self._links[0]


def _views(clips: Clips, state: FitState, phase: Phase) -> Int64[Tensor, " C"]:
    """Random freeze frames; half of the time the canonical one is among them where the others may warp.

    It alone shows the scene as it is: drawn as rarely as the rest, warps and cameras drift together and leave it
    behind. Reference frames share its camera, so it needs no help beside them.
    """
    index = torch.randperm(len(clips.freeze.cameras), generator=state.generator)[: phase.views]
    if "warp" in phase.fields and not phase.frames and float(torch.rand((), generator=state.generator)) < 0.5:
        index = torch.cat((index.new_tensor([clips.canonical]), index[index != clips.canonical]))[: phase.views]
    return index


def _pairs(frames: int, count: int, generator: torch.Generator) -> Int64[Tensor, " C"]:
    """`count` of `frames` frames as pairs of successive ones, drawn at random; of several, none comes twice.

    A single frame is followed by a neighbour of it in time, which is not drawn.
    """
    last = max(frames - 1, 1)
    if count > 2:
        first = int(torch.randint(2, (), generator=generator)) if frames > 2 else 0
        starts = first + 2 * torch.randperm((frames - first) // 2, generator=generator)[: min(count // 2, last // 2)]
    else:
        starts = torch.randperm(last, generator=generator)[:1]
    pairs = torch.stack((starts, (starts + 1).clamp(max=frames - 1)), 1).flatten()
    return pairs.flip(0) if count == 1 and float(torch.rand((), generator=generator)) < 0.5 else pairs
