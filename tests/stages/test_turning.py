"""Points followed through a clip may doubt its turning; what explains the pictures decides."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.core.video import Video
from fourreal.pose import Orbit, PoseHint
from fourreal.stages import turning
from fourreal.stages.small import explained
from fourreal.stages.turning import nearest_of_the_best, settled_share
from fourreal.worlds import orbit_cameras, render, sample_worlds


@pytest.fixture(scope="module")
def clip() -> Video:
    """A world, 90 degrees round."""
    worlds = sample_worlds([1012])
    shots = orbit_cameras(worlds, 24, 128, 72, degrees=90.0, moment=0.4)
    return Video(render(worlds, shots, geometry=False).rgb[0])


def told(degrees: float) -> torch.Tensor:
    path = torch.zeros(24, 3)
    path[:, 0] = math.radians(degrees) * torch.linspace(-0.5, 0.5, 24)
    return path


@pytest.mark.slow
def test_points_that_err_are_overruled_by_the_pictures(clip: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "turned_share", lambda *_: 0.5)
    assert settled_share(clip, told(90.0)) == (1.0, True)


def test_a_clip_that_turns_half_as_far_is_explained_best_by_half_the_path(clip: Video) -> None:
    few = Video(clip.frames[::2])
    found = {share: explained(few, told(180.0)[::2], share) for share in (0.5, 1.0)}
    assert found[0.5] > found[1.0] + 1.0


def test_nothing_is_fitted_where_the_points_do_not_doubt(clip: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "turned_share", lambda *_: 1.0)
    monkeypatch.setattr(turning, "explained", lambda *_: pytest.fail("fitted"))
    assert settled_share(clip, told(90.0)) == (1.0, False)


@pytest.mark.parametrize(
    ("worth", "settled"),
    [
        ({1.0: 29.2, 0.6: 26.6}, 1.0),  # the points are wrong: nothing between is fitted
        ({1.0: 27.6, 0.8: 28.4, 0.6: 27.5}, 0.8),
        ({1.0: 24.0, 0.8: 25.0, 0.6: 26.5}, 0.6),
    ],
)
def test_what_explains_the_clip_decides(
    clip: Video, monkeypatch: pytest.MonkeyPatch, worth: dict[float, float], settled: float
) -> None:
    monkeypatch.setattr(turning, "turned_share", lambda *_: 0.6)
    monkeypatch.setattr(turning, "explained", lambda *a: worth[round(a[2], 3)])
    assert settled_share(clip, told(90.0)) == (settled, True)


@pytest.mark.parametrize(
    ("found", "share"),
    [
        ({1.0: 29.2, 0.8: 29.6, 0.6: 26.6}, 1.0),  # drawn pandas
        ({1.0: 27.6, 0.85: 28.4, 0.7: 24.5}, 0.85),
        ({1.0: 24.0, 0.75: 26.0, 0.5: 26.5}, 0.75),
    ],
)
def test_of_turnings_that_explain_a_clip_alike_the_one_nearest_to_the_asked_is_taken(
    found: dict[float, float], share: float
) -> None:
    assert nearest_of_the_best(found) == share


def test_a_turning_that_is_settled_is_not_searched_again(clip: Video) -> None:
    far = Orbit().estimate(clip, PoseHint(path=told(130.0), focal=128.0, turned=True))
    free = Orbit().estimate(clip, PoseHint(path=told(130.0), focal=128.0))
    assert "turning times 1," in far.report.method
    assert far.report.arc_degrees == pytest.approx(130.0, abs=8.0)
    assert free.report.arc_degrees < far.report.arc_degrees
