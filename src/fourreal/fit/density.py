"""Density control without state of its own: statistics go in and come out, parameters and Adam moments change together.

Own operations in the style of gsplat's `strategy/ops.py`, because gsplat is an optional CUDA package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from fourreal.core.geometry import quat_to_matrix
from fourreal.raster.base import Rendering

from .bounds import Bounds
from .phases import Growth


class GrowthStats(NamedTuple):
    """Screen-space gradients gathered since the last round of growth."""

    grads: Tensor  # [N] sum over views of the norm of the (absolute) 2D gradient, normalised device units
    counts: Tensor  # [N] number of views that drew the Gaussian

    @classmethod
    def zeros(cls, means: Tensor) -> GrowthStats:
        """Nothing gathered yet for the Gaussians at `means` [N, 3]."""
        zero = torch.zeros(means.shape[0], device=means.device)
        return cls(zero, zero.clone())


def accumulate(stats: GrowthStats, rendering: Rendering, rows: Int64[Tensor, "C M"] | None = None) -> GrowthStats:
    """`stats` with one more backward pass; needs `rendering.means2d.grad`, or `.absgrad`.

    `rows` are those of the Gaussians that each view was drawn from, if these are not all.

    Absolute gradients are preferred (AbsGS, arXiv 2404.10484). As in gsplat, gradients are scaled from pixels to
    normalised device units and by the number of views, so that thresholds mean the same at every size and batch.
    """
    means2d = rendering.means2d
    grad = getattr(means2d, "absgrad", None)
    if grad is None:
        grad = means2d.grad
    assert grad is not None, "call means2d.retain_grad() before backward()"
    views, height, width = rendering.color.shape[0], *rendering.color.shape[2:]
    drawn = (rendering.radii > 0).all(-1)  # [C, N]
    x, y = (side / 2 * views * part for side, part in zip((width, height), grad.detach().unbind(-1), strict=True))
    norms = torch.stack([x, y], -1).norm(dim=-1) * drawn
    if rows is None:
        return GrowthStats(stats.grads + norms.sum(0), stats.counts + drawn.sum(0))
    more = norms, drawn.to(stats.counts)
    return GrowthStats(*(v.index_add(0, rows.flatten(), w.flatten()) for v, w in zip(stats, more, strict=True)))


class GrowthReport(NamedTuple):
    """What one round of `grow` did."""

    cloned: int
    split: int
    pruned: int
    total: int


def grow(
    params: dict[str, Tensor],
    optimizer: torch.optim.Adam,
    stats: GrowthStats,
    growth: Growth,
    bounds: Bounds,
    generator: torch.Generator,
    add: bool = True,
    held: int = 0,
) -> GrowthReport:
    """Clone, split and prune in place: `params` gets new leaf tensors and `optimizer` matching moments.

    Small Gaussians with large gradients are cloned, large ones replaced by two samples of themselves at 1/1.6 of the
    scale (3DGS, section 5.2). New rows start with zero moments. `generator` is a CPU generator. The first `held` are
    neither split nor pruned; large ones among them are cloned too.
    """
    means = params["means"].detach()
    device = means.device
    chosen = _candidates(stats, growth) if add else torch.zeros(len(means), dtype=torch.bool, device=device)
    large = params["log_scales"].detach().amax(1).exp() > growth.split_extent * bounds.extent
    large[:held] = False
    clone, split = (chosen & ~large).nonzero().flatten(), (chosen & large).nonzero().flatten()
    noise = torch.randn(2, len(split), 3, generator=generator).to(device)
    added = _concatenate(_rows(params, clone), _split_rows(params, split, noise))

    keep = _worth_keeping(params, growth, bounds)
    keep[:held] = True
    pruned = int((~keep).sum())
    keep[split] = False
    survivors = keep.nonzero().flatten()
    for name in list(params):
        replace_rows(params, optimizer, name, survivors, added[name])
    return GrowthReport(len(clone), len(split), pruned, len(params["means"]))


def replace_rows(
    params: dict[str, Tensor], optimizer: torch.optim.Adam, name: str, survivors: Tensor, added: Tensor
) -> None:
    """`params[name]` becomes rows `survivors` followed by `added`; Adam's moments follow, new rows get zeros."""
    old = params[name]
    new = torch.cat([old.detach()[survivors], added]).requires_grad_()
    moments = optimizer.state.pop(old, {})
    for key, value in moments.items():
        if value.shape == old.shape:
            moments[key] = torch.cat([value[survivors], torch.zeros_like(added)])
    if moments:
        optimizer.state[new] = moments
    group = next(g for g in optimizer.param_groups if g["name"] == name)
    group["params"] = [new]
    params[name] = new


def _candidates(stats: GrowthStats, growth: Growth) -> Tensor:
    """[N] which Gaussians grow: above the threshold, within the budget, largest mean gradient first."""
    mean = stats.grads / stats.counts.clamp(min=1)
    total = len(mean)
    room = max(0, min(growth.max_gaussians - total, int(growth.max_share * total)))
    chosen = torch.zeros(total, dtype=torch.bool, device=mean.device)
    best = mean.topk(min(room, total)).indices
    chosen[best] = mean[best] > growth.grad_threshold
    return chosen


def _rows(params: Mapping[str, Tensor], index: Tensor) -> dict[str, Tensor]:
    return {k: v.detach()[index] for k, v in params.items()}


def _split_rows(params: Mapping[str, Tensor], index: Tensor, noise: Tensor) -> dict[str, Tensor]:
    """Two rows for each of `index`, at samples of the Gaussian (noise [2, M, 3] standard normal), scaled by 1/1.6."""
    rows = _rows(params, index)
    offsets = noise * rows["log_scales"].exp()
    rotation = quat_to_matrix(rows["quats"])
    moved = rows["means"] + (rotation @ offsets[..., None]).squeeze(-1)  # [2, M, 3]
    rows = {k: torch.cat([v, v]) for k, v in rows.items()}
    rows["means"] = moved.flatten(0, 1)
    rows["log_scales"] = rows["log_scales"] - torch.tensor(1.6).log().item()
    return rows


def _concatenate(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k: torch.cat([v, second[k]]) for k, v in first.items()}


def _worth_keeping(params: Mapping[str, Tensor], growth: Growth, bounds: Bounds) -> Tensor:
    """[N] opaque enough, not larger than the scene allows at that distance from its centre, and not before a lens."""
    opaque = torch.sigmoid(params["logit_opacities"].detach()) >= growth.min_opacity
    largest = params["log_scales"].detach().amax(1).exp()
    means = params["means"].detach()
    worth = opaque & (largest <= growth.max_extent * means.norm(dim=1).clamp(min=bounds.extent))
    return worth if bounds.lens is None else worth & ~bounds.lens.veiled_by(means)
