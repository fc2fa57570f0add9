from __future__ import annotations

import math

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import quat_exp, quat_to_matrix, rigid
from fourreal.pose.base import PoseReport, focal_tells, in_scene_frame, pinhole, step_angles, turning
from fourreal.pose.checks import examine, net_turning
from fourreal.pose.orbit import orbit_viewmats


def walk(degrees: float, count: int = 16, *, focal: float = 300.0, scale: torch.Tensor | None = None) -> Cameras:
    path = torch.zeros(count, 3, dtype=torch.float64)
    path[:, 0] = torch.linspace(0, math.radians(degrees), count, dtype=torch.float64)
    if scale is not None:
        path[:, 2] = scale.double().log()
    return Cameras(orbit_viewmats(path, 12.0).float(), pinhole(focal, 256, 144, count), 256, 144)


def severity(findings, name: str) -> str:
    return next(f.severity for f in findings if f.name == name)


def turned(cameras: Cameras, frame: int, degrees: float) -> Cameras:
    """One camera turned on the spot."""
    turn = quat_to_matrix(quat_exp(torch.tensor([0.0, math.radians(degrees), 0.0])))
    viewmats = cameras.viewmats.clone()
    viewmats[frame] = rigid(turn, torch.zeros(3)) @ viewmats[frame]
    return Cameras(viewmats, cameras.Ks, cameras.width, cameras.height)


@pytest.mark.parametrize("degrees", [15.0, -60.0, 120.0, 270.0, 360.0])
def test_a_plain_orbit_passes_every_check(degrees):
    cameras = walk(degrees)
    findings, arc = examine(cameras, points=torch.randn(50, 3) * 0.05, track_px=0.3)
    assert [f.words for f in findings if f.severity != "ok"] == []
    assert arc == pytest.approx(abs(degrees), rel=0.03)  # an elevated camera turns a little less than its azimuth
    assert {f.name for f in findings} == {"arc", "focal", "behind", "steps", "detour", "distance", "tracks"}


def test_a_jump_is_wrong_and_a_smaller_one_suspect():
    findings, _ = examine(turned(walk(60), 8, 50.0))
    assert severity(findings, "steps") == "wrong"
    words = next(f.words for f in findings if f.name == "steps")
    assert "frame 8 to 9" in words or "frame 7 to 8" in words
    assert severity(examine(turned(walk(60), 8, 10.0))[0], "steps") == "suspect"


def test_a_resting_camera_has_no_jumps():
    cameras = walk(0.0)
    findings, arc = examine(turned(cameras, 3, 0.05))
    assert severity(findings, "steps") == "ok"
    assert severity(findings, "arc") == "suspect"
    assert arc == pytest.approx(0.0, abs=0.01)


def test_steps_that_go_back_and_forth_are_told_from_a_way():
    cameras = walk(60)
    shaken = cameras
    for frame in range(1, 15):
        shaken = turned(shaken, frame, 3.0 * (-1) ** frame)
    assert severity(examine(shaken)[0], "detour") == "suspect"


def test_a_varying_distance_is_suspect_unless_it_was_asked_for():
    factor = torch.linspace(1.0, 1.5, 16)
    cameras = walk(60, scale=factor)
    assert severity(examine(cameras)[0], "distance") == "suspect"
    path = torch.zeros(16, 3)
    path[:, 0], path[:, 2] = torch.linspace(0, math.radians(60), 16), factor.log()
    findings, _ = examine(cameras, path=path)
    assert severity(findings, "distance") == "ok"
    assert severity(findings, "path") == "ok"


def test_a_turning_that_was_not_asked_for_is_suspect():
    path = torch.zeros(16, 3)
    path[:, 0] = torch.linspace(0, math.radians(360), 16)
    findings, _ = examine(walk(250), path=path)
    assert severity(findings, "path") == "suspect"
    assert "250 degrees, 360 were asked for" in next(f.words for f in findings if f.name == "path")


def test_focal_lengths_out_of_range_or_of_single_frames_are_suspect():
    assert severity(examine(walk(60, focal=30 * 256.0))[0], "focal") == "suspect"
    cameras = walk(60)
    Ks = cameras.Ks.clone()
    Ks[5, 0, 0] *= 1.2
    assert severity(examine(Cameras(cameras.viewmats, Ks, 256, 144))[0], "focal") == "suspect"


def test_points_behind_a_camera_are_wrong():
    cameras = walk(60)
    behind = torch.zeros(20, 3) + 3 * cameras.positions[0]
    assert severity(examine(cameras, points=behind)[0], "behind") == "wrong"


def test_followed_points_that_do_not_fit_are_suspect():
    assert severity(examine(walk(60), track_px=6.0)[0], "tracks") == "suspect"


def test_angles():
    cameras = walk(300, 31)
    assert step_angles(cameras.viewmats).numpy() == pytest.approx(10.0, abs=1e-2)
    assert net_turning(cameras) == pytest.approx(300, abs=0.1)
    assert turning(walk(90)) == pytest.approx(90, abs=0.1)


def test_the_scene_frame_has_the_canonical_camera_at_the_identity_and_the_scene_at_distance_one():
    cameras = walk(60)
    points = torch.randn(30, 3) * 0.1
    viewmats = cameras.viewmats.clone()
    viewmats[:, :3, 3] *= 7
    views = cameras.viewmats.clone()
    views[:, :3, 3] *= 7
    far = Cameras(views, cameras.Ks, 256, 144)
    moved, cloud = in_scene_frame(far, points * 7, 5)
    assert torch.equal(moved.viewmats[5], torch.eye(4))
    assert float((moved.positions - torch.tensor([0.0, 0, 1])).norm(dim=1).median()) == pytest.approx(1.0, abs=1e-3)
    for view in (0, 5, 15):
        before = points * 7 @ far.viewmats[view, :3, :3].T + far.viewmats[view, :3, 3]
        after = cloud @ moved.viewmats[view, :3, :3].T + moved.viewmats[view, :3, 3]
        assert torch.allclose(before[:, :2] / before[:, 2:], after[:, :2] / after[:, 2:], atol=1e-4)


def test_when_a_focal_length_is_believed():
    assert focal_tells(60, 0.3, 0.0)
    assert focal_tells(30, 0.3, 0.1)
    assert not focal_tells(30, 0.3, 0.01)
    assert not focal_tells(15, 0.3, 0.5)
    assert not focal_tells(60, 1.0, 0.5)


def test_a_report_says_everything_as_json_too():
    findings, arc = examine(turned(walk(60), 8, 50.0))
    report = PoseReport("colmap", 15, 16, 0.4, arc, 300.0, findings, ("tried",), 1.5)
    assert report.wrong
    assert report.suspicious
    data = report.to_json()
    assert data["suspicious"] is True
    assert data["checks"] == report.checks
    assert data["registered"] == 15
    assert "15 of 16 frames" in report.summary()
