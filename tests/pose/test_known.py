"""Given cameras are believed, until the pictures plainly say otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import MissingDependencyError
from fourreal.core.geometry import quat_exp, quat_to_matrix
from fourreal.core.video import Video
from fourreal.pose import Colmap, Known, PoseHint, differences
from fourreal.pose.base import scene_distance

WorldClip = Callable[..., tuple[Video, Cameras]]


def disturbed(cameras: Cameras, canonical: int, degrees: float = 2.0, percent: float = 2.0) -> Cameras:
    """All but the canonical camera turned and moved at random."""
    draw = torch.randn(2, len(cameras), 3, generator=torch.Generator().manual_seed(1))
    draw = torch.nn.functional.normalize(draw, dim=-1)
    draw[:, canonical] = 0
    turn = quat_to_matrix(quat_exp(torch.deg2rad(torch.tensor(degrees)) * draw[0]))
    shift = percent / 100 * scene_distance(cameras, torch.zeros(0, 3), 0) * draw[1]
    views = cameras.viewmats.clone()
    views[:, :3, :3] = turn @ views[:, :3, :3]
    views[:, :3, 3] = -(views[:, :3, :3] @ (cameras.positions + shift)[..., None]).squeeze(-1)
    views[canonical] = cameras.viewmats[canonical]
    return replace(cameras, viewmats=views)


def test_noise_on_given_cameras_is_taken_out(world_clip: WorldClip) -> None:
    video, truth = world_clip(1, 50.0, 10)
    poses = Known().estimate(video, PoseHint(3, known=disturbed(truth, 3)))
    degrees, percent = differences(poses.cameras, truth)
    assert degrees.median() < 1.0
    assert percent.median() < 1.4
    assert torch.equal(poses.cameras.viewmats[3], truth.viewmats[3])
    assert "were corrected by" in poses.report.summary()
    assert not poses.report.given


@pytest.mark.parametrize("warp", [0.0, pytest.param(0.7, marks=pytest.mark.slow)])
def test_true_cameras_stay_bit_for_bit(world_clip: WorldClip, warp: float) -> None:
    video, truth = world_clip(1, 50.0, 10, warp)
    poses = Known().estimate(video, PoseHint(0, known=truth))
    assert torch.equal(poses.cameras.viewmats, truth.viewmats)
    assert not [f for f in poses.report.findings if f.name == "given"]
    assert poses.report.given


def test_without_anything_better_wrong_cameras_are_kept_and_the_report_says_so(
    world_clip: WorldClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingDependencyError("pycolmap is not installed")

    monkeypatch.setattr(Colmap, "estimate", missing)
    video, truth = world_clip(1, 50.0, 10)
    noisy = disturbed(truth, 0)
    poses = Known().estimate(video, PoseHint(0, known=noisy))
    assert torch.equal(poses.cameras.viewmats, noisy.viewmats)
    assert "are kept, for there are no others: pycolmap is not installed" in poses.report.summary()
    alone = Known(refine=False).estimate(video, PoseHint(0, known=noisy))
    assert not [f for f in alone.report.findings if f.name == "given"]
