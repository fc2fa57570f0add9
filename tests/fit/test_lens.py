"""What hangs before the lens leaves the scene, what stands there stays."""

from __future__ import annotations

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.paths import orbit
from fourreal.fit.bounds import Lens
from fourreal.fit.density import GrowthStats, grow
from fourreal.fit.lens import off_the_lens
from fourreal.fit.phases import Growth
from fourreal.fit.state import FitState
from fourreal.fit.static import render_cameras
from fourreal.raster.numba_cpu import render

from .conftest import blob, ring

FOCUS = 4.0  # of the ring


def with_one(g: Gaussians, place: torch.Tensor, size: float) -> Gaussians:
    """`g` and an opaque green one at `place`."""
    quat, green = torch.tensor([[1.0, 0, 0, 0]]), torch.tensor([[0.0, 1.0, 0.0]])
    own = (place[None], quat, torch.full((1, 3), size).log(), torch.full((1,), 4.0), green)
    return Gaussians(*(torch.cat([a, b]) for a, b in zip(g.tensors().values(), own, strict=True)))


def before(camera: Cameras, x: float, z: float) -> torch.Tensor:
    """The place at x and z in the camera's frame."""
    return torch.linalg.inv(camera.viewmats[0])[:3] @ torch.tensor([x, 0.0, z, 1.0])


def test_what_fills_the_view_one_step_aside_is_left_out() -> None:
    arc, scene = ring(12)[:4], blob(200, seed=1)
    aside = orbit(arc[:1], torch.zeros(3), 2, degrees=-3.0, up=torch.tensor([0.0, -1.0, 0.0]))[1:]
    stray = with_one(scene, before(aside, 0.02, 0.03), 0.02)
    assert (render_cameras(stray, arc, render) - render_cameras(scene, arc, render)).abs().max() < 1e-3
    veiled, clear = (render_cameras(g, aside, render) for g in (stray, scene))
    assert (veiled - clear).abs().mean() > 0.2
    cleaned = off_the_lens(stray, arc, FOCUS, render)
    assert len(cleaned) == len(scene)
    torch.testing.assert_close(render_cameras(cleaned, aside, render), clear)


def test_what_the_clip_shows_before_the_lens_stays() -> None:
    arc, scene = ring(12)[:4], blob(200, seed=1)
    held = with_one(scene, before(arc[2:3], 0.1, 0.6), 0.1)
    assert len(off_the_lens(held, arc, FOCUS, render)) == len(held)


def test_a_scene_far_from_its_cameras_is_untouched() -> None:
    scene = blob(200, seed=1)
    assert off_the_lens(scene, ring(12), FOCUS, render) is scene


def test_a_veil_before_one_camera_is_pruned_and_the_ground_at_its_feet_is_not() -> None:
    arc = ring(12)[:4]
    lens = Lens.of(arc, FOCUS)
    ahead, beside = before(arc[1:2], 0.0, 0.5), before(arc[1:2], 0.6, 0.1)
    far, behind = before(arc[1:2], 0.0, 1.5), before(arc[1:2], 0.0, -0.5)
    assert lens.veiled_by(torch.stack([ahead, beside, far, behind])).tolist() == [True, False, False, False]


def test_growth_keeps_the_lens_free() -> None:
    arc, scene = ring(12)[:4], blob(200, seed=1)
    veiled = with_one(scene, before(arc[2:3], 0.0, 0.5), 0.1)
    for lens, left in ((None, 201), (Lens.of(arc, FOCUS), 200)):
        state = FitState.begin(veiled, 2.0, seed=0)
        state.lens = lens
        stats = GrowthStats.zeros(state.params["means"])
        grow(state.params, state.optimizer, stats, Growth(max_gaussians=0), state.bounds, state.generator, add=False)
        assert len(state.params["means"]) == left
