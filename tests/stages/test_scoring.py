"""A video model that knows the truth pulls a spoiled scene towards it, from views that no clip shows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.deform import NodeConfig
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective, render_dynamic
from fourreal.fit.loop import fit
from fourreal.fit.phases import Guidance, Phase, Rate
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.metrics import psnr
from fourreal.raster.numba_cpu import render
from fourreal.stages.scoring import Teacher, taught
from fourreal.video.oracle import OracleVideoModel
from fourreal.worlds import clip_times, core_cameras, orbit_cameras, place_cameras, reference_cameras, sample_worlds
from fourreal.worlds import render as render_worlds

WIDTH, HEIGHT = 64, 36


@pytest.fixture(scope="module")
def clips() -> Clips:
    worlds = sample_worlds([4])
    views = orbit_cameras(worlds, 8, WIDTH, HEIGHT, degrees=60.0, moment=0.0)
    times = reference_cameras(worlds, 16, WIDTH, HEIGHT)
    freeze, reference = (
        Targets(render_worlds(worlds, shots, geometry=False).rgb[0], core_cameras(shots, 0)) for shots in (views, times)
    )
    return Clips(freeze, reference, 0, 0)


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher.of(OracleVideoModel(4, size=(HEIGHT, WIDTH), score_size=(18, 32), frames=4), "what the oracle knows")


def unseen(clips: Clips) -> Targets:
    worlds = sample_worlds([4])
    path = torch.zeros(1, 4, 3)
    path[..., 0] = torch.linspace(0.2, 0.8, 4)
    path[..., 1] = math.radians(4)
    shots = place_cameras(worlds, path, clip_times(1, 4, torch.device("cpu")) * 0, WIDTH, HEIGHT)
    return Targets(render_worlds(worlds, shots, geometry=False).rgb[0], core_cameras(shots, 0))


def darkened(clips: Clips) -> FitState:
    """Seeds of the clip whose colours have lost half of their light, with a motion at rest."""
    seeds = seed_gaussians(clips.freeze, 1500, torch.Generator().manual_seed(0))
    assert clips.reference is not None
    motion = NodeConfig(nodes=16).build(seeds.means, len(clips.reference.cameras), 0)
    state = FitState.begin(seeds, clips.freeze.extent(), 0, {"motion": motion})
    with torch.no_grad():
        state.params["colors"].mul_(0.5)
    state.rebind()
    return state


def phase(kind: str, every: int = 1) -> Phase:
    guidance = Guidance(kind, weight=20.0, every=every, highest=0.5)  # type: ignore[arg-type]
    fields, frames = (("motion",), 2) if kind == "joint" else ((), 0)
    return Phase("score", 12, {"colors": Rate(0.03, 0.03)}, {"l1": 1e-6}, 1, frames, fields, guidance=guidance)


@pytest.mark.parametrize("kind", ["multi-view", "joint"])
def test_the_score_alone_gives_lost_light_back(clips: Clips, teacher: Teacher, kind: str) -> None:
    state, truth = darkened(clips), unseen(clips)
    before = psnr(render_dynamic(state.splats(), None, truth.cameras, render), truth.images).mean()
    objective = taught(dynamic_objective(clips, render), clips, teacher, render)
    state = fit(state, [phase(kind)], objective)
    after = psnr(render_dynamic(state.splats(), None, truth.cameras, render), truth.images).mean()
    assert float(after) > float(before) + 2


def test_without_a_teacher_nothing_is_scored(clips: Clips) -> None:
    state = darkened(clips)
    objective = taught(dynamic_objective(clips, render), clips, None, render)
    assert "score" not in objective(state, phase("multi-view")).terms


def test_a_score_every_few_steps_counts_for_all_of_them(clips: Clips, teacher: Teacher) -> None:
    state = darkened(clips)
    objective = taught(dynamic_objective(clips, render), clips, teacher, render)
    seen = []
    for state.step in range(6):
        state.generator.manual_seed(1)
        seen.append(objective(state, phase("multi-view", every=3)))
    assert ["score" in one.terms for one in seen] == [True, False, False] * 2
    state.generator.manual_seed(1)
    state.step = 0
    once = objective(state, phase("multi-view", every=1))
    added = [one.loss - one.terms["l1"] * 1e-6 for one in (seen[0], once)]
    torch.testing.assert_close(added[0], 3 * added[1])


@pytest.mark.parametrize("least", [(36, 64), (45, 80)])
def test_a_teacher_of_larger_pictures_is_shown_larger_ones(clips: Clips, least: tuple[int, int]) -> None:
    """Clips of 64x36, scored at half their size by plan: as they are for one teacher, enlarged for the other."""
    asked: list[tuple[int, ...]] = []

    class Watched(OracleVideoModel):
        def denoise(self, x: Tensor, *args: Any, **more: Any) -> Tensor:
            asked.append(tuple(x.shape[-2:]))
            return super().denoise(x, *args, **more)

    model = Watched(4, size=least, score_size=least, frames=4)
    state, planned = darkened(clips), replace(phase("joint"), steps=4, shrink=2)
    objective = taught(dynamic_objective(clips, render), clips, Teacher.of(model, "what the oracle knows"), render)
    fit(state, [planned], objective)
    assert asked == [least] * 4


@pytest.mark.parametrize("kind", ["multi-view", "joint"])
@pytest.mark.parametrize("registered", [True, False])
def test_an_oracle_in_the_scenes_own_world_shows_what_the_known_frame_shows(
    clips: Clips, kind: str, registered: bool
) -> None:
    """Crop, shift, moment and camera of a drawn clip reach it: its first frame is the known one, of a true clip."""
    found: list[float] = []

    class Watched(OracleVideoModel):
        def denoise(self, x: Tensor, sigma: float, text: Any, *, known: Any, camera: Any) -> Tensor:
            if text.context == "freeze":  # elsewhere the known frame is the render, which is spoiled here
                own = super().denoise(x, sigma, text, known=None, camera=camera)
                found.append(float(psnr((own[:1] + 1) / 2, (self._encoded(known.frames) + 1) / 2)))
            return super().denoise(x, sigma, text, known=known, camera=camera)

    model = Watched(4, size=(HEIGHT, WIDTH), score_size=(18, 32), frames=4, registered=registered)
    planned = replace(phase(kind), steps=16)
    told = Teacher.of(model, "what the oracle knows")
    fit(darkened(clips), [planned], taught(dynamic_objective(clips, render), clips, told, render))
    assert len(found) >= 4
    if registered:
        assert min(found) > 40
    else:
        assert min(found) < 24, "it knows a path about the subject, and neither crop nor moment"


def test_levels_out_of_order_are_an_error() -> None:
    with pytest.raises(FieldError, match="lowest <= highest"):
        Guidance("joint", 20.0, highest=0.1, lowest=0.5)
    with pytest.raises(FieldError, match="weight must be positive"):
        Guidance("joint", 0.0)
