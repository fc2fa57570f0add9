"""Pictures drawn from what they may show alone are the same pictures, with the same gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.core.gaussians import Gaussians
from fourreal.deform import MlpConfig
from fourreal.fit.checkpoint import load_checkpoint, save_checkpoint
from fourreal.fit.clips import Clips
from fourreal.fit.density import GrowthStats, accumulate
from fourreal.fit.dynamic import dynamic_objective
from fourreal.fit.formed import CameraIncrements
from fourreal.fit.loop import Objective, fit
from fourreal.fit.phases import Growth, Phase, Rate
from fourreal.fit.shown import may_show, room, rows_of, shown_rows
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets, views_of
from fourreal.raster.base import Splats
from fourreal.raster.numba_cpu import render

FRAMES = 4
RATE = Rate(1e-3, 1e-3)
RATES = dict.fromkeys(("means", "quats", "log_scales", "logit_opacities", "colors", "warp", "motion", "poses"), RATE)
JOINT = Phase("joint", 12, RATES, {"l1": 0.8, "dssim": 0.2}, views=2, frames=2, fields=("warp", "motion"))


@pytest.fixture(scope="module")
def clips(targets: Targets) -> Clips:
    """Narrow views, each of a part of the scene."""
    Ks = targets.cameras.Ks.clone()
    Ks[:, :2, :2] *= 4
    narrow = Targets(targets.images, replace(targets.cameras, Ks=Ks))
    cameras = replace(narrow.cameras[[0] * FRAMES], times=torch.arange(FRAMES * 1.0))
    return Clips(narrow, Targets(narrow.images[:1].expand(FRAMES, -1, -1, -1).clone(), cameras))


def begun(start: Gaussians, clips: Clips, size: float = 0.02) -> FitState:
    """A state whose fields and cameras are a little off zero."""
    kind = MlpConfig(layers=3, width=16, skip=1)
    views = len(clips.freeze.cameras)
    modules = {
        "warp": replace(kind, discrete=True).build(start.means, views),
        "motion": kind.build(start.means, FRAMES),
        "poses": CameraIncrements(views, 0, 1.0, torch.device("cpu")),
    }
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in modules.values():
            for value in module.parameters():
                value.add_(size * torch.randn(value.shape, generator=generator))
    return FitState.begin(start, 1.0, 0, modules)  # type: ignore[arg-type]


def wide(start: Gaussians) -> Gaussians:
    """Those of `start` spread out, some of them large."""
    scale = torch.where(torch.arange(len(start)) % 9 == 0, 1.2, 0.0)
    return replace(start, means=3 * start.means, log_scales=start.log_scales + scale[:, None])


@pytest.mark.parametrize("zoom", [0.3, 1.0, 5.0])
def test_nothing_that_is_drawn_is_missed(clips: Clips, start: Gaussians, zoom: float) -> None:
    scene, views = wide(start), views_of(clips.freeze.cameras)
    Ks = views.Ks.clone()
    Ks[:, :2, :2] *= zoom
    views = views._replace(Ks=Ks)
    drawn = (render(Splats.of(scene), views).radii > 0).all(-1)
    reach = scene.scales.amax(1)
    shown = may_show(scene.means.expand(len(Ks), -1, -1), reach, views, 0.0)
    assert bool((shown | ~drawn).all())
    assert int(shown.sum()) < 2 * int(drawn.sum()) + 100, "and not everything is taken to be shown"


def test_rows_hold_what_is_shown_in_order_and_others_for_the_rest() -> None:
    shown = torch.rand(3, 40) < 0.4
    rows = rows_of(shown, 30, torch.Generator().manual_seed(0))
    assert rows.shape == (3, 30)
    assert bool((rows[:, 1:] > rows[:, :-1]).all()), "ascending, none twice"
    assert bool((torch.zeros(3, 40, dtype=torch.bool).scatter_(1, rows, True) | ~shown).all())
    every = [rows_of(shown, 30, torch.Generator().manual_seed(i)) for i in range(30)]
    assert len(torch.cat(every, 1)[0].unique()) == 40, "each has its turn"


def test_shapes_hold_still_while_the_set_grows() -> None:
    sizes = [room(n, 10**9) for n in range(1000, 100_000)]
    assert all(n <= size <= 1.2 * n for n, size in zip(range(1000, 100_000), sizes, strict=True))
    assert all(size % 32 == 0 for size in sizes)
    assert len(set(sizes)) < 100
    assert room(1000, 1010) == 1010


@pytest.mark.parametrize("frames", [1, 2])
def test_losses_and_gradients_are_those_of_the_whole_scene(clips: Clips, start: Gaussians, frames: int) -> None:
    phase = replace(JOINT, frames=frames, growth=Growth())
    found = []
    for shown_only in (False, True):
        state = begun(wide(start), clips)
        state.phase = 7
        rows = shown_rows(clips, state, phase)  # so that both draw alike from here on
        assert rows.views is not None
        assert rows.views.shape[1] < len(start), "something is left out"
        state.generator.manual_seed(3)
        objective = dynamic_objective(clips, render, shown_only=shown_only)
        if shown_only:
            objective(state, phase)  # searches
            state.generator.manual_seed(3)
        evaluation = objective(state, phase)
        evaluation.rendering.means2d.retain_grad()
        evaluation.loss.backward()
        stats = accumulate(GrowthStats.zeros(state.params["means"]), evaluation.rendering, evaluation.rows)
        leaves = [*state.params.values(), *(p for m in state.modules.values() for p in m.parameters())]
        found.append([evaluation.loss.detach(), *stats, *(p.grad for p in leaves)])
    for whole, part in zip(*found, strict=True):
        assert (whole is None) == (part is None)
        if whole is not None:
            torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-6 * float(whole.abs().max()) + 1e-7)


def test_what_no_picture_shows_is_regularised_too(clips: Clips, start: Gaussians) -> None:
    """Else a network would move the surroundings of a picture as it likes."""
    phase = Phase("motion", 9, {"motion": RATE}, {"l1": 0.0, "norm": 1.0}, views=0, frames=2, fields=("motion",))
    state = begun(wide(start), clips, size=0.3)
    objective = dynamic_objective(clips, render, shown_only=True)
    rows = set()
    for step in range(0, 900, 50):
        state.step = step
        found = objective(state, phase)
        assert found.rows is not None
        rows |= set(found.rows.flatten().tolist())
        assert bool(found.terms["norm"] > 0)
    assert len(rows) == len(start)


REGULAR = {"norm": 0.01, "diff": 0.01, "rigid": 0.01, "rotation": 0.01, "small": 0.01, "haze": 0.01}
GROWING = replace(
    JOINT, steps=24, losses={**JOINT.losses, **REGULAR}, betas=(0.8, 0.99),
    growth=Growth(every=4, grad_threshold=0.0, max_gaussians=300, stop=1.0),
)  # fmt: skip


@pytest.mark.parametrize("stop_at", [10, 20])
def test_a_fit_follows_the_set_as_it_grows_and_resumes_to_the_same_bits(
    clips: Clips, start: Gaussians, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    for module in ("loop", "choosing"):
        monkeypatch.setattr(f"fourreal.fit.{module}.CHECK_EVERY", 10)
    path = tmp_path / "c"

    def save(state: FitState) -> None:
        if state.step == stop_at:
            save_checkpoint(path, state, "run")

    def objective() -> Objective:
        return dynamic_objective(clips, render, shown_only=True)

    whole = fit(begun(wide(start), clips), [GROWING], objective(), save=save)
    assert len(whole.params["means"]) > len(start)
    assert all(g["betas"] == (0.8, 0.99) for g in whole.optimizer.param_groups if g["lr"] > 0)
    again = load_checkpoint(path, "run", modules=begun(wide(start), clips).modules)
    assert again is not None
    resumed = fit(again, [GROWING], objective())
    for name, value in whole.tensors().items():
        assert bool(value.isfinite().all()) or value.dtype == torch.uint8, name
        assert torch.equal(value, resumed.tensors()[name]), name
