"""Which Gaussians a picture may show: the others are neither deformed nor drawn for it.

Half of a scene that a camera has circled lies outside of any one picture. A network that deforms each Gaussian for each
picture is most of a step's work.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from fourreal.raster.base import NEAR, Views

from .clips import Clips
from .formed import Canonical, corrected, field_of, motion_of
from .phases import Phase
from .state import FitState

_SIGMAS = 3.4  # as far as a Gaussian is drawn (gsplat: 3.33), and the blur of a pixel
_LARGER = 1.3  # a warp may make it so much larger
_MARGIN = 0.05  # of a picture's width, by which what it may show lies beside it: what moves is looked for now and then
_STRAY = 0.02  # scene extents, likewise
_SPARE = 1.02  # so many more are taken as were found
_AT_ONCE = 4  # times for which all Gaussians are deformed


class Shown(NamedTuple):
    """Rows of the Gaussians that pictures may show.

    Attributes:
        views: [V, M] int64 for each frame of the freeze-time clip; None if not asked for.
        frames: [M] int64 for all frames of the reference clip; None if not asked for.
    """

    views: Tensor | None
    frames: Tensor | None


@torch.no_grad()
def shown_rows(clips: Clips, state: FitState, phase: Phase, least: int = 0) -> Shown:
    """What the pictures of a phase may show of the state's Gaussians, in ascending order, as many rows for each.

    Where a picture shows fewer, others drawn at random fill its rows. So shapes hold still while the set grows, and
    regularisers reach all. `least` rows, if they suffice and are not many more than that.
    """
    found = [
        _of_views(clips, state) if phase.views else None,
        _of_frames(clips, state) if phase.frames and clips.reference is not None else None,
    ]
    some = [v for v in found if v is not None]
    count = room(max(int(v.sum(1).max()) for v in some), some[0].shape[1])
    count = least if 0.8 * least <= count <= least <= some[0].shape[1] else count
    views, frames = (None if v is None else rows_of(v, count, state.generator) for v in found)
    return Shown(views, None if frames is None else frames[0])


def room(count: int, total: int) -> int:
    """Rows for `count` Gaussians of `total`: a few more, a multiple of 32, and one of few numbers."""
    wanted = int(_SPARE * count) + 1
    step = 1 << max(5, wanted.bit_length() - 4)
    return min(total, -(-wanted // step) * step)


def rows_of(shown: Bool[Tensor, "C N"], count: int, generator: torch.Generator) -> Int64[Tensor, "C M"]:
    """Rows, ascending, of `count` Gaussians for each picture: those shown, and others at random (CPU generator)."""
    order = torch.randperm(shown.shape[1], generator=generator).to(shown.device)
    mixed = shown[:, order]
    others = (~mixed).cumsum(1) <= count - mixed.sum(1, keepdim=True)
    taken = torch.zeros_like(shown).scatter_(1, order.expand_as(shown), mixed | others)
    return taken.nonzero()[:, 1].unflatten(0, (len(shown), count))


def may_show(
    means: Float[Tensor, "C N 3"], reach: Float[Tensor, "*C N"], views: Views, stray: float
) -> Bool[Tensor, "C N"]:
    """Whether Gaussians may be drawn in each of the views, with a margin.

    Args:
        means: centres, as each view has them.
        reach: standard deviations along the longest axis.
        views: cameras.
        stray: world units by which a centre may be elsewhere.
    """
    points = torch.einsum("cij,cnj->cni", views.viewmats[:, :3, :3], means) + views.viewmats[:, None, :3, 3]
    depth = points[..., 2].clamp_min(NEAR)
    size = means.new_tensor([views.width, views.height])
    focal = torch.stack([views.Ks[:, 0, 0], views.Ks[:, 1, 1]], -1)
    # A splat is as long as its Jacobian's rows say, at places up to 0.65 pictures from the middle (EWA, as in gsplat).
    slant = (1 + (0.65 * size / focal).square().sum(-1)).sqrt()[:, None]
    pixels = torch.einsum("cij,cnj->cni", views.Ks[:, :2], torch.cat([points[..., :2], depth[..., None]], -1))
    beside = (_SIGMAS * slant * reach + stray)[..., None] * focal[:, None] / depth[..., None] + _MARGIN * size.max()
    inside = (pixels / depth[..., None] - size / 2).abs() < size / 2 + beside
    return inside.all(-1) & (points[..., 2] > NEAR - stray)


def _of_views(clips: Clips, state: FitState) -> Bool[Tensor, "V N"]:
    """For each freeze frame."""
    c, p = clips.freeze.cameras, Canonical.of(state)
    index = torch.arange(len(c), device=p.means.device)
    views = Views(corrected(state, c.viewmats, index), c.Ks, c.width, c.height)
    reach = _LARGER * p.log_scales.amax(1).exp()
    return may_show(p.means.expand(len(c), -1, -1), reach, views, _STRAY * state.extent)


def _of_frames(clips: Clips, state: FitState) -> Bool[Tensor, "1 N"]:
    """For all reference frames together, at all their times."""
    assert clips.reference is not None
    c, p, motion = clips.reference.cameras, Canonical.of(state), motion_of(state)
    found = torch.zeros(len(p.means), dtype=torch.bool, device=p.means.device)
    for some in torch.arange(len(c), device=p.means.device).split(_AT_ONCE):
        means, _, log_scales = (v.expand(len(some), *v.shape) for v in p[:3])
        if motion is not None:
            means, _, log_scales = field_of(state, "motion").offsets(p.means, c.moments[some]).apply(*p[:3])
        views = Views(c.viewmats[some], c.Ks[some], c.width, c.height)
        reach = _LARGER * log_scales.amax(-1).exp()
        found |= may_show(means, reach, views, _STRAY * state.extent).any(0)
    return found[None]
