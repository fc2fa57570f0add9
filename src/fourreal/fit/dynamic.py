"""The objective of both of 4Real's stages: frames of frozen time through the warp, frames of running time through the
motion, one canonical set of Gaussians behind both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.geometry import se3_exp
from fourreal.deform.base import DeformField, Offsets
from fourreal.deform.losses import (
    Neighbours,
    arap,
    diff,
    neighbourhood,
    norm,
    rigidity,
    rotation_similarity,
    small,
    turns_of,
)
from fourreal.deform.nodes import NodeField
from fourreal.raster.base import Rasterizer, Splats, Views

from .loop import CHECK_EVERY, Evaluation, Objective
from .losses import IMAGE_LOSSES, SPLAT_LOSSES
from .phases import Phase
from .state import FitState
from .static import Targets

_NEIGHBOURS, _SAMPLED = 8, 2000
_LINKS = 12  # of each control node
_PAIRWISE = ("diff", "rigid", "rotation")


@dataclass(frozen=True, eq=False)
class Clips:
    """The two clips, with cameras.

    Attributes:
        freeze: frames of the frozen instant.
        reference: frames of running time, or None for a static scene; their cameras' times are in frames.
        canonical: the freeze frame that conditioned the others, which the warp leaves alone.
        instant: time of the freeze clip in frames of the reference clip; the motion is zero there.

    Raises:
        FieldError: if sizes differ or an index lies outside its clip.
    """

    freeze: Targets
    reference: Targets | None = None
    canonical: int = 0
    instant: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.canonical < len(self.freeze.cameras):
            raise FieldError(
                f"Clips.canonical must name one of {len(self.freeze.cameras)} frames, got {self.canonical}"
            )
        other = self.reference
        if other is not None and other.images.shape[-2:] != self.freeze.images.shape[-2:]:
            raise FieldError(
                f"both clips must have one size, got {list(self.freeze.images.shape[-2:])} and "
                f"{list(other.images.shape[-2:])}"
            )

    def to(self, device: torch.device) -> Clips:
        """The same on `device`."""

        def moved(targets: Targets) -> Targets:
            return Targets(targets.images.to(device), targets.cameras.to(device))

        reference = None if self.reference is None else moved(self.reference)
        return Clips(moved(self.freeze), reference, self.canonical, self.instant)

    def shrunk(self, factor: int) -> Clips:
        """Both at 1/`factor` of the size."""
        if factor == 1:
            return self
        reference = None if self.reference is None else self.reference.shrunk(factor)
        return Clips(self.freeze.shrunk(factor), reference, self.canonical, self.instant)


class CameraIncrements(nn.Module):
    """Small corrections of the freeze cameras, w2c' = exp(xi) w2c; none at the canonical frame, which fixes the gauge.

    Attributes:
        twists: [V, 6] parameter: rotation vector in radians and translation in `unit`s (order of `se3_exp`).
    """

    keep: Tensor
    scale: Tensor

    def __init__(self, count: int, canonical: int, unit: float, device: torch.device) -> None:
        super().__init__()
        self.twists = nn.Parameter(torch.zeros(count, 6, device=device))
        keep = torch.ones(count, 1, device=device)
        keep[canonical] = 0
        self.register_buffer("keep", keep)
        self.register_buffer("scale", torch.tensor([1.0, 1, 1, unit, unit, unit], device=device))

    def apply_to(self, viewmats: Float[Tensor, "C 4 4"], index: Int64[Tensor, " C"]) -> Float[Tensor, "C 4 4"]:
        """The corrected world-to-camera matrices of freeze frames `index`."""
        return se3_exp(self.twists[index] * self.keep[index] * self.scale) @ viewmats


@dataclass(eq=False)
class _Batch:
    """What one step renders: states, views and truth of freeze frames, then of reference frames."""

    splats: Splats
    views: Views
    truth: Tensor
    warp: Offsets | None
    motion: Offsets | None


def dynamic_objective(clips: Clips, render: Rasterizer, background: Tensor | None = None) -> Objective:
    """Compare random frames of both clips with renders of the state's Gaussians, deformed by its modules "warp" and
    "motion" as the phase says, from cameras corrected by its module "poses"; plus the phase's regularisers."""
    pyramid: dict[int, Clips] = {}
    nearby: dict[tuple[int, int, int], Neighbours] = {}
    links: list[tuple[Tensor, Neighbours]] = []

    def objective(state: FitState, phase: Phase) -> Evaluation:
        factor = phase.shrink_of(*clips.freeze.images.shape[-2:])
        level = pyramid.setdefault(factor, clips.shrunk(factor))
        batch = _draw(level, state, phase)
        rendering = render(batch.splats, batch.views, background, absgrad=phase.growth is not None)
        terms = {k: IMAGE_LOSSES[k](rendering.color, batch.truth) for k in phase.losses if k in IMAGE_LOSSES}
        opacities, drawn = batch.splats.opacities, (rendering.radii > 0).all(-1).any(0)
        terms |= {k: SPLAT_LOSSES[k](opacities, drawn) for k in phase.losses if k in SPLAT_LOSSES}
        if batch.warp is not None and "small" in phase.losses:
            terms["small"] = small(batch.warp, _unit(state, "warp"))
        if batch.motion is not None:
            terms |= _motion_terms(batch.motion, state, phase, nearby)
            terms |= _node_terms(state, phase, links)
        loss = torch.stack([phase.losses[k] * v for k, v in terms.items()]).sum()
        return Evaluation(loss, {k: v.detach() for k, v in terms.items()}, rendering)

    return objective


def _unit(state: FitState, name: str) -> Tensor:
    field = state.modules[name]
    assert isinstance(field, DeformField)
    return field.unit


def _motion_terms(
    motion: Offsets, state: FitState, phase: Phase, nearby: dict[tuple[int, int, int], Neighbours]
) -> dict[str, Float[Tensor, ""]]:
    """Regularisers of the motion; reference frames come in pairs of successive times."""
    means, unit = state.params["means"], _unit(state, "motion")
    terms: dict[str, Tensor] = {}
    if "norm" in phase.losses:
        terms["norm"] = norm(motion, unit)
    wanted = [k for k in _PAIRWISE if k in phase.losses]
    if not wanted:
        return terms
    key = (state.phase, state.step // CHECK_EVERY, len(means))  # a resumed run must find the same neighbours
    if key not in nearby:
        nearby.clear()
        nearby[key] = neighbourhood(means, _NEIGHBOURS)
    some = nearby[key].sample(_SAMPLED, state.generator)
    sums = dict.fromkeys(wanted, means.new_zeros(()))
    pairs = len(motion.means) // 2
    for i in range(pairs):
        pair = Offsets(*(v[2 * i : 2 * i + 2] for v in motion))
        moved, turns = means.detach() + pair.means, turns_of(pair)
        found = {
            "diff": lambda m=moved: diff(m, unit),
            "rigid": lambda m=moved, q=turns: rigidity(m, q, some, unit),
            "rotation": lambda q=turns: rotation_similarity(q, some),
        }
        for name in wanted:
            sums[name] = sums[name] + found[name]() / pairs
    return terms | sums


def _node_terms(state: FitState, phase: Phase, links: list[tuple[Tensor, Neighbours]]) -> dict[str, Float[Tensor, ""]]:
    """What only control nodes have. Those that move, and their neighbours, are found once: they stay the same."""
    field = state.modules["motion"]
    if "arap" not in phase.losses or not isinstance(field, NodeField):
        return {}
    if not links:
        index = (field.moves > 0).nonzero()[:, 0]
        if len(index) < 2:
            return {}
        links.append((index, neighbourhood(field.nodes[index], min(_LINKS, len(index) - 1))))
    index, near = links[0]
    return {"arap": arap(*field.placed(index), near, field.unit)}


def _draw(clips: Clips, state: FitState, phase: Phase) -> _Batch:
    p = state.params
    means, quats, log_scales = p["means"], p["quats"], p["log_scales"]
    states: list[tuple[Tensor, Tensor, Tensor]] = []
    matrices, ks, truth = [], [], []
    warp = motion = None
    if phase.views:
        index = _views(clips, state, phase).to(means.device)
        cameras = clips.freeze.cameras
        matrices.append(_corrected(state, cameras.viewmats[index], index))
        ks.append(cameras.Ks[index])
        truth.append(clips.freeze.images[index])
        if "warp" in phase.fields:
            warp = _field(state, "warp").offsets(means, index)
            states.append(warp.apply(means, quats, log_scales))
        else:
            states.append(tuple(v.expand(len(index), *v.shape) for v in (means, quats, log_scales)))  # type: ignore[arg-type]
    if phase.frames and clips.reference is not None:
        index = _pairs(len(clips.reference.cameras), phase.frames, state.generator).to(means.device)
        cameras = clips.reference.cameras
        matrices.append(cameras.viewmats[index])
        ks.append(cameras.Ks[index])
        truth.append(clips.reference.images[index])
        motion = _field(state, "motion").offsets(means, cameras.moments[index])
        states.append(motion.apply(means, quats, log_scales))
    size = clips.freeze.cameras
    views = Views(torch.cat(matrices), torch.cat(ks), size.width, size.height)
    opacities, colors = torch.sigmoid(p["logit_opacities"]), p["colors"]
    if warp is None and motion is None:  # one state for all views: faster
        splats = Splats(means, quats, log_scales.exp(), opacities, colors)
    else:
        moved = [torch.cat(column) for column in zip(*states, strict=True)]
        splats = Splats(moved[0], moved[1], moved[2].exp(), opacities, colors)
    return _Batch(splats, views, torch.cat(truth), warp, motion)


def _views(clips: Clips, state: FitState, phase: Phase) -> Int64[Tensor, " C"]:
    """Random freeze frames; half of the time the canonical one is among them where the others may warp.

    It alone shows the scene as it is: drawn as rarely as the rest, warps and cameras drift together and leave it
    behind. Reference frames share its camera, so it needs no help beside them.
    """
    index = torch.randperm(len(clips.freeze.cameras), generator=state.generator)[: phase.views]
    if "warp" in phase.fields and not phase.frames and float(torch.rand((), generator=state.generator)) < 0.5:
        index = torch.cat((index.new_tensor([clips.canonical]), index[index != clips.canonical]))[: phase.views]
    return index


def _field(state: FitState, name: str) -> DeformField:
    field = state.modules[name]
    assert isinstance(field, DeformField)
    return field


def _corrected(state: FitState, viewmats: Tensor, index: Tensor) -> Tensor:
    poses = state.modules.get("poses")
    return poses.apply_to(viewmats, index) if isinstance(poses, CameraIncrements) else viewmats


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
