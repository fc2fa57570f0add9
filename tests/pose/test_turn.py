"""A clip that turns less than it was told is found out; one that does as told is believed."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.core.video import Video
from fourreal.pose.turn import turned_share
from fourreal.worlds import orbit_cameras, render, sample_worlds


@pytest.fixture(scope="module")
def clip() -> Video:
    """A world, 60 degrees round."""
    worlds = sample_worlds([3])
    return Video(render(worlds, orbit_cameras(worlds, 12, 192, 108, degrees=60.0), geometry=False).rgb[0])


def told(degrees: float) -> torch.Tensor:
    path = torch.zeros(12, 3)
    path[:, 0] = math.radians(degrees) * torch.linspace(-0.5, 0.5, 12)
    return path


def test_a_clip_that_does_as_told_is_believed(clip: Video) -> None:
    assert turned_share(clip, told(60.0)) == 1.0


def test_a_clip_that_turns_less_is_found_out(clip: Video) -> None:
    assert turned_share(clip, told(100.0)) == pytest.approx(0.6, abs=0.11)


def test_where_nothing_can_be_followed_the_path_is_believed() -> None:
    assert turned_share(Video(torch.full((12, 3, 54, 96), 0.5)), told(90.0)) == 1.0


def test_of_turnings_that_fit_alike_the_one_nearest_to_the_asked_is_taken(
    clip: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {0.4: 1.41, 0.5: 1.42, 0.6: 1.49, 0.7: 1.62, 1.0: 2.27}  # of a drawn panda

    def error(_: object, __: object, path: torch.Tensor) -> float:
        return errors.get(round(float(path[-1, 0]) / math.radians(30.0), 1), 3.0)

    monkeypatch.setattr("fourreal.pose.turn._error", error)
    assert turned_share(clip, told(60.0)) == 0.5
