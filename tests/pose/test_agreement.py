"""Clips whose frames agree are told from those whose frames contradict each other, before anything is fitted."""

from __future__ import annotations

import torch

from fourreal.pose.agreement import disagreement
from fourreal.pose.tracks import Trail, follow
from fourreal.stages.canonical import CanonicalConfig


def test_a_true_clip_agrees_and_a_warped_one_does_not(world_clip) -> None:
    limit = CanonicalConfig(()).warp_above
    for seed in (3, 7):
        found = []
        for warp in (0.0, 0.3, 0.6):
            video, cameras = world_clip(seed, 60.0, warp=warp)
            found.append(disagreement(cameras, follow(video.frames)))
        assert found[0] < limit < found[1] < found[2]


def test_wrong_cameras_disagree_with_a_true_clip(world_clip) -> None:
    video, cameras = world_clip(3, 60.0)
    trail = follow(video.frames)
    mixed = cameras[torch.randperm(len(cameras), generator=torch.Generator().manual_seed(0))]
    assert disagreement(mixed, trail) > 3 * disagreement(cameras, trail)


def test_nothing_to_follow_tells_nothing(world_clip) -> None:
    _, cameras = world_clip(3, 60.0)
    nobody = torch.zeros(0, dtype=torch.long)
    assert disagreement(cameras, Trail(nobody, nobody, torch.zeros(0, 2), 0)) is None
