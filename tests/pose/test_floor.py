"""How high a camera looks down on its subject, from the ground that passes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fourreal.core.errors import FieldError
from fourreal.core.video import Video
from fourreal.pose.base import FOCAL_PRIOR, PoseHint
from fourreal.pose.floor import floor_elevation
from fourreal.pose.orbit import Orbit
from fourreal.worlds import place_cameras, render, sample_worlds


def walk(frames: int = 36, degrees: float = 150.0) -> Tensor:
    azimuth = torch.deg2rad(torch.linspace(-degrees / 2, degrees / 2, frames))
    return torch.stack((azimuth, torch.zeros(frames), torch.zeros(frames)), -1)


def filmed(seed: int, path: Tensor) -> tuple[Video, float, float]:
    """A world from a path about its subject, the elevation of its cameras in degrees, and their focal length."""
    worlds = sample_worlds(torch.tensor([seed]), torch.device("cpu"))
    shots = place_cameras(worlds, path[None], torch.full((1, len(path)), 0.5), 64, 36)
    clip = Video(render(worlds, shots, ss=2, geometry=False).rgb[0], 8.0)
    return clip, math.degrees(float(worlds.view.elevation)), float(shots.Ks[0, 0, 0, 0])


@pytest.mark.parametrize("seed", [101, 103, 107, 110])
def test_of_a_true_walk_it_is_found(seed: int) -> None:
    path = walk()
    clip, truth, focal = filmed(seed, path)
    found = floor_elevation(clip, path, focal)
    assert found is not None
    assert abs(found - truth) < 3


def test_it_is_that_of_the_path_where_it_is_zero() -> None:
    path = walk()
    clip, _, focal = filmed(103, path)
    level = floor_elevation(clip, path, focal)
    lifted = floor_elevation(clip, path - torch.tensor([0.0, math.radians(8), 0.0]), focal)
    assert level is not None
    assert lifted is not None
    assert abs(lifted - level - 8) <= 4


def test_a_clip_without_ground_or_of_a_few_frames_does_not_tell() -> None:
    noise = torch.rand(20, 3, 36, 64, generator=torch.Generator().manual_seed(0))
    assert floor_elevation(Video(noise, 8.0), walk(20), 60.0) is None
    assert floor_elevation(Video(noise[:3], 8.0), walk(3), 60.0) is None


def test_an_orbit_believes_the_elevation_that_it_is_told() -> None:
    path = walk()
    clip, truth, _ = filmed(110, path)
    hint = PoseHint(18, path, FOCAL_PRIOR * clip.width, turned=True, elevation=truth)
    found = Orbit().estimate(clip, hint)
    assert f"{truth:.0f} degrees above the horizon" in found.report.method


@pytest.mark.parametrize("elevation", [90.0, math.nan])
def test_an_elevation_that_is_none_is_refused(elevation: float) -> None:
    with pytest.raises(FieldError, match="elevation"):
        PoseHint(elevation=elevation)
