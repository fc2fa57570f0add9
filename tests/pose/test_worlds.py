"""Estimated against exact cameras."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import align_cameras
from fourreal.core.video import Video
from fourreal.pose import Colmap, Orbit, PoseHint, Poses, reference_cameras
from fourreal.pose.base import PoseReport
from fourreal.pose.tracks import follow, track_error
from fourreal.worlds import core_cameras, orbit_cameras, render, sample_worlds


def swept(degrees: float, frames: int) -> torch.Tensor:
    path = torch.zeros(frames, 3)
    path[:, 0] = torch.linspace(0, math.radians(degrees), frames)
    return path


def test_structure_from_motion_finds_cameras_and_points(world_clip, rotation_error):
    video, truth = world_clip(4, 45.0, 7)
    poses = Colmap().build().estimate(video, PoseHint(canonical=3))
    assert poses.report.registered == 7
    assert not poses.report.suspicious, poses.report.summary()
    assert float(rotation_error(poses.cameras, truth).median()) < 0.5
    assert poses.report.focal_px == pytest.approx(float(truth.Ks[0, 0, 0]), rel=0.05)
    assert torch.equal(poses.cameras.viewmats[3], torch.eye(4))
    assert len(poses.points) > 100
    assert poses.report.seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_structure_from_motion_on_more_worlds(world_clip, rotation_error, seed):
    video, truth = world_clip(seed, 60.0)
    poses = Colmap().estimate(video, PoseHint())
    assert float(rotation_error(poses.cameras, truth).median()) < 0.5
    assert not poses.report.suspicious, poses.report.summary()


@pytest.mark.slow
def test_structure_from_motion_repeats_itself(world_clip):
    video, _ = world_clip(4, 60.0, 10)
    a, b = (Colmap().estimate(video, PoseHint()) for _ in range(2))
    assert torch.equal(a.cameras.viewmats, b.cameras.viewmats)


@pytest.mark.parametrize(("seed", "degrees"), [(1, 50.0), pytest.param(4, -50.0, marks=pytest.mark.slow)])
def test_an_arc_is_found_without_any_prior(world_clip, rotation_error, seed, degrees):
    video, truth = world_clip(seed, degrees, 10)
    poses = Orbit().estimate(video, PoseHint())
    assert float(rotation_error(poses.cameras, truth).median()) < 0.5
    assert not poses.report.suspicious, poses.report.summary()
    moved = align_cameras(poses.cameras, truth).apply_cameras(poses.cameras).positions - truth.positions
    distance = float(truth.positions.norm(dim=1).mean())
    assert float(moved.norm(dim=1).median()) < 0.02 * distance


@pytest.mark.parametrize(("degrees", "frames"), [(20.0, 6), pytest.param(60.0, 10, marks=pytest.mark.slow)])
def test_a_camera_path_tells_the_focal_length_even_on_small_arcs(world_clip, rotation_error, degrees, frames):
    video, truth = world_clip(4, degrees, frames)
    poses = Orbit().estimate(video, PoseHint(path=swept(degrees, len(video))))
    assert float(rotation_error(poses.cameras, truth).median()) < 0.5
    assert poses.report.focal_px == pytest.approx(float(truth.Ks[0, 0, 0]), rel=0.1)


def test_followed_points_convict_poses_that_look_like_a_fine_walk(world_clip):
    video, truth = world_clip(1, 50.0, 10)
    trail = follow(video.frames)
    right = track_error(truth, trail)
    assert right is not None
    assert right < 0.4
    # Half the turning, the way a texture that repeats deceives matching: smooth, level, and wrong.
    slow = core_cameras(orbit_cameras(sample_worlds([1], "cpu"), 10, degrees=25.0), 0)
    wrong = track_error(slow, trail)
    assert wrong is not None
    assert wrong > 4 * right


def test_a_known_focal_length_is_left_alone(world_clip):
    video, truth = world_clip(4, 60.0, 10)
    poses = Orbit().estimate(video, PoseHint(focal=float(truth.Ks[0, 0, 0])))
    assert poses.report.focal_px == pytest.approx(float(truth.Ks[0, 0, 0]), rel=1e-5)


def test_a_reference_camera_at_rest_is_the_canonical_one(world_clip):
    video, truth = world_clip(4, 60.0, 10)
    poses = Poses(truth, PoseReport("known", 10, 10))
    still = Video(video.frames[2:3].repeat(5, 1, 1, 1))
    found = reference_cameras(still, video, poses, canonical=2)
    assert torch.allclose(found.cameras.viewmats, truth.viewmats[2].expand(5, 4, 4))
    assert found.cameras.moments.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_a_moving_reference_camera_is_registered_with_the_scene(world_clip):
    video, truth = world_clip(4, 60.0)
    world = sample_worlds([4], "cpu")
    shots = orbit_cameras(world, 8, degrees=20, rise=5, moment=None)
    reference = Video(render(world, shots, geometry=False).rgb[0])
    wanted = core_cameras(shots, 0)
    found = reference_cameras(reference, video, Poses(truth, PoseReport("known", 16, 16)), canonical=0)
    assert found.report.registered >= 6
    rest = found.cameras.viewmats[:, :3, :3] @ wanted.viewmats[:, :3, :3].transpose(1, 2)
    angle = torch.rad2deg(((rest.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1).acos())
    assert float(angle.median()) < 0.7
    assert isinstance(found.cameras, Cameras)
