"""The objective of both of 4Real's stages: frames of frozen time through the warp, frames of running time through the
motion, one canonical set of Gaussians behind both."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.record import Recorder
from fourreal.deform.base import DeformField
from fourreal.deform.losses import Neighbours, neighbourhood
from fourreal.deform.nodes import NodeField
from fourreal.raster.base import Rasterizer, Rendering, Splats, Views
from fourreal.raster.choose import recorded

from .clips import Clips
from .formed import PAIRWISE, Choice, Formed, formed
from .loop import CHECK_EVERY, Evaluation, Objective
from .losses import IMAGE_LOSSES, SPLAT_LOSSES
from .phases import Phase
from .state import FitState

_NEIGHBOURS, _SAMPLED = 8, 2000
_LINKS = 12  # of each control node


def dynamic_objective(clips: Clips, render: Rasterizer, background: Tensor | None = None) -> Objective:
    """Compare random frames of both clips with renders of the state's Gaussians, deformed by its modules "warp" and
    "motion" as the phase says, from cameras corrected by its module "poses"; plus the phase's regularisers."""
    pyramid: dict[int, Clips] = {}
    choose, recorder = _Chooser(), Recorder()
    draw = recorded(render, recorder)

    def objective(state: FitState, phase: Phase) -> Evaluation:
        factor = phase.shrink_of(*clips.freeze.images.shape[-2:])
        level = pyramid.setdefault(factor, clips.shrunk(factor))
        recorder.begin(phase, level, *state.params.values())
        now = _formed(recorder, state, phase, level, choose(level, state, phase))
        rendering = draw(now.splats, now.views, background, absgrad=phase.growth is not None)
        loss, terms = _measured(recorder, phase, now, rendering)
        return Evaluation(loss, terms, rendering)

    return objective


def _formed(recorder: Recorder, state: FitState, phase: Phase, clips: Clips, choice: Choice) -> Formed:
    """`formed`, recorded."""

    def function(*tensors: Tensor) -> dict[str, Tensor]:
        return formed(state, phase, clips, choice.holding(tensors)).tensors()

    leaves = [*state.params.values(), *(p for m in state.modules.values() for p in m.parameters())]
    size = clips.freeze.cameras
    return Formed.holding(recorder.run("formed", function, leaves, *choice.tensors()), size.width, size.height)


def _measured(
    recorder: Recorder, phase: Phase, now: Formed, rendering: Rendering
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """The loss, and its unweighted terms by name, detached; recorded."""
    of_images = [k for k in phase.losses if k in IMAGE_LOSSES]
    of_splats = [k for k in phase.losses if k in SPLAT_LOSSES]
    names = [*of_images, *of_splats, *now.terms]

    def function(color: Tensor, truth: Tensor, radii: Tensor, opacities: Tensor, *terms: Tensor) -> dict[str, Tensor]:
        drawn = (radii > 0).all(-1).any(0)
        values = [IMAGE_LOSSES[k](color, truth) for k in of_images]
        values += [*(SPLAT_LOSSES[k](opacities, drawn) for k in of_splats), *terms]
        loss = torch.stack([phase.losses[k] * v for k, v in zip(names, values, strict=True)]).sum()
        return {"loss": loss, "terms": torch.stack(values).detach()}

    inputs = rendering.color, now.truth, rendering.radii, now.splats.opacities, *now.terms.values()
    found = recorder.run("losses", function, (), *inputs)
    return found["loss"], dict(zip(names, found["terms"].clone().unbind(), strict=True))


@dataclass(eq=False)
class _Chooser:
    """Draws what a step looks at, and keeps the neighbours that were searched for it."""

    nearby: dict[tuple[int, int, int], Neighbours] = field(default_factory=dict)
    links: list[tuple[Tensor, Neighbours]] = field(default_factory=list)

    def __call__(self, clips: Clips, state: FitState, phase: Phase) -> Choice:
        device = state.params["means"].device
        views = frames = near = links = None
        if phase.views:
            views = _views(clips, state, phase).to(device)
        if phase.frames and clips.reference is not None:
            frames = _pairs(len(clips.reference.cameras), phase.frames, state.generator).to(device)
            near, links = self._near(state, phase), self._links(state, phase)
        return Choice(views, frames, near, links)

    def _near(self, state: FitState, phase: Phase) -> Neighbours | None:
        if not any(k in phase.losses for k in PAIRWISE):
            return None
        means = state.params["means"]
        key = (state.phase, state.step // CHECK_EVERY, len(means))  # a resumed run must find the same neighbours
        if key not in self.nearby:
            self.nearby.clear()
            self.nearby[key] = neighbourhood(means, _NEIGHBOURS)
        return self.nearby[key].sample(_SAMPLED, state.generator)

    def _links(self, state: FitState, phase: Phase) -> tuple[Tensor, Neighbours] | None:
        """Control nodes that move, and their neighbours, found once: they stay the same."""
        nodes = state.modules["motion"]
        if "arap" not in phase.losses or not isinstance(nodes, NodeField):
            return None
        if not self.links:
            index = (nodes.moves > 0).nonzero()[:, 0]
            if len(index) < 2:
                return None
            self.links.append((index, neighbourhood(nodes.nodes[index], min(_LINKS, len(index) - 1))))
        return self.links[0]


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
    """`count` frames as pairs of successive ones, drawn at random."""
    starts = torch.randperm(max(frames - 1, 1), generator=generator)[: max(count // 2, 1)]
    return torch.stack((starts, (starts + 1).clamp(max=frames - 1)), 1).flatten()


@torch.no_grad()
def render_dynamic(
    splats: Splats,
    motion: DeformField | None,
    cameras: Cameras,
    render: Rasterizer,
    background: Tensor | None = None,
    batch: int = 4,
) -> Float[Tensor, "V 3 H W"]:
    """Images in [0, 1] of the scene from `cameras` at their times; `splats` are canonical, with linear scales."""
    out = []
    for i in range(0, len(cameras), batch):
        part = cameras[i : i + batch]
        views = Views(part.viewmats, part.Ks, part.width, part.height)
        moved = splats
        if motion is not None:
            state = motion.offsets(splats.means, part.moments).apply(splats.means, splats.quats, splats.scales.log())
            moved = Splats(state[0], state[1], state[2].exp(), splats.opacities, splats.colors)
        out.append(render(moved, views, background).color.clamp(0, 1))
    return torch.cat(out)
