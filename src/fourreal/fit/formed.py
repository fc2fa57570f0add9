"""What one step of the dynamic fit renders: tensors of the state and of what was chosen, nothing random, no waiting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from fourreal.core.geometry import se3_exp
from fourreal.deform.base import DeformField, Offsets
from fourreal.deform.losses import Neighbours, arap, diff, norm, rigidity, rotation_similarity, small, turns_of
from fourreal.deform.nodes import NodeField
from fourreal.raster.base import Splats, Views

from .clips import Clips
from .phases import Phase
from .state import FitState

PAIRWISE = ("diff", "rigid", "rotation")  # losses between successive times


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


class Choice(NamedTuple):
    """What a step looks at, on the device.

    Attributes:
        views: [V] int64 freeze frames; None for none.
        frames: [T] int64 reference frames, in pairs of successive ones, of which a phase with one frame a step draws
            the first alone; None for none.
        near: neighbouring Gaussians that should move together; None if no loss asks.
        links: control nodes that may move, and their neighbours; None if no loss asks.
    """

    views: Tensor | None
    frames: Tensor | None
    near: Neighbours | None
    links: tuple[Tensor, Neighbours] | None

    def tensors(self) -> list[Tensor]:
        """All of them in a row."""
        near = self.near or ()
        links = () if self.links is None else (self.links[0], *self.links[1])
        return [v for v in (self.views, self.frames, *near, *links) if v is not None]

    def holding(self, tensors: Sequence[Tensor]) -> Choice:
        """The same choice with other `tensors`, in the order of the method of that name."""
        rest = iter(tensors)

        def next_for(value: Tensor | None) -> Tensor | None:
            return None if value is None else next(rest)

        views, frames = next_for(self.views), next_for(self.frames)
        near = None if self.near is None else Neighbours(*(next(rest) for _ in self.near))
        links = None if self.links is None else (next(rest), Neighbours(*(next(rest) for _ in self.links[1])))
        return Choice(views, frames, near, links)


class Formed(NamedTuple):
    """What a step renders and compares: states, views and truth of freeze frames, then of reference frames.

    Attributes:
        splats: deformed, one state a view, or one for all.
        views: cameras.
        truth: [C, 3, H, W].
        terms: regularisers by name.
    """

    splats: Splats
    views: Views
    truth: Tensor
    terms: dict[str, Float[Tensor, ""]]

    def tensors(self) -> dict[str, Tensor]:
        """All of them by name, terms last."""
        cameras = {"viewmats": self.views.viewmats, "Ks": self.views.Ks}
        return {**self.splats._asdict(), **cameras, "truth": self.truth, **self.terms}

    @classmethod
    def holding(cls, tensors: Mapping[str, Tensor], width: int, height: int) -> Formed:
        """From the `tensors` of that name, and the pictures' size in pixels."""
        rest = dict(tensors)
        splats = Splats(*(rest.pop(k) for k in Splats._fields))
        views = Views(rest.pop("viewmats"), rest.pop("Ks"), width, height)
        return cls(splats, views, rest.pop("truth"), rest)


def formed(state: FitState, phase: Phase, clips: Clips, choice: Choice) -> Formed:
    """The state's Gaussians as the chosen frames see them, and what their deformations cost."""
    p = state.params
    means, quats, log_scales = p["means"], p["quats"], p["log_scales"]
    states: list[tuple[Tensor, Tensor, Tensor]] = []
    matrices, ks, truth = [], [], []
    terms: dict[str, Tensor] = {}
    deformed = False
    if (index := choice.views) is not None:
        cameras = clips.freeze.cameras
        matrices.append(_corrected(state, cameras.viewmats[index], index))
        ks.append(cameras.Ks[index])
        truth.append(clips.freeze.images[index])
        if "warp" in phase.fields:
            field, deformed = field_of(state, "warp"), True
            warp = field.offsets(means, index)
            states.append(warp.apply(means, quats, log_scales))
            terms |= {"small": small(warp, field.unit)} if "small" in phase.losses else {}
        else:
            states.append(tuple(v.expand(len(index), *v.shape) for v in (means, quats, log_scales)))  # type: ignore[arg-type]
    if (index := choice.frames) is not None and clips.reference is not None:
        cameras, drawn = clips.reference.cameras, index[:1] if phase.frames == 1 else index
        matrices.append(cameras.viewmats[drawn])
        ks.append(cameras.Ks[drawn])
        truth.append(clips.reference.images[drawn])
        field, deformed = field_of(state, "motion"), True
        motion = field.offsets(means, cameras.moments[index])
        states.append(Offsets(*(v[: len(drawn)] for v in motion)).apply(means, quats, log_scales))
        terms |= _motion_terms(motion, means.detach(), field, phase, choice)
    size = clips.freeze.cameras
    views = Views(torch.cat(matrices), torch.cat(ks), size.width, size.height)
    opacities, colors = torch.sigmoid(p["logit_opacities"]), p["colors"]
    if deformed:
        means, quats, log_scales = (torch.cat(column) for column in zip(*states, strict=True))
    # else one state for all views: faster
    return Formed(Splats(means, quats, log_scales.exp(), opacities, colors), views, torch.cat(truth), terms)


def field_of(state: FitState, name: str) -> DeformField:
    """A deformation among the state's modules."""
    field = state.modules[name]
    assert isinstance(field, DeformField)
    return field


def motion_of(state: FitState) -> DeformField | None:
    """The deformation over time, if the state has one."""
    return field_of(state, "motion") if "motion" in state.modules else None


def _corrected(state: FitState, viewmats: Tensor, index: Tensor) -> Tensor:
    poses = state.modules.get("poses")
    return poses.apply_to(viewmats, index) if isinstance(poses, CameraIncrements) else viewmats


def _motion_terms(
    motion: Offsets, means: Tensor, field: DeformField, phase: Phase, choice: Choice
) -> dict[str, Float[Tensor, ""]]:
    """Regularisers of the motion; reference frames come in pairs of successive times."""
    unit = field.unit
    terms: dict[str, Tensor] = {"norm": norm(motion, unit)} if "norm" in phase.losses else {}
    wanted, some = [k for k in PAIRWISE if k in phase.losses], choice.near
    if wanted and some is not None:
        sums = dict.fromkeys(wanted, means.new_zeros(()))
        pairs = len(motion.means) // 2
        for i in range(pairs):
            pair = Offsets(*(v[2 * i : 2 * i + 2] for v in motion))
            moved, turns = means + pair.means, turns_of(pair)
            found = {
                "diff": lambda m=moved: diff(m, unit),
                "rigid": lambda m=moved, q=turns: rigidity(m, q, some, unit),
                "rotation": lambda q=turns: rotation_similarity(q, some),
            }
            for name in wanted:
                sums[name] = sums[name] + found[name]() / pairs
        terms |= sums
    if choice.links is not None and isinstance(field, NodeField):
        index, near = choice.links
        terms["arap"] = arap(*field.placed(index), near, unit)
    return terms
