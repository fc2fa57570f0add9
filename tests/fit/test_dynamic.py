"""What the fit's objective asks of a motion besides pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fourreal.core.gaussians import Gaussians
from fourreal.deform import MlpConfig, NodeConfig
from fourreal.deform.storage import Field
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective
from fourreal.fit.phases import Phase, Rate
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.raster.numba_cpu import render

FRAMES = 4
PHASE = Phase(
    "motion", 9, {"motion": Rate(1e-2, 1e-2)}, {"l1": 1e-9, "arap": 1.0}, views=0, frames=2, fields=("motion",)
)


@pytest.fixture(scope="module")
def clips(targets: Targets) -> Clips:
    cameras = replace(targets.cameras[[0] * FRAMES], times=torch.arange(FRAMES * 1.0))
    return Clips(targets, Targets(targets.images[:1].expand(FRAMES, -1, -1, -1).clone(), cameras))


def begun(start: Gaussians, motion: Field) -> FitState:
    state = FitState.begin(start, 1.0, 0, {"motion": motion})
    state.rebind()
    return state


def test_nodes_that_were_torn_apart_come_together(clips: Clips, start: Gaussians) -> None:
    busy = start.means[:, 0] > 0
    motion = NodeConfig(nodes=24).build(start.means, FRAMES, 0, busy=busy)
    with torch.no_grad():
        motion.motions.add_(0.2 * torch.randn(motion.motions.shape, generator=torch.Generator().manual_seed(3)))
    state, objective = begun(start, motion), dynamic_objective(clips, render)
    optimizer = torch.optim.Adam([motion.motions], 1e-2)
    costs = []
    for _ in range(60):
        found = objective(state, PHASE)
        costs.append(float(found.terms["arap"]))
        optimizer.zero_grad()
        found.loss.backward()
        optimizer.step()
    assert costs[-1] < 0.4 * costs[0]
    still, grad = motion.moves == 0, motion.motions.grad
    assert grad is not None
    assert float(grad[:, still].abs().max()) < 1e-6, "nodes that hold the surroundings still are left alone"


def test_a_single_node_and_a_network_have_nothing_to_tie(clips: Clips, start: Gaussians) -> None:
    for kind in (NodeConfig(nodes=1), MlpConfig(layers=2, width=8, skip=1)):
        found = dynamic_objective(clips, render)(begun(start, kind.build(start.means, FRAMES, 0)), PHASE)
        assert "arap" not in found.terms
        assert bool(torch.isfinite(found.loss))


def test_where_the_frozen_clip_leads_frames_teach_the_motion_alone(clips: Clips, start: Gaussians) -> None:
    motion = NodeConfig(nodes=24).build(start.means, FRAMES, 0, busy=start.means[:, 0] > 0)
    alone = replace(PHASE, losses={"l1": 1.0, "arap": 1.0})
    both = replace(alone, views=1)

    def gradients(phase: Phase, frozen: Clips = clips) -> dict[str, torch.Tensor]:
        state = begun(start, motion)
        motion.motions.grad = None
        dynamic_objective(frozen, render)(state, phase).loss.backward()
        shares = {k: torch.zeros(()) if v.grad is None else v.grad.abs().sum() for k, v in state.params.items()}
        assert motion.motions.grad is not None
        return shares | {"motion": motion.motions.grad.abs().sum()}

    free, led = gradients(alone), gradients(replace(alone, led=True))
    assert all(free[k] > 0 for k in ("means", "colors", "logit_opacities", "motion"))
    assert led.pop("motion") == free["motion"]
    assert not any(led.values())
    # Beside a view that is met exactly what is left comes from the frames.
    assert clips.reference is not None
    other = replace(clips, reference=replace(clips.reference, images=1 - clips.reference.images))
    views = [gradients(replace(both, led=led), other)["colors"] for led in (True, False)]
    same = [gradients(replace(both, led=led), clips)["colors"] for led in (True, False)]
    assert views[0] == same[0], "other frames change nothing"
    assert views[1] != same[1]
