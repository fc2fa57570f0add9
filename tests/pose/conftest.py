"""Freeze-time clips of worlds with exact cameras, rendered once."""

from __future__ import annotations

import functools

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.video import Video
from fourreal.worlds import Shots, core_cameras, orbit_cameras, render, sample_worlds, spoil


def shots_of(seed: int, degrees: float, frames: int) -> Shots:
    """The cameras of a clip."""
    return orbit_cameras(sample_worlds([seed], "cpu"), frames, degrees=degrees)


@functools.cache
def clip(seed: int, degrees: float, frames: int = 16, warp: float = 0.0) -> tuple[Video, Cameras]:
    """A clip of 256x144 and its cameras."""
    world, shots = sample_worlds([seed], "cpu"), shots_of(seed, degrees, frames)
    rgb = render(world, shots, ss=1, geometry=False).rgb
    spoiled = spoil(rgb.float(), torch.tensor([seed]), warp=warp, drift=warp)
    return Video(spoiled.rgb[0].contiguous()), core_cameras(shots, 0)


def rotation_errors(found: Cameras, truth: Cameras) -> torch.Tensor:
    """[F] degrees between orientations, after the rotation of the world that brings them closest."""
    ours, theirs = found.viewmats[:, :3, :3].double(), truth.viewmats[:, :3, :3].double()
    u, _, vt = torch.linalg.svd((theirs.transpose(1, 2) @ ours).sum(0))
    rest = theirs @ (u @ vt) @ ours.transpose(1, 2)
    cosine = (rest.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return torch.rad2deg(cosine.clamp(-1, 1).acos())


@pytest.fixture
def world_clip():
    return clip


@pytest.fixture
def rotation_error():
    return rotation_errors
