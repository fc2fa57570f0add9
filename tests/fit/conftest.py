"""A tiny scene with known truth: a few hundred Gaussians on a table, seen by a ring of cameras."""

from __future__ import annotations

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.gaussians import Gaussians
from fourreal.core.paths import orbit
from fourreal.fit.static import Targets, render_cameras
from fourreal.raster.numba_cpu import render


def ring(count: int, width: int = 48, height: int = 32) -> Cameras:
    viewmat = torch.eye(4)
    viewmat[2, 3] = 4.0  # camera four units before the origin
    tilt = torch.tensor(0.4)
    viewmat[1:3, 1:3] = torch.tensor([[tilt.cos(), -tilt.sin()], [tilt.sin(), tilt.cos()]])
    K = torch.tensor([[width * 1.0, 0, width / 2], [0, width * 1.0, height / 2], [0, 0, 1]])
    start = Cameras(viewmat[None], K[None], width, height)
    return orbit(start, torch.zeros(3), count, up=torch.tensor([0.0, -1.0, 0.0]))


def blob(count: int, seed: int) -> Gaussians:
    g = torch.Generator().manual_seed(seed)
    means = torch.randn(count, 3, generator=g) * torch.tensor([0.8, 0.5, 0.8])
    quats = torch.randn(count, 4, generator=g)
    log_scales = torch.full((count, 3), -1.9) + 0.3 * torch.randn(count, 3, generator=g)
    return Gaussians(means, quats, log_scales, torch.ones(count), torch.rand(count, 3, generator=g))


@pytest.fixture(scope="session")
def targets() -> Targets:
    """Twelve 48x32 views of 200 known Gaussians."""
    cameras = ring(12)
    return Targets(render_cameras(blob(200, seed=1), cameras, render), cameras)


@pytest.fixture(scope="session")
def start() -> Gaussians:
    """A wrong first guess of 150 Gaussians."""
    return blob(150, seed=2)
