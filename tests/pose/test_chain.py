from __future__ import annotations

import math
import sys

import pytest
import torch

from fourreal.core.errors import FieldError, MissingDependencyError
from fourreal.core.video import Video
from fourreal.pose import Colmap, Known, Orbit, PoseError, PoseHint, estimate_poses
from fourreal.pose._sfm import frame_pairs
from fourreal.pose.colmap import interpolated


def gray(frames: int) -> Video:
    return Video(torch.full((frames, 3, 48, 64), 0.5))


def test_given_cameras_are_kept_in_their_own_frame_at_the_size_of_the_clip(world_clip):
    video, truth = world_clip(4, 40.0, 8)
    poses = estimate_poses(video, PoseHint(known=truth.resized(512, 288)))
    assert torch.allclose(poses.cameras.viewmats, truth.viewmats)
    assert torch.allclose(poses.cameras.Ks, truth.Ks, rtol=1e-5)
    assert poses.report.method == "known"
    assert not poses.report.suspicious


def test_given_cameras_must_fit(world_clip):
    video, truth = world_clip(4, 40.0, 8)
    with pytest.raises(FieldError, match="8 in all, got 7"):
        estimate_poses(video, PoseHint(known=truth[:7]))
    with pytest.raises(FieldError, match="the clip was cropped"):
        estimate_poses(video, PoseHint(known=truth.resized(256, 256)))
    with pytest.raises(PoseError, match="no cameras are given"):
        Known().estimate(video, PoseHint())


def test_without_pycolmap_the_orbit_takes_over_and_the_diagnosis_says_why(world_clip, rotation_error, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    video, truth = world_clip(4, 40.0, 8)
    poses = estimate_poses(video)
    assert "pycolmap is not installed; pip install 'fourreal[sfm]'" in poses.report.diagnosis[0]
    assert poses.report.diagnosis[-1].startswith("kept orbit")
    assert float(rotation_error(poses.cameras, truth).median()) < 0.5
    with pytest.raises(MissingDependencyError):
        Colmap().build()


def test_a_clip_with_nothing_to_hold_on_to_ends_in_the_prior_with_a_warning():
    path = torch.zeros(6, 3)
    path[:, 0] = torch.linspace(0, math.radians(30), 6)
    poses = estimate_poses(gray(6), PoseHint(path=path, canonical=2))
    assert "registered at most 0 of 6 frames" in poses.report.diagnosis[0]
    assert poses.report.method == "orbit (the prior as it is)"
    assert poses.report.arc_degrees == pytest.approx(30, abs=0.1)
    assert torch.equal(poses.cameras.viewmats[2], torch.eye(4))


def test_a_failure_says_how_many_frames_registered_and_why():
    with pytest.raises(PoseError, match="no two frames fit together") as caught:
        estimate_poses(gray(5), methods=("known", "colmap"))
    assert (caught.value.registered, caught.value.total) == (0, 5)
    with pytest.raises(PoseError, match="at least 3 frames, got 2"):
        Colmap().estimate(gray(2), PoseHint())
    with pytest.raises(PoseError, match="no cameras are given"):
        estimate_poses(gray(3), methods=("known",))


def test_bad_hints_are_refused():
    with pytest.raises(FieldError, match=r"must lie in 0\.\.4, got 5"):
        estimate_poses(gray(5), PoseHint(canonical=5))
    with pytest.raises(FieldError, match="must have 5 poses, one a frame of the clip, got 4"):
        estimate_poses(gray(5), PoseHint(path=torch.zeros(4, 3)))
    with pytest.raises(FieldError, match="positive number of pixels"):
        PoseHint(focal=-1.0)
    with pytest.raises(FieldError, match="known, colmap, orbit"):
        estimate_poses(gray(5), methods=())


def test_pairs_to_match():
    assert frame_pairs(4, None) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    pairs = frame_pairs(40, 3)
    assert {b - a for a, b in pairs} == {1, 2, 3, 4}
    assert (0, 39) not in pairs
    assert (0, 39) in frame_pairs(40, 3, closed=True)
    assert all(0 <= a < b < 40 for a, b in frame_pairs(40, 3, closed=True))


def test_frames_that_were_not_registered_lie_between_their_neighbours(world_clip):
    _, truth = world_clip(4, 40.0, 8)
    some = (1, 2, 4, 5, 6)
    filled = interpolated(truth.viewmats[list(some)].double(), some, 8).float()
    assert torch.allclose(filled, truth.viewmats, atol=1e-4)


def test_an_orbit_without_refinement_is_the_path_itself():
    path = torch.zeros(5, 3)
    path[:, 0] = torch.linspace(0, math.radians(-50), 5)
    poses = Orbit(refine=False).estimate(gray(5), PoseHint(path=path, focal=70.0))
    assert poses.report.arc_degrees == pytest.approx(50, abs=0.1)
    assert float(poses.cameras.positions[-1, 0]) < -0.5  # to the left
    assert torch.allclose(poses.cameras.Ks[:, 0, 0], torch.tensor(70.0))
    assert poses.report.reprojection_px is None
