"""Compiled kernels give the same bits in the process that compiles them and in those that find them in the cache.

A fit that was killed on its first day and goes on the next would end otherwise else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HASHES = """
import hashlib, torch
from fourreal.core.cameras import Cameras
from fourreal.fit.static import Targets
from fourreal.fit.stereo import depth_maps
from fourreal.raster.base import Splats, Views
from fourreal.raster.numba_cpu import render
from fourreal.worlds import core_cameras, orbit_cameras, sample_worlds
from fourreal.worlds import render as render_world

def shown(*tensors):
    return hashlib.sha256(b"".join(t.detach().contiguous().numpy().tobytes() for t in tensors)).hexdigest()[:16]

draw = torch.Generator().manual_seed(0)
means = torch.randn(3000, 3, generator=draw) + torch.tensor([0.0, 0.0, 4.0])
scales, rest = torch.full((3000, 3), 0.08), torch.rand(3000, 8, generator=draw)
leaves = [x.requires_grad_() for x in (means, rest[:, :4].contiguous(), scales, rest[:, 4].contiguous(),
                                       rest[:, 5:].contiguous())]
K = torch.tensor([[80.0, 0, 48], [0, 80.0, 27], [0, 0, 1]])[None]
made = render(Splats(*leaves), Views(torch.eye(4)[None], K, 96, 54), None)
made.color.square().sum().backward()
print("picture", shown(made.color))
print("gradients", shown(*(x.grad for x in leaves)))
worlds = sample_worlds([3])
shots = orbit_cameras(worlds, 6, 64, 36, degrees=50.0)
pictures = render_world(worlds, shots, geometry=False).rgb[0]
print("world", shown(pictures))
depth = depth_maps(Targets(pictures, core_cameras(shots, 0)))
print("depth", shown(depth.depth), shown(depth.votes))
"""


@pytest.mark.slow
def test_fresh_and_cached_kernels_agree_to_the_last_bit(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    words = [sys.executable, "-c", _HASHES]
    fresh, cached = (subprocess.run(words, env=environment, capture_output=True, text=True, check=True) for _ in "12")
    assert "compiling" in fresh.stderr
    assert "compiling" not in cached.stderr
    assert fresh.stdout == cached.stdout
    assert fresh.stdout.count("\n") == 4
