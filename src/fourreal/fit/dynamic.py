"""The objective of both of 4Real's stages: frames of frozen time through the warp, frames of running time through the
motion, one canonical set of Gaussians behind both."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.record import Recorder
from fourreal.deform.base import DeformField
from fourreal.raster.base import Rasterizer, Rendering, Splats, Views
from fourreal.raster.choose import recorded

from .choosing import Chooser
from .clips import Clips
from .formed import Choice, Formed, formed
from .loop import Evaluation, Objective
from .losses import IMAGE_LOSSES, SPLAT_LOSSES
from .phases import Phase
from .state import FitState


def dynamic_objective(
    clips: Clips, render: Rasterizer, background: Tensor | None = None, *, shown_only: bool = False
) -> Objective:
    """Compare random frames of both clips with renders of the state's Gaussians, deformed by its modules "warp" and
    "motion" as the phase says, from cameras corrected by its module "poses"; plus the phase's regularisers.

    With `shown_only`, for fields that are networks, a picture's Gaussians are those alone that it may show (`shown`),
    and regularisers are means over those, and over a few of the others, drawn at random.
    """
    pyramid: dict[int, Clips] = {}
    choose, recorder = Chooser(shown_only), Recorder()
    draw = recorded(render, recorder)

    def objective(state: FitState, phase: Phase) -> Evaluation:
        factor = phase.shrink_of(*clips.freeze.images.shape[-2:])
        level = pyramid.setdefault(factor, clips.shrunk(factor))
        recorder.begin(phase, level)
        choice, rows = choose(level, state, phase)
        now = _formed(recorder, state, phase, level, choice)
        rendering = draw(now.splats, now.views, background, absgrad=phase.growth is not None)
        loss, terms = _measured(recorder, phase, now, rendering)
        return Evaluation(loss, terms, rendering, rows)

    return objective


def _formed(recorder: Recorder, state: FitState, phase: Phase, clips: Clips, choice: Choice) -> Formed:
    """`formed`, recorded."""

    def function(*tensors: Tensor) -> dict[str, Tensor]:
        return formed(state, phase, clips, choice.holding(tensors)).tensors()

    own = [p for m in state.modules.values() for p in m.parameters()]
    leaves = own if choice.of_views is not None or choice.of_frames is not None else [*state.params.values(), *own]
    size = clips.freeze.cameras
    return Formed.holding(recorder.run("formed", function, leaves, *choice.tensors()), size.width, size.height)


def _measured(
    recorder: Recorder, phase: Phase, now: Formed, rendering: Rendering
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """The loss, and its unweighted terms by name, detached; recorded."""
    of_images = [k for k in phase.losses if k in IMAGE_LOSSES]
    of_splats = [k for k in phase.losses if k in SPLAT_LOSSES]
    names = [*of_images, *of_splats, *now.terms]

    def function(color: Tensor, truth: Tensor, *rest: Tensor) -> dict[str, Tensor]:
        values = [IMAGE_LOSSES[k](color, truth) for k in of_images]
        if of_splats:
            (radii, opacities), rest = rest[:2], rest[2:]
            drawn = (radii > 0).all(-1)
            drawn = drawn.any(0) if opacities.dim() == 1 else drawn
            values += [SPLAT_LOSSES[k](opacities, drawn) for k in of_splats]
        values += rest
        loss = torch.stack([phase.losses[k] * v for k, v in zip(names, values, strict=True)]).sum()
        return {"loss": loss, "terms": torch.stack(values).detach()}

    of_gaussians = (rendering.radii, now.splats.opacities) if of_splats else ()  # whose number changes
    found = recorder.run("losses", function, (), rendering.color, now.truth, *of_gaussians, *now.terms.values())
    return found["loss"], dict(zip(names, found["terms"].clone().unbind(), strict=True))


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
