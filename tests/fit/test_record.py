"""Steps recorded as CUDA graphs are the steps that would have run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fourreal.core.gaussians import Gaussians
from fourreal.core.record import Recorder
from fourreal.deform import DeformConfig, MlpConfig, NodeConfig
from fourreal.deform.losses import Neighbours
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective
from fourreal.fit.formed import CameraIncrements, Choice, Formed
from fourreal.fit.phases import Growth, Phase, Rate
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.raster import select
from fourreal.raster.base import Splats, Views

FRAMES, NETWORK = 4, MlpConfig(layers=3, width=32, skip=1)
RATE = Rate(1e-3, 1e-3)
RATES = {"means": RATE, "quats": RATE, "log_scales": RATE, "logit_opacities": RATE, "colors": RATE}
ALL = {"l1": 0.8, "dssim": 0.2, "haze": 0.1, "small": 0.3, "norm": 0.1, "diff": 0.1, "rigid": 0.1, "rotation": 0.1}
PHASES = (
    Phase("coarse", 20, RATES, {"l1": 1.0, "haze": 0.1}, views=2, growth=Growth()),
    Phase(
        "joint", 20, {**RATES, "warp": RATE, "motion": RATE, "poses": RATE}, {**ALL, "arap": 0.3}, views=2, frames=2,
        fields=("warp", "motion"),
    ),
)  # fmt: skip


def squared(values: Tensor) -> dict[str, Tensor]:
    return {"loss": values.square().sum(), "twice": 2 * values.detach()}


def test_without_a_gpu_functions_run_as_they_are() -> None:
    recorder, values = Recorder(), torch.tensor([1.0, 2.0], requires_grad=True)
    recorder.run("squared", squared, (), values)
    found = recorder.run("squared", squared, (), values)
    found["loss"].backward()
    assert values.grad is not None
    assert values.grad.tolist() == [2.0, 4.0]
    assert found["twice"].tolist() == [2.0, 4.0]


def test_choices_and_what_is_formed_survive_being_laid_out_in_a_row() -> None:
    one = torch.arange(3)
    near = Neighbours(one, one[:, None], torch.ones(3, 1))
    for choice in (Choice(one, None, None, None), Choice(one, one + 3, near, (one + 6, near))):
        again = choice.holding([v + 1 for v in choice.tensors()])
        assert len(again.tensors()) == len(choice.tensors())
        assert all(bool((a == b + 1).all()) for a, b in zip(again.tensors(), choice.tensors(), strict=True))
        assert [v is None for v in again] == [v is None for v in choice]
    splats = Splats(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2, 3), torch.zeros(2), torch.zeros(2, 3))
    now = Formed(splats, Views(torch.eye(4)[None], torch.eye(3)[None], 8, 6), torch.zeros(1, 3, 6, 8), {"norm": one})
    again = Formed.holding(now.tensors(), 8, 6)
    assert again.terms["norm"] is one
    assert again.views.width == 8
    assert again.splats.colors is splats.colors


@pytest.fixture(scope="module")
def clips(targets: Targets) -> Clips:
    cameras = replace(targets.cameras[[0] * FRAMES], times=torch.arange(FRAMES * 1.0))
    reference = Targets(targets.images[:1].expand(FRAMES, -1, -1, -1).clone(), cameras)
    return Clips(targets, reference).to(torch.device("cuda"))


@pytest.mark.gpu
class TestOnAGpu:
    @pytest.mark.parametrize("phase", PHASES, ids=lambda p: p.name)
    @pytest.mark.parametrize(
        ("kind", "shown_only"),
        [(NodeConfig(nodes=24), False), (NETWORK, False), (NETWORK, True)],
        ids=["nodes", "mlp", "mlp, shown only"],
    )
    def test_a_recorded_step_has_the_losses_and_gradients_of_a_plain_one(
        self,
        clips: Clips,
        start: Gaussians,
        kind: DeformConfig,
        shown_only: bool,
        phase: Phase,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        start = start.to("cuda")
        modules = {
            "warp": kind.build(start.means, len(clips.freeze.cameras)),
            "motion": kind.build(start.means, FRAMES),
        }
        poses = CameraIncrements(len(clips.freeze.cameras), 0, 1.0, start.means.device)
        state = FitState.begin(start, 1.0, 0, {**modules, "poses": poses})  # type: ignore[arg-type]
        state.rebind()
        with torch.no_grad():
            for module in state.modules.values():
                for value in module.parameters():
                    value.add_(0.02 * torch.randn_like(value))
        recorded, plain = (
            dynamic_objective(clips, select(start.means.device), shown_only=shown_only) for _ in range(2)
        )
        rounding = 5e-4 if isinstance(kind, MlpConfig) else 2e-5  # half floats enlarge the noise of atomic sums
        for step in range(6):
            with torch.no_grad():  # as an optimiser would; new neighbours of the nodes must reach the recording
                state.params["means"].add_(0.05 * torch.randn_like(state.params["means"]))
            state.rebind()
            state.step = step
            begun = state.generator.get_state()
            mine = grads_of(recorded, state, phase)
            state.generator.set_state(begun)
            with monkeypatch.context() as patch:
                patch.setattr(Recorder, "run", lambda _, name, function, leaves, *inputs: function(*inputs))
                theirs = grads_of(plain, state, phase)
            assert mine.keys() == theirs.keys()
            for name, value in theirs.items():
                assert torch.allclose(mine[name], value, rtol=2e-3, atol=rounding * float(value.abs().max()) + 1e-7), (
                    name
                )

    def test_recordings_are_made_and_forgotten(self) -> None:
        recorder, values = Recorder(), torch.ones(3, device="cuda", requires_grad=True)
        calls = []

        def counted(given: Tensor) -> dict[str, Tensor]:
            calls.append(given.shape)
            return squared(given * values)

        def run(scale: float) -> float:
            values.grad = None
            recorder.run("counted", counted, [values], torch.full((3,), scale, device="cuda"))["loss"].backward()
            assert values.grad is not None
            return float(values.grad.sum())

        assert [run(s) for s in (1.0, 2.0, 3.0, 4.0)] == [6.0, 24.0, 54.0, 96.0]
        made = len(calls)
        assert run(5.0) == 150.0
        assert len(calls) == made, "a recording does not call the function"
        recorder.begin(values)
        assert run(1.0) == 6.0
        assert len(calls) == made + 1

    def test_a_recording_outlasts_all_but_its_own_leaves_and_shapes(self) -> None:
        recorder, calls = Recorder(), []

        def counted(given: Tensor) -> dict[str, Tensor]:
            calls.append(given.shape)
            return squared(given)

        def run(value: float, count: int) -> float:
            values = torch.full((count,), value, device="cuda", requires_grad=True)
            return float(recorder.run("counted", counted, [], values)["loss"].detach())

        assert [run(v, 3) for v in (1.0, 2.0, 3.0)] == [3.0, 12.0, 27.0]
        made = len(calls)
        recorder.run("other", squared, (), torch.ones(7, device="cuda", requires_grad=True))
        recorder.begin()
        assert run(4.0, 3) == 48.0
        assert len(calls) == made
        assert run(1.0, 5) == 5.0
        assert len(calls) == made + 1, "another shape runs as it is first"

    def test_what_waits_for_the_device_runs_as_it_is_and_says_so(self) -> None:
        recorder, values = Recorder(), torch.ones(3, device="cuda", requires_grad=True)

        def waits(given: Tensor) -> dict[str, Tensor]:
            return {"loss": given.sum() * float(given.detach().sum())}

        assert float(recorder.run("waits", waits, (), values)["loss"].detach()) == 9
        with pytest.warns(UserWarning, match="operation by operation"):
            assert float(recorder.run("waits", waits, (), values)["loss"].detach()) == 9
        assert float(recorder.run("waits", waits, (), 2 * values)["loss"].detach()) == 36
        assert torch.randn(3, device="cuda").isfinite().all(), "random numbers are not kept by what failed"


def grads_of(objective: Callable[..., Any], state: FitState, phase: Phase) -> dict[str, Tensor]:
    """Loss, terms and all gradients of one step."""
    state.optimizer.zero_grad(set_to_none=True)
    found = objective(state, phase)
    found.loss.backward()
    out = {"loss": found.loss.detach().clone(), **{f"term {k}": v.clone() for k, v in found.terms.items()}}
    for name in (*state.params, *state.modules):
        for i, value in enumerate(state.trained(name)):
            out |= {} if value.grad is None else {f"{name} {i}": value.grad.clone()}
    return out
