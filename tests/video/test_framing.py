"""Training clips show subjects as large as the picture holds them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fourreal.video.embedded.framing import framed
from fourreal.worlds import Worlds, clip_times, place_cameras, render, sample_worlds

SIZE = 64, 36
COUNT = 12


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return sample_worlds(range(500, 500 + COUNT))


def _masks(worlds: Worlds, start: Tensor, frames: int = 4) -> Tensor:
    """[B, H, W] where subjects are seen at any moment of a clip from a still camera at `start`."""
    path = start[:, None].expand(-1, frames, -1)
    times = clip_times(len(worlds), frames, torch.device("cpu")).contiguous()
    return (render(worlds, place_cameras(worlds, path, times, *SIZE)).mask > 0.5)[:, :, 0].any(1)


def _touches_edge(masks: Tensor) -> Tensor:
    return masks[:, 0].any(-1) | masks[:, -1].any(-1) | masks[:, :, 0].any(-1) | masks[:, :, -1].any(-1)


@pytest.mark.parametrize("degrees", [0, 75, 180])
def test_whoever_moves_through_a_clip_fills_the_picture_and_stays_in_it(worlds: Worlds, degrees: float) -> None:
    start = torch.tensor([[math.radians(degrees), 0.1, 0.0]]).expand(COUNT, -1)
    masks = _masks(framed(worlds, start[:, :], SIZE[0] / SIZE[1]), start)
    assert not _touches_edge(masks).any()
    alone = worlds.labels["second"] == 0
    share = torch.maximum(masks.any(2).float().mean(1), masks.any(1).float().mean(1))
    assert share[alone].min() > 0.5, "nobody is lost in the middle"
    assert share[alone].mean() > 0.7


def test_subjects_are_larger_than_before_the_worlds_own_camera(worlds: Worlds) -> None:
    start = torch.zeros(COUNT, 3)
    before, after = (_masks(w, start).float().mean((1, 2)) for w in (worlds, framed(worlds, start, SIZE[0] / SIZE[1])))
    assert (after.mean() / before.mean()) > 1.2


def test_only_target_and_distance_of_the_view_change(worlds: Worlds) -> None:
    view, own = framed(worlds, torch.zeros(COUNT, 3), 16 / 9).view, worlds.view
    for name in ("azimuth", "elevation", "fov"):
        assert torch.equal(getattr(view, name), getattr(own, name))
    assert not torch.equal(view.distance, own.distance)
    assert bool((view.distance > 0).all())


def test_two_of_them_leave_room_to_walk_round(worlds: Worlds) -> None:
    two = sample_worlds(range(900, 940))
    two = two[two.labels["second"] > 0]
    assert len(two) >= 6
    start, later = torch.zeros(len(two), 3), torch.zeros(len(two), 3)
    later[:, 0] = math.radians(60)
    assert _touches_edge(_masks(framed(two, start, SIZE[0] / SIZE[1]), later)).float().mean() < 0.4
