"""What a step of the dynamic fit looks at: frames of both clips, drawn at random, and neighbours to keep together."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Int64
from torch import Tensor

from fourreal.deform.losses import Neighbours, neighbourhood
from fourreal.deform.nodes import NodeField

from .clips import Clips
from .formed import PAIRWISE, Choice, taken
from .loop import CHECK_EVERY
from .phases import Phase
from .shown import Shown, shown_rows
from .state import FitState

_NEIGHBOURS, _SAMPLED = 8, 2000
_SEARCHED = 8192  # Gaussians, at most, whose neighbours a GPU looks for at once
_LINKS = 12  # of each control node


@dataclass(eq=False)
class Chooser:
    """Draws what a step looks at, and keeps what was searched for it.

    That is searched again every `CHECK_EVERY` steps, where states are saved: a resumed run must find the same.

    Attributes:
        shown_only: whether pictures are drawn from the Gaussians alone that they may show; fields of nodes, which are
            bound to all, cannot.
    """

    shown_only: bool = False
    _nearby: dict[tuple[int, int, int], Neighbours] = field(default_factory=dict)
    _links: list[tuple[Tensor, Neighbours]] = field(default_factory=list)
    _shown: Shown | None = None
    _shown_at: tuple[int, int, Tensor] | None = None

    def __call__(self, clips: Clips, state: FitState, phase: Phase) -> tuple[Choice, Tensor | None]:
        """The choice for the state's next step, and the rows [C, M] of the Gaussians of its pictures; None for all."""
        device = state.params["means"].device
        choice, rows = Choice(None, None, None, None), []
        shown = self._show(clips, state, phase) if self.shown_only else Shown(None, None)
        if phase.views:
            choice = choice._replace(views=_views(clips, state, phase).to(device))
            if shown.views is not None:
                rows.append(shown.views[choice.views])
                choice = choice._replace(of_views=taken(state, rows[-1]))
        if phase.frames and clips.reference is not None:
            frames = _pairs(len(clips.reference.cameras), phase.frames, state.generator)
            near, links = self._near(state, phase, shown.frames), self._linked(state, phase)
            choice = choice._replace(frames=frames.to(device), near=near, links=links)
            if shown.frames is not None:
                rows.append(shown.frames.expand(1 if phase.frames == 1 else len(frames), -1))
                choice = choice._replace(of_frames=taken(state, shown.frames))
        return choice, torch.cat(rows) if rows else None

    def _show(self, clips: Clips, state: FitState, phase: Phase) -> Shown:
        means, now = state.params["means"], (state.phase, state.step // CHECK_EVERY)
        if self._shown is None or self._shown_at is None or self._shown_at[:2] != now or self._shown_at[2] is not means:
            # On a GPU another shape is another recording.
            least = self._width() if means.is_cuda else 0
            self._shown, self._shown_at = shown_rows(clips, state, phase, least), (*now, means)
            self._nearby.clear()
        return self._shown

    def _width(self) -> int:
        """Rows a picture as of now."""
        some = [v for v in self._shown or () if v is not None]
        return some[0].shape[-1] if some else 0

    def _near(self, state: FitState, phase: Phase, rows: Tensor | None) -> Neighbours | None:
        if not any(k in phase.losses for k in PAIRWISE):
            return None
        means = state.params["means"]
        key = (state.phase, state.step // CHECK_EVERY, len(means))
        if key not in self._nearby:
            self._nearby.clear()
            means = means.detach() if rows is None else means.detach()[rows]
            some = None
            if means.is_cuda and len(means) > _SEARCHED:
                some = torch.randperm(len(means), generator=state.generator)[:_SEARCHED].to(means.device)
            self._nearby[key] = neighbourhood(means, _NEIGHBOURS, rows=some)
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
