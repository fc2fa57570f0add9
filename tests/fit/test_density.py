"""Growth keeps the picture, follows the budget, prunes the invisible, and carries Adam's moments along."""

from __future__ import annotations

import torch

from fourreal.core.gaussians import Gaussians
from fourreal.fit.density import GrowthStats, accumulate, grow
from fourreal.fit.phases import Growth
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets, render_cameras, views_of
from fourreal.raster.numba_cpu import render


def primed(start: Gaussians, targets: Targets) -> tuple[FitState, GrowthStats]:
    """A state whose optimiser has moments, and the statistics of one backward pass over all views."""
    state = FitState.begin(start, 2.0, seed=0)
    rendering = render(state.splats(), views_of(targets.cameras), absgrad=True)
    rendering.means2d.retain_grad()
    (rendering.color - targets.images).abs().mean().backward()
    stats = accumulate(GrowthStats.zeros(start.means), rendering)
    state.optimizer.step()
    return state, stats


def run_grow(state: FitState, stats: GrowthStats, growth: Growth, **more: bool):
    return grow(state.params, state.optimizer, stats, growth, state.bounds, state.generator, **more)


def test_statistics_count_views_and_are_positive_where_seen(start: Gaussians, targets: Targets) -> None:
    _, stats = primed(start, targets)
    assert int(stats.counts.max()) == len(targets.cameras)
    assert bool((stats.grads[stats.counts == 0] == 0).all())
    assert float(stats.grads.median()) > 0


def test_the_largest_gradients_grow_within_the_budget(start: Gaussians, targets: Targets) -> None:
    state, stats = primed(start, targets)
    report = run_grow(state, stats, Growth(grad_threshold=0.0, max_gaussians=len(start) + 10, max_share=1.0))
    assert report.cloned + report.split == 10
    assert report.total == len(start) + 10 - report.pruned
    assert all(len(p) == report.total for p in state.params.values())


def test_small_ones_are_cloned_and_large_ones_split_smaller(start: Gaussians, targets: Targets) -> None:
    state, stats = primed(start, targets)
    size = start.scales.amax(1)
    threshold = float(size.median()) / 2.0  # in extents of 2
    report = run_grow(state, stats, Growth(grad_threshold=0.0, max_share=1.0, split_extent=threshold))
    assert report.cloned > 0
    assert report.split > 0
    assert float(state.params["log_scales"].detach().exp().amax()) < float(size.max())


def test_transparent_gaussians_go_and_the_picture_stays(start: Gaussians, targets: Targets) -> None:
    tensors = start.tensors() | {"logit_opacities": start.logit_opacities.clone()}
    tensors["logit_opacities"][:20] = -8.0  # opacity 3e-4: below one grey level
    start = Gaussians(**tensors)
    state = FitState.begin(start, 2.0, seed=0)
    report = run_grow(state, GrowthStats.zeros(start.means), Growth(), add=False)
    assert (report.pruned, report.total) == (20, len(start) - 20)
    before = render_cameras(start, targets.cameras, render)
    after = render_cameras(state.gaussians(), targets.cameras, render)
    torch.testing.assert_close(after, before, atol=1e-6, rtol=0)


def test_adam_moments_follow_their_rows(start: Gaussians, targets: Targets) -> None:
    state, stats = primed(start, targets)
    before = {k: state.optimizer.state[p]["exp_avg"].clone() for k, p in state.params.items()}
    report = run_grow(state, stats, Growth(grad_threshold=0.0, max_gaussians=len(start) + 10, max_share=1.0))
    kept = len(start) - report.split - report.pruned
    for name, param in state.params.items():
        moments = state.optimizer.state[param]["exp_avg"]
        assert moments.shape == param.shape
        assert bool((moments[kept:] == 0).all()), "new rows start with zero moments"
        rows = {tuple(r.flatten().tolist()) for r in before[name].reshape(len(start), -1)}
        assert {tuple(r.flatten().tolist()) for r in moments[:kept].reshape(kept, -1)} <= rows
    assert len(state.optimizer.state) == len(state.params), "no moments of parameters that are gone"
