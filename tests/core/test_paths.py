"""Camera paths: where they begin, where they look, how evenly they move and what time it is."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.geometry import look_at, rigid_inverse, se3_log
from fourreal.core.paths import (
    arc,
    dolly,
    interpolate,
    look_target,
    orbit,
    spiral,
    study_path,
    world_up,
)

UP = torch.tensor([0.0, 0.0, 1.0])
TARGET = torch.tensor([0.3, -0.2, 0.5])
K = torch.tensor([[60.0, 0.0, 32.0], [0.0, 62.0, 18.0], [0.0, 0.0, 1.0]])


def camera(*eye: float, target: torch.Tensor = TARGET, time: float = 3.0) -> Cameras:
    view = look_at(torch.tensor(eye), target, UP)
    return Cameras(view[None], K[None], 64, 36, torch.tensor([float(time)]))


START = camera(0.3, -4.2, 2.0)


def pixels(cameras: Cameras, point: torch.Tensor) -> torch.Tensor:
    seen = (cameras.viewmats[:, :3, :3] @ point) + cameras.viewmats[:, :3, 3]
    assert (seen[:, 2] > 0).all()
    flat = (cameras.Ks @ seen[:, :, None])[:, :, 0]
    return flat[:, :2] / flat[:, 2:]


def steps(cameras: Cameras) -> torch.Tensor:
    return (cameras.positions[1:] - cameras.positions[:-1]).norm(dim=1)


def elevation(cameras: Cameras) -> torch.Tensor:
    arm = cameras.positions - TARGET
    return torch.rad2deg(torch.asin(arm[:, 2] / arm.norm(dim=1)))


class TestOrbit:
    def test_a_full_turn_closes_and_never_shows_a_view_twice(self):
        path = orbit(START, TARGET, 36, up=UP)
        around = torch.cat([path.positions, path.positions[:1]])
        gaps = (around[1:] - around[:-1]).norm(dim=1)
        assert torch.allclose(gaps, gaps[0].expand(36), rtol=1e-4)

    def test_it_starts_at_the_given_view_and_keeps_radius_elevation_and_target(self):
        path = orbit(START, TARGET, 17, degrees=120.0, up=UP)
        assert torch.equal(path.viewmats[0], START.viewmats[0])
        assert torch.allclose((path.positions - TARGET).norm(dim=1), (START.positions - TARGET).norm(), rtol=1e-5)
        assert torch.allclose(elevation(path), elevation(START), atol=1e-3)
        assert torch.allclose(pixels(path, TARGET), torch.tensor([32.0, 18.0]), atol=1e-3)

    def test_the_last_camera_is_the_stated_angle_away(self):
        path = orbit(START, TARGET, 9, degrees=90.0, up=UP)
        first, last = ((path.positions[i] - TARGET)[:2] for i in (0, -1))
        angle = math.atan2(float(first[0] * last[1] - first[1] * last[0]), float(first @ last))
        assert math.degrees(angle) == pytest.approx(90, abs=1e-3)

    def test_positive_degrees_move_the_camera_to_its_right_and_negative_to_its_left(self):
        for degrees, sign in ((20.0, 1), (-20.0, -1)):
            path = orbit(START, TARGET, 2, degrees=degrees, up=UP)
            aside = START.viewmats[0, :3, :3] @ (path.positions[1] - path.positions[0])
            assert sign * aside[0] > 0

    def test_a_target_off_centre_stays_at_its_pixel(self):
        path = orbit(camera(0.3, -4.2, 2.0, target=TARGET + 0.4), TARGET, 12, up=UP)
        assert torch.allclose(pixels(path, TARGET), pixels(path, TARGET)[:1], atol=1e-3)

    def test_the_default_axis_is_the_cameras_own_up(self):
        level = camera(0.3, -4.2, 0.5)
        assert torch.allclose(orbit(level, TARGET, 5).viewmats, orbit(level, TARGET, 5, up=UP).viewmats, atol=1e-6)

    def test_time_stands_still_unless_given(self):
        assert orbit(START, TARGET, 4, up=UP).moments.tolist() == [3.0] * 4
        assert orbit(START, TARGET, 4, up=UP, times=torch.arange(4.0)).moments.tolist() == [0, 1, 2, 3]

    def test_one_camera_is_just_the_start(self):
        assert torch.equal(orbit(START, TARGET, 1, degrees=50.0).viewmats, START.viewmats)

    @pytest.mark.parametrize(
        ("make", "why"),
        [
            (lambda: orbit(START, TARGET, 0), "count must be an integer of at least 1, got 0"),
            (lambda: orbit(START, TARGET, 4, up=torch.zeros(3)), "`up` is zero"),
            (lambda: orbit(START, TARGET, 4, up=START.positions[0] - TARGET), "lies on the axis"),
            (lambda: orbit(orbit(START, TARGET, 3), TARGET, 4), "exactly one camera, got 3"),
            (lambda: orbit(START, TARGET, 4, times=torch.zeros(3)), "wanted 4, got 3"),
            (lambda: spiral(START, TARGET, 4, radius=-1.0), "must be positive, got -1"),
            (lambda: interpolate(START, 4), "at least 2 poses are needed, got 1"),
            (lambda: look_target(START), "parallel"),
        ],
    )
    def test_impossible_requests_say_what_would_be_right(self, make, why):
        with pytest.raises(FieldError, match=why):
            make()


class TestArcSpiralDolly:
    def test_an_arc_has_the_start_in_its_middle(self):
        path = arc(START, TARGET, 9, degrees=40.0, up=UP)
        assert torch.allclose(path.viewmats[4], START.viewmats[0], atol=1e-6)
        assert torch.allclose(steps(path), steps(path)[:1], rtol=1e-4)
        whole = orbit(path[0], TARGET, 9, degrees=40.0, up=UP)
        assert torch.allclose(whole.viewmats, path.viewmats, atol=1e-5)

    def test_a_spiral_winds_out_at_even_speed_with_the_target_in_place(self):
        path = spiral(START, TARGET, 200, radius=0.1, turns=3.0)
        distance = (START.positions[0] - TARGET).norm()
        away = (path.positions - START.positions).norm(dim=1)
        assert torch.allclose(path.viewmats[0], START.viewmats[0], atol=1e-6)
        assert float(away[-1]) == pytest.approx(0.1 * float(distance), rel=1e-4)
        assert (away[1:] > away[:-1]).all()
        assert torch.allclose(steps(path)[10:], steps(path)[-1], rtol=0.01)
        assert torch.allclose(pixels(path, TARGET), torch.tensor([32.0, 18.0]), atol=1e-3)

    def test_a_spiral_keeps_an_off_centre_start_exactly(self):
        start = camera(0.3, -4.2, 2.0, target=TARGET + 0.4)
        assert torch.allclose(spiral(start, TARGET, 5).viewmats[0], start.viewmats[0], atol=1e-6)

    def test_a_dolly_goes_straight_ahead_without_turning(self):
        path = dolly(START, 6, distance=1.5)
        assert torch.equal(path.viewmats[0], START.viewmats[0])
        assert torch.equal(path.viewmats[:, :3, :3], START.viewmats[:, :3, :3].expand(6, 3, 3))
        assert torch.allclose(steps(path), torch.full((5,), 0.3), atol=1e-5)
        nearer = (START.positions[0] - TARGET).norm() - (path.positions[-1] - TARGET).norm()
        assert float(nearer) == pytest.approx(1.5, abs=1e-4)


def gathered(*paths: Cameras) -> Cameras:
    return Cameras(
        torch.cat([p.viewmats for p in paths]),
        torch.cat([p.Ks for p in paths]),
        64,
        36,
        torch.cat([p.moments for p in paths]),
    )


class TestInterpolation:
    POSES = gathered(START, camera(2.0, -3.0, 1.0, time=4), camera(4.0, 1.0, 3.0, time=9))

    def geodesic_steps(self, path: Cameras, radian_length: float) -> torch.Tensor:
        views = path.viewmats.double()
        twists = se3_log(views[:-1] @ rigid_inverse(views[1:]))
        return (twists[:, :3].square().sum(1) + (radian_length * twists[:, 3:]).square().sum(1)).sqrt()

    def test_both_ends_and_the_poses_between_are_hit(self):
        path = interpolate(self.POSES, 4001, radian_length=1.0)
        assert torch.allclose(path.viewmats[0], self.POSES.viewmats[0], atol=1e-6)
        assert torch.allclose(path.viewmats[-1], self.POSES.viewmats[-1], atol=1e-5)
        nearest = (path.viewmats - self.POSES.viewmats[1]).abs().amax((1, 2)).min()
        assert nearest < 2e-3
        assert path.moments[0] == 3
        assert path.moments[-1] == 9
        assert (path.moments[1:] >= path.moments[:-1]).all()

    @pytest.mark.parametrize("radian_length", [0.5, 3.0])
    def test_the_speed_is_constant_along_the_whole_curve(self, radian_length):
        # 4 poses of one screw motion at uneven distances: no corners, so that steps over a pose count too.
        uneven = gathered(*(orbit(START, TARGET, 91, degrees=90.0, up=UP)[i] for i in (0, 7, 30, 90)))
        found = self.geodesic_steps(interpolate(uneven, 37, radian_length=radian_length), radian_length)
        assert torch.allclose(found, found.mean().expand(36), rtol=1e-3)

    def test_steps_within_each_leg_are_equal_for_any_poses(self):
        found = self.geodesic_steps(interpolate(self.POSES, 101), 1.0)
        radian = float((self.POSES.positions - self.POSES.positions.mean(0)).square().sum(1).mean().sqrt())
        found = self.geodesic_steps(interpolate(self.POSES, 101), radian)
        usual = found.median()
        assert int(((found - usual).abs() > 1e-3 * usual).sum()) <= 1  # the one step across the corner

    def test_poses_of_an_orbit_are_joined_by_the_orbit(self):
        sparse = orbit(START, TARGET, 4, degrees=270.0, up=UP)
        dense = orbit(START, TARGET, 28, degrees=270.0, up=UP)
        assert torch.allclose(interpolate(sparse, 28).viewmats, dense.viewmats, atol=1e-4)

    def test_a_closed_path_comes_round(self):
        path = interpolate(orbit(START, TARGET, 4, up=UP), 24, closed=True)
        assert torch.allclose(path.viewmats, orbit(START, TARGET, 24, up=UP).viewmats, atol=1e-4)

    def test_repeated_poses_do_no_harm(self):
        path = interpolate(gathered(START, START, self.POSES[2], self.POSES[2]), 5)
        direct = interpolate(gathered(START, self.POSES[2]), 5)
        assert torch.allclose(path.viewmats, direct.viewmats, atol=1e-5)
        still = interpolate(gathered(START, START), 3)
        assert torch.allclose(still.viewmats, START.viewmats.expand(3, 4, 4), atol=1e-6)

    def test_the_lens_zooms_along(self):
        zoomed = Cameras(START.viewmats, START.Ks * torch.tensor([[2.0], [2.0], [1.0]]), 64, 36)
        path = interpolate(gathered(START, dolly(zoomed, 2, distance=1.0)[1]), 3)
        assert torch.allclose(path.Ks[:, 0, 0], torch.tensor([60.0, 90.0, 120.0]))

    @settings(deadline=None, max_examples=40)
    @given(st.integers(0, 2**31), st.integers(2, 5), st.integers(2, 30))
    def test_any_poses_give_rigid_cameras(self, seed, poses, count):
        eyes = torch.randn(poses, 3, generator=torch.Generator().manual_seed(seed)) * 3 + 5
        views = look_at(eyes, torch.zeros(3), UP)
        path = interpolate(Cameras(views, K.expand(poses, 3, 3), 64, 36), count)  # Cameras checks rigidity
        rotation = path.viewmats[:, :3, :3]
        assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand(count, 3, 3), atol=1e-5)


class TestStudyPath:
    PATH = study_path(START, TARGET, 16, leg=5, frozen_time=2.0, up=UP)

    def test_four_stops_each_run_the_whole_time_range_while_the_camera_rests(self):
        assert len(self.PATH) == 4 * (16 + 5)
        for stop in range(4):
            rest = self.PATH[slice(stop * 21, stop * 21 + 16)]
            assert rest.moments.tolist() == list(range(16))
            assert torch.equal(rest.viewmats, rest.viewmats[:1].expand(16, 4, 4))

    def test_time_is_frozen_while_the_camera_moves_and_it_moves_evenly(self):
        for stop in range(4):
            moving = self.PATH[slice(stop * 21 + 16, stop * 21 + 21)]
            assert moving.moments.tolist() == [2.0] * 5
            there_and_on = [(stop * 21 + 15 + i) % 84 for i in range(7)]
            gaps = steps(self.PATH[there_and_on])
            assert torch.allclose(gaps, gaps[:1].expand(6), rtol=1e-3)
            assert gaps[0] > 0.1

    def test_the_stops_are_the_quarters_of_the_orbit(self):
        quarters = orbit(START, TARGET, 4, up=UP)
        assert torch.allclose(self.PATH[[0, 21, 42, 63]].viewmats, quarters.viewmats, atol=1e-6)

    def test_less_than_a_turn_ends_at_the_last_stop(self):
        path = study_path(START, TARGET, 3, degrees=90.0, leg=2, up=UP)
        assert len(path) == 4 * 3 + 3 * 2
        assert torch.allclose(path.viewmats[-1], orbit(START, TARGET, 2, degrees=90.0, up=UP).viewmats[-1], atol=1e-6)


class TestGuesses:
    def test_the_up_of_an_orbit_is_its_axis_even_for_cameras_that_look_down(self):
        path = orbit(camera(0.3, -3.0, 4.0), TARGET, 12, degrees=100.0, up=UP)
        assert torch.allclose(world_up(path), UP, atol=1e-4)

    def test_the_up_of_one_camera_is_its_own(self):
        assert torch.allclose(world_up(START), -START.viewmats[0, 1, :3])

    def test_the_target_of_an_orbit_is_what_it_turns_round(self):
        assert torch.allclose(look_target(orbit(START, TARGET, 6, degrees=60.0, up=UP)), TARGET, atol=1e-3)

    def test_cameras_that_look_apart_have_no_target(self):
        eyes = orbit(START, TARGET, 6, up=UP).positions
        outward = look_at(eyes, 2 * eyes - TARGET, UP)
        with pytest.raises(FieldError, match="behind 6 of 6"):
            look_target(Cameras(outward, K.expand(6, 3, 3), 64, 36))
