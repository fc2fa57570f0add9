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


class Canonical(NamedTuple):
    """Gaussians as the state has them, all or some."""

    means: Tensor  # [(V,) N, 3]
    quats: Tensor  # [(V,) N, 4]
    log_scales: Tensor  # [(V,) N, 3]
    logit_opacities: Tensor  # [(V,) N]
    colors: Tensor  # [(V,) N, 3]

    @staticmethod
    def of(state: FitState, rows: Tensor | None = None) -> Canonical:
        """All Gaussians of a state, or some: `rows` as `taken` returns them."""
        p = state.params
        if rows is None:
            return Canonical(p["means"], p["quats"], p["log_scales"], p["logit_opacities"], p["colors"])
        means, quats, log_scales, logit_opacities, colors = rows.split([3, 4, 3, 1, 3], -1)
        return Canonical(means, quats, log_scales, logit_opacities[..., 0], colors)


def taken(state: FitState, rows: Int64[Tensor, "*B M"]) -> Float[Tensor, "*B M 14"]:
    """The parameters of the Gaussians `rows`, side by side."""
    p = Canonical.of(state)
    side = torch.cat([*p[:3], p.logit_opacities[:, None], p.colors], 1)
    return side.index_select(0, rows.flatten()).unflatten(0, rows.shape)


class Choice(NamedTuple):
    """What a step looks at, on the device.

    Attributes:
        views: [V] int64 freeze frames; None for none.
        frames: [T] int64 reference frames, in pairs of successive ones, of which a phase with one frame a step draws
            the first alone; None for none.
        near: neighbouring Gaussians that should move together; None if no loss asks.
        links: control nodes that may move, and their neighbours; None if no loss asks.
        of_views: [V, M, 14] the Gaussians that each view is drawn from (`taken`); None for all.
        of_frames: [M, 14] those that the frames are drawn from, and that `near` counts; None for all.
    """

    views: Tensor | None
    frames: Tensor | None
    near: Neighbours | None
    links: tuple[Tensor, Neighbours] | None
    of_views: Tensor | None = None
    of_frames: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """All of them in a row."""
        near = self.near or ()
        links = () if self.links is None else (self.links[0], *self.links[1])
        return [v for v in (self.views, self.frames, *near, *links, self.of_views, self.of_frames) if v is not None]

    def holding(self, tensors: Sequence[Tensor]) -> Choice:
        """The same choice with other `tensors`, in the order of the method of that name."""
        rest = iter(tensors)

        def next_for(value: Tensor | None) -> Tensor | None:
            return None if value is None else next(rest)

        views, frames = next_for(self.views), next_for(self.frames)
        near = None if self.near is None else Neighbours(*(next(rest) for _ in self.near))
        links = None if self.links is None else (next(rest), Neighbours(*(next(rest) for _ in self.links[1])))
        return Choice(views, frames, near, links, next_for(self.of_views), next_for(self.of_frames))


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
    parts: list[_Part] = []
    if choice.views is not None:
        parts.append(_of_views(state, phase, clips, choice))
    if choice.frames is not None and clips.reference is not None:
        parts.append(_of_frames(state, phase, clips, choice))
    states, sources, matrices, ks, truth, terms = zip(*parts, strict=True)
    counts, size = [len(v) for v in matrices], clips.freeze.cameras
    views = Views(torch.cat(matrices), torch.cat(ks), size.width, size.height)
    shared = choice.of_views is None and choice.of_frames is None and not (phase.led and len(parts) > 1)
    if shared:
        opacities, colors = torch.sigmoid(sources[0].logit_opacities), sources[0].colors
    else:
        logits, colors = (_each([p[k] for p in sources], counts, k - 2) for k in (3, 4))
        opacities = torch.sigmoid(logits)
    if any(v is not None for v in states) or colors.dim() > 2:
        moved = [v or p[:3] for v, p in zip(states, sources, strict=True)]
        means, quats, log_scales = (_each(column, counts, 2) for column in zip(*moved, strict=True))
    else:  # one state for all views: faster
        means, quats, log_scales = sources[0][:3]
    costs = {k: v for part in terms for k, v in part.items()}
    return Formed(Splats(means, quats, log_scales.exp(), opacities, colors), views, torch.cat(truth), costs)


class _Part(NamedTuple):
    """What is formed for the frames of one clip."""

    moved: tuple[Tensor, Tensor, Tensor] | None  # deformed means, quats, log_scales; None if nothing is
    source: Canonical
    viewmats: Tensor
    Ks: Tensor
    truth: Tensor
    terms: dict[str, Float[Tensor, ""]]


def _each(columns: Sequence[Tensor], counts: Sequence[int], trailing: int) -> Tensor:
    """One tensor with a row a frame, of one a clip; those with `trailing` dimensions are shared by its frames."""
    wide = [v.expand(count, *v.shape) if v.dim() == trailing else v for v, count in zip(columns, counts, strict=True)]
    return torch.cat(wide)


def _of_views(state: FitState, phase: Phase, clips: Clips, choice: Choice) -> _Part:
    """Freeze frames, warped if the phase says so."""
    assert choice.views is not None
    index, cameras, source = choice.views, clips.freeze.cameras, Canonical.of(state, choice.of_views)
    moved, terms = None, {}
    if "warp" in phase.fields:
        field = field_of(state, "warp")
        warp = field.offsets(source.means, index)
        moved = warp.apply(*source[:3])
        terms = {"small": small(warp, field.unit)} if "small" in phase.losses else {}
    truth = clips.freeze.images[index]
    return _Part(moved, source, corrected(state, cameras.viewmats[index], index), cameras.Ks[index], truth, terms)


def _of_frames(state: FitState, phase: Phase, clips: Clips, choice: Choice) -> _Part:
    """Reference frames, in motion."""
    assert choice.frames is not None
    assert clips.reference is not None
    index, cameras, source = choice.frames, clips.reference.cameras, Canonical.of(state, choice.of_frames)
    if phase.led:
        source = Canonical(*(v.detach() for v in source))
    drawn = index[:1] if phase.frames == 1 else index
    field = field_of(state, "motion")
    motion = field.offsets(source.means, cameras.moments[index])
    moved = Offsets(*(v[: len(drawn)] for v in motion)).apply(*source[:3])
    terms = _motion_terms(motion, source.means.detach(), field, phase, choice)
    return _Part(moved, source, cameras.viewmats[drawn], cameras.Ks[drawn], clips.reference.images[drawn], terms)


def field_of(state: FitState, name: str) -> DeformField:
    """A deformation among the state's modules."""
    field = state.modules[name]
    assert isinstance(field, DeformField)
    return field


def motion_of(state: FitState) -> DeformField | None:
    """The deformation over time, if the state has one."""
    return field_of(state, "motion") if "motion" in state.modules else None


def corrected(state: FitState, viewmats: Float[Tensor, "C 4 4"], index: Int64[Tensor, " C"]) -> Float[Tensor, "C 4 4"]:
    """The world-to-camera matrices of freeze frames `index` with the increments that the state has for them."""
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
