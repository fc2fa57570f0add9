"""The loop learns, grows within its budget, survives interruption bit for bit, and recovers from divergence once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.core.errors import DivergenceError, FieldError, FileFormatError
from fourreal.core.gaussians import Gaussians
from fourreal.fit.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from fourreal.fit.loop import Evaluation, Progress, fit
from fourreal.fit.phases import Growth, Phase, Rate
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets, render_cameras, static_objective
from fourreal.metrics import psnr
from fourreal.raster.numba_cpu import render

RATES = {
    "means": Rate(2e-3, 2e-4),
    "quats": Rate(5e-3, 5e-3),
    "log_scales": Rate(1e-2, 1e-2),
    "logit_opacities": Rate(5e-2, 5e-2),
    "colors": Rate(1e-2, 1e-2),
}
PHASES = (
    Phase("coarse", 60, RATES, {"l1": 1.0}, views=2, shrink=2),
    Phase("fine", 120, RATES, {"l1": 0.8, "dssim": 0.2}, views=2, growth=Growth(every=30, max_gaussians=300)),
)


class Killed(Exception):
    pass


def quality(gaussians: Gaussians, targets: Targets) -> float:
    return float(psnr(render_cameras(gaussians, targets.cameras, render), targets.images).mean())


def test_a_fit_approaches_the_truth_and_grows_within_its_budget(targets: Targets, start: Gaussians) -> None:
    news: list[Progress] = []
    state = fit(FitState.begin(start, 2.0, seed=0), PHASES, static_objective(targets, render), on_progress=news.append)
    before, after = quality(start, targets), quality(state.gaussians(), targets)
    assert after > before + 6, f"PSNR {before:.1f} -> {after:.1f}"
    assert len(start) < len(state.gaussians()) <= 300
    assert news[0].phase == "coarse"
    assert news[-1].step == news[-1].steps == 180
    assert (state.phase, state.step) == (2, 0)


BRIEF = (
    Phase("coarse", 15, RATES, {"l1": 1.0}, views=2, shrink=2),
    Phase("fine", 30, RATES, {"l1": 0.8, "dssim": 0.2}, views=2, growth=Growth(every=8, stop=0.9, max_gaussians=300)),
)


@pytest.fixture(scope="module")
def whole(targets: Targets, start: Gaussians) -> FitState:
    """The end of `BRIEF` without interruption, with a look at the loss every 10 steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fourreal.fit.loop.CHECK_EVERY", 10)
        return fit(FitState.begin(start, 2.0, seed=0), BRIEF, static_objective(targets, render))


@pytest.mark.parametrize("kill_at", [10, 15, 25, 35])  # within the first phase, at its end, before and after growth
def test_a_killed_run_resumes_to_the_same_bits(
    targets: Targets, start: Gaussians, whole: FitState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr("fourreal.fit.loop.CHECK_EVERY", 10)
    assert len(whole.params["means"]) > len(start), "it has grown"
    run = fingerprint(BRIEF, "seed 0")

    def die_after_saving(state: FitState) -> None:
        save_checkpoint(tmp_path / "fit.safetensors", state, run)
        if sum(p.steps for p in BRIEF[: state.phase]) + state.step >= kill_at:
            raise Killed

    with pytest.raises(Killed):
        fit(
            FitState.begin(start, 2.0, seed=0),
            BRIEF,
            static_objective(targets, render),
            save=die_after_saving,
        )
    resumed = load_checkpoint(tmp_path / "fit.safetensors", run)
    assert resumed is not None
    assert sum(p.steps for p in BRIEF[: resumed.phase]) + resumed.step == kill_at
    finished = fit(resumed, BRIEF, static_objective(targets, render))
    for name, value in whole.tensors().items():
        assert torch.equal(value, finished.tensors()[name]), name


def test_a_checkpoint_of_other_settings_is_not_taken(start: Gaussians, tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    save_checkpoint(path, FitState.begin(start, 2.0, seed=0), fingerprint(PHASES))
    longer = (PHASES[0], replace(PHASES[1], steps=121))
    assert load_checkpoint(path, fingerprint(longer)) is None
    assert load_checkpoint(path, fingerprint(PHASES)) is not None
    assert load_checkpoint(tmp_path / "none.safetensors", fingerprint(PHASES)) is None


def test_a_damaged_checkpoint_says_so(start: Gaussians, tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    save_checkpoint(path, FitState.begin(start, 2.0, seed=0), fingerprint(PHASES))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match=r"fit\.safetensors"):
        load_checkpoint(path, fingerprint(PHASES))


def poisoned(targets: Targets, steps: set[int]):
    """The usual objective, whose loss is NaN at the given calls."""
    honest, calls = static_objective(targets, render), iter(range(10_000))

    def objective(state: FitState, phase: Phase) -> Evaluation:
        result = honest(state, phase)
        if next(calls) not in steps:
            return result
        return result._replace(loss=result.loss * torch.nan, terms={"l1": torch.tensor(torch.nan)})

    return objective


def test_one_divergence_is_repaired_at_half_the_rate(
    targets: Targets, start: Gaussians, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fourreal.fit.loop.CHECK_EVERY", 10)
    news: list[Progress] = []
    phases = replace(PHASES[0], steps=40), replace(PHASES[1], steps=90)
    state = fit(FitState.begin(start, 2.0, seed=0), phases, poisoned(targets, {35}), on_progress=news.append)
    assert [n.recovered for n in news].count(True) == 1
    assert state.rate_factor == 0.5
    assert quality(state.gaussians(), targets) > quality(start, targets) + 4


def test_the_second_divergence_is_an_error_that_names_the_phase(
    targets: Targets, start: Gaussians, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fourreal.fit.loop.CHECK_EVERY", 10)
    with pytest.raises(DivergenceError, match="coarse"):
        fit(FitState.begin(start, 2.0, seed=0), PHASES, poisoned(targets, {5, 15}))


def test_parameters_without_a_rate_stay_frozen(targets: Targets, start: Gaussians) -> None:
    only_colors = (Phase("colours", 20, {"colors": Rate(1e-2, 1e-2)}),)
    state = fit(FitState.begin(start, 2.0, seed=0), only_colors, static_objective(targets, render))
    for name, value in start.tensors().items():
        assert torch.equal(value, state.params[name].detach()) == (name != "colors"), name


def test_a_phase_that_does_nothing_is_refused() -> None:
    with pytest.raises(FieldError, match=r"Phase\.steps must be at least 1, got 0"):
        Phase("empty", 0, RATES)
    with pytest.raises(FieldError, match="must train something"):
        Phase("idle", 5, {})


def test_targets_must_match_their_cameras(targets: Targets) -> None:
    with pytest.raises(FieldError, match=r"Targets\.images must be \[12, 3, 32, 48\]"):
        Targets(targets.images[:, :, :-1], targets.cameras)


def test_held_gaussians_stay_bit_for_bit_while_new_ones_are_trained(targets: Targets, start: Gaussians) -> None:
    """What motion reveals is filled by new Gaussians; those of the canonical scene are not to change for it."""
    grow = Growth(every=20, stop=0.7, max_gaussians=200, grad_threshold=0.0, max_share=0.2)
    before = fit(FitState.begin(start, 2.0, seed=0), PHASES[:1], static_objective(targets, render))
    old = {k: v.detach().clone() for k, v in before.params.items()}
    before.phase = 0
    after = fit(
        before, [Phase("reveal", 60, RATES, views=2, growth=grow, hold=True)], static_objective(targets, render)
    )
    count = len(old["means"])
    assert len(after.params["means"]) > count
    for name, value in old.items():
        assert torch.equal(after.params[name][:count], value), name
    fresh = after.params["means"][count:]
    assert not bool((torch.cdist(fresh.detach(), old["means"]).amin(1) == 0).any()), "new ones have moved"


def test_training_goes_on_for_all_in_the_phase_after(targets: Targets, start: Gaussians) -> None:
    held = Phase("reveal", 10, RATES, hold=True)
    state = fit(FitState.begin(start, 2.0, seed=0), [held, replace(held, name="joint", hold=False)],
                static_objective(targets, render))  # fmt: skip
    assert not torch.equal(state.params["means"], start.means)
