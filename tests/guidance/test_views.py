"""Views that guidance looks at: within limits, from the right camera, at the right time, told with the right sign."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.geometry import look_at
from fourreal.core.paths import dolly, orbit
from fourreal.guidance import camera_path_of, fixed_view_clip, freeze_time_clip, multi_view_clip, perturb
from fourreal.worlds import place_cameras, sample_worlds
from fourreal.worlds.cameras import core_cameras

FOCUS, UP = torch.tensor([0.3, 0.5, -0.2]), torch.tensor([0.0, 1.0, 0.0])
seeds = st.integers(0, 100_000)


def camera(eye: tuple[float, float, float] = (0.5, 2.0, 4.0), time: float = 3.0) -> Cameras:
    K = torch.tensor([[60.0, 0, 30], [0, 60, 20], [0, 0, 1]])
    view = look_at(torch.tensor(eye), FOCUS + torch.tensor([0.2, 0.1, 0.0]), UP)
    return Cameras(view[None], K[None], 60, 40, torch.tensor([time]))


def ring(count: int = 7) -> Cameras:
    return orbit(camera(), FOCUS, count, degrees=90, up=UP)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixel(cameras: Cameras) -> torch.Tensor:
    local = (cameras.viewmats[:, :3, :3] @ FOCUS + cameras.viewmats[:, :3, 3])[..., None]
    uv = (cameras.Ks @ local)[..., 0]
    return uv[:, :2] / uv[:, 2:]


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0, 0.9))
def test_a_perturbed_camera_stays_in_its_ball_and_keeps_the_focus_in_place(seed: int, radius: float) -> None:
    start = camera()
    moved = perturb(start, FOCUS, radius, seeded(seed))
    reach = radius * float((start.positions[0] - FOCUS).norm())
    assert float((moved.positions - start.positions).norm()) <= reach * (1 + 1e-4) + 1e-5
    torch.testing.assert_close(pixel(moved), pixel(start), atol=1e-2, rtol=0)


def test_perturbations_fill_the_ball() -> None:
    generator, start = seeded(0), camera()
    moved = torch.cat([perturb(start, FOCUS, 0.5, generator).positions for _ in range(300)]) - start.positions
    share = moved.norm(dim=1) / (0.5 * (start.positions[0] - FOCUS).norm())
    assert float(share.pow(3).mean()) == pytest.approx(0.5, abs=0.05)
    assert float((moved.mean(0) / moved.std(0)).abs().max()) < 0.25


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(2, 20))
def test_multi_view_clips_begin_at_the_canonical_camera_at_its_time(seed: int, count: int) -> None:
    start, around = camera(), ring()
    views = multi_view_clip(start, around, FOCUS, seeded(seed), radius=0.2, count=count)
    assert len(views) == count
    torch.testing.assert_close(views.viewmats[0], start.viewmats[0], atol=1e-5, rtol=0)
    assert views.moments.tolist() == [3.0] * count
    reach = 0.2 * float((around.positions - FOCUS).norm(dim=1).max())
    assert float((around.positions - views.positions[-1]).norm(dim=1).min()) <= reach + 1e-4


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 20), st.integers(1, 40))
def test_fixed_views_stand_still_while_time_runs_from_zero(seed: int, count: int, n_times: int) -> None:
    views = fixed_view_clip(ring(), FOCUS, n_times, seeded(seed), count=count)
    assert len(views) == count
    assert torch.equal(views.viewmats, views.viewmats[:1].expand(count, 4, 4))
    assert float(views.moments[0]) == 0
    assert float(views.moments[-1]) == (n_times - 1 if count > 1 else 0)
    assert bool((views.moments[1:] >= views.moments[:-1]).all())


def test_a_whole_reference_clip_is_asked_for_frame_by_frame() -> None:
    assert fixed_view_clip(ring(), FOCUS, 16, seeded(0)).moments.tolist() == [float(t) for t in range(16)]


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_freeze_time_clips_begin_at_the_reference_camera_of_their_time(seed: int) -> None:
    reference = dolly(camera(), 5, distance=1.0, times=torch.arange(5.0))
    views = freeze_time_clip(reference, ring(), FOCUS, seeded(seed))
    frame = int(views.moments[0])
    assert views.moments.tolist() == [float(frame)] * 16
    torch.testing.assert_close(views.viewmats[0], reference.viewmats[frame], atol=1e-5, rtol=0)


def test_every_camera_and_time_has_its_turn_and_seeds_decide() -> None:
    reference = dolly(camera(), 4, distance=0.5, times=torch.arange(4.0))
    generator = seeded(1)
    drawn = [freeze_time_clip(reference, ring(3), FOCUS, generator, radius=0.0, count=2) for _ in range(60)]
    assert {float(d.moments[0]) for d in drawn} == {0.0, 1.0, 2.0, 3.0}
    assert len({round(float(d.positions[-1, 0]), 3) for d in drawn}) == 3
    again = [freeze_time_clip(reference, ring(3), FOCUS, seeded(5)).viewmats for _ in range(2)]
    assert torch.equal(*again)


def test_sizes_and_intrinsics_are_the_first_cameras() -> None:
    views = multi_view_clip(camera(), ring().resized(30, 20), FOCUS, seeded(0))
    assert (views.width, views.height) == (60, 40)
    torch.testing.assert_close(views.Ks, camera().Ks.expand(16, 3, 3))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_paths_are_told_as_worlds_place_them(seed: int) -> None:
    worlds = sample_worlds([seed % 50])
    generator = seeded(seed)
    values = torch.rand(8, 3, generator=generator) * torch.tensor([2.0, 0.5, 0.6])
    values = values - values[:1]
    values[1:, 1] = values[1:, 1].abs()  # up, away from the ground that cameras may not enter
    values[:, 1].clamp_(max=math.radians(79) - float(worlds.view.elevation))
    shots = place_cameras(worlds, values[None], torch.zeros(1, 8), 64, 36)
    found = camera_path_of(core_cameras(shots, 0), worlds.view.target[0], UP)
    torch.testing.assert_close(found, values, atol=2e-3, rtol=0)


def test_signs_and_whole_turns() -> None:
    around = orbit(camera(), FOCUS, 25, degrees=720.0, up=UP)
    path = camera_path_of(around, FOCUS, UP)
    torch.testing.assert_close(path[:, 0], torch.linspace(0, 4 * math.pi, 25), atol=1e-3, rtol=0)
    assert float(path[:, 1:].abs().max()) < 1e-3
    raised = Cameras(torch.cat([camera().viewmats, camera((0.5, 3.0, 4.0)).viewmats]), ring(2).Ks, 60, 40)
    assert float(camera_path_of(raised, FOCUS, UP)[1, 1]) > 0
    assert torch.equal(camera_path_of(around[0], FOCUS), torch.zeros(1, 3))


def test_impossible_requests() -> None:
    with pytest.raises(FieldError, match=r"one camera, got 7; select one"):
        perturb(ring(), FOCUS, 0.1, seeded(0))
    with pytest.raises(FieldError, match="radius must lie"):
        perturb(camera(), FOCUS, 1.0, seeded(0))
    with pytest.raises(FieldError, match="starts from one camera, got 7"):
        multi_view_clip(ring(), ring(), FOCUS, seeded(0))
    with pytest.raises(FieldError, match="no cameras to draw from"):
        multi_view_clip(camera(), ring()[[]], FOCUS, seeded(0))
    with pytest.raises(FieldError, match="n_times"):
        fixed_view_clip(ring(), FOCUS, 0, seeded(0))
    with pytest.raises(FieldError, match="at the focus"):
        camera_path_of(camera(), camera().positions[0], UP)
    with pytest.raises(FieldError, match="straight above"):
        camera_path_of(camera(), camera().positions[0] - UP, UP)
