"""Intersections against signed distances, and the two implementations against each other."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from fourreal.worlds import orbit_cameras, reference_cameras, render, render_fast, sample_worlds, trace, trace_cpu
from fourreal.worlds.picture import look, shadow_rays
from fourreal.worlds.render import geometry_of, rays_of, trimmed
from fourreal.worlds.trace import FAR, Geometry


def _rotation(rng: np.random.Generator) -> torch.Tensor:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return torch.tensor(q * np.sign(np.linalg.det(q)), dtype=torch.float32)


def _inside(kind: int, p: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Whether points in the primitive's own axes are inside it, from the definition of each solid."""
    radial = np.hypot(p[:, 0], p[:, 2])
    if kind == 0:
        return ((p / size) ** 2).sum(1) < 1
    if kind == 2:
        return (np.abs(p) < size).all(1)
    share = np.linspace(0, 1, 401)
    if kind == 1:  # the hull of two balls is the union of all balls between them
        y, r = size[1] * (2 * share - 1), size[0] + (size[2] - size[0]) * share
        return ((radial[:, None] ** 2 + (p[:, 1, None] - y) ** 2) < r**2).any(1)
    at = (p[:, 1] / size[1] + 1) / 2
    return (np.abs(p[:, 1]) < size[1]) & (radial < size[0] + (size[2] - size[0]) * at)


def _scene(kind: int, seed: int) -> tuple[Geometry, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    size = torch.tensor(rng.uniform(0.25, 0.8, 3), dtype=torch.float32)
    if kind in (1, 3):
        size[1] = float(rng.uniform(0.6, 1.0))
        size[2] = 0.15 if kind == 1 else 0.0 if seed % 2 else size[2]
    pools = [0, 0, 0, 0]
    pools[kind] = 1
    rot, center = _rotation(rng), torch.tensor(rng.uniform(-0.3, 0.3, 3), dtype=torch.float32)
    geo = Geometry(rot[None, None, None], center[None, None, None], size[None, None], tuple(pools), tuple(pools))
    origin = torch.tensor(rng.normal(size=3), dtype=torch.float32)
    origin = 3.5 * origin / origin.norm()
    aim = torch.tensor(rng.uniform(-1.0, 1.0, (200, 3)), dtype=torch.float32) - origin
    return geo, origin, aim / aim.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_intersections_agree_with_a_march(kind, seed):
    geo, origin, ways = _scene(kind, seed)
    t, _ = trace.first_hit(geo, origin[None, None], ways[None, None])
    steps = np.arange(0.5, 7.0, 0.01)
    points = origin.numpy() + ways.numpy()[:, None] * steps[None, :, None]
    local = (points - geo.center[0, 0, 0].numpy()) @ geo.rot[0, 0, 0].numpy()
    inside = np.stack([_inside(kind, row, geo.size[0, 0].numpy()) for row in local])
    marched = np.where(inside.any(1), steps[inside.argmax(1)], FAR)
    exact = t[0, 0].numpy()
    both = (marched < FAR) & (exact < FAR)
    assert both.sum() > 20
    assert (np.abs(marched - exact)[both] < 0.011).all()
    chord = inside.sum(1) * 0.01  # grazing rays may be missed by the march, not others
    assert not ((exact >= FAR) & (chord > 0.03)).any()
    assert ((exact < FAR) & (marched >= FAR)).sum() <= 4


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_compiled_loops_equal_torch(kind):
    for seed in range(4):
        geo, origin, ways = _scene(kind, seed)
        a, _ = trace.first_hit(geo, origin[None, None], ways[None, None])
        b, _ = trace_cpu.first_hit(geo, origin[None, None], ways[None, None])
        assert int(((a < FAR) != (b < FAR)).sum()) <= 1
        both = (a < FAR) & (b < FAR)
        assert torch.allclose(a[both], b[both], atol=2e-3)
        start = torch.rand(1, 1, 300, 3, generator=torch.Generator().manual_seed(seed)) * 4 - 2
        light = torch.nn.functional.normalize(torch.tensor([[0.3, 0.8, -0.5]]), dim=-1)
        dark = trace.occluded(geo, start, light)
        also = trace_cpu.occluded(geo, start, light, torch.ones_like(dark))
        assert 0 < int(dark.sum()) < 300
        assert int((dark != also).sum()) <= 2


def test_pictures_of_both_paths_agree():
    worlds = sample_worlds([3, 7, 19, 24])
    for shots in (reference_cameras(worlds, 2, 48, 27), orbit_cameras(worlds, 2, 48, 27)):
        a = render(worlds, shots, geometry=False)
        rgb, mask = render_fast(worlds, shots, batch=3, compiled=False)
        off = (a.rgb - rgb).abs()
        assert float(off.mean()) < 5e-4
        assert float((off > 0.02).float().mean()) < 5e-3
        assert float((a.mask - mask).abs().mean()) < 1e-3


ONE_GRAPH = """
import torch
from fourreal.worlds import reference_cameras, sample_worlds
from fourreal.worlds.bulk import render_rays
from fourreal.worlds.render import trimmed
worlds, lay = trimmed(sample_worlds([3, 7]))
shots = reference_cameras(worlds, 1, 16, 9)
graph = torch.compile(render_rays, backend="eager", fullgraph=True, dynamic=False)
assert torch.equal(graph(worlds, lay, shots, 2)[0], render_rays(worlds, lay, shots, 2)[0])
"""


@pytest.mark.slow
def test_bulk_renderer_is_one_graph():
    """In a process of its own: the shape checks of the tests are not meant to be compiled."""
    done = subprocess.run([sys.executable, "-c", ONE_GRAPH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.gpu
def test_kernels_equal_torch():
    trace_gpu = pytest.importorskip("fourreal.worlds.trace_gpu", exc_type=ImportError)
    worlds = sample_worlds([3, 7, 19, 24], "cuda")
    shots = reference_cameras(worlds, 2, 64, 35)
    trim, lay = trimmed(worlds)
    geo, rays = geometry_of(trim, shots.times, lay), rays_of(shots, 1)
    table = trace_gpu.packed(geo)
    a, slot = trace.first_hit(geo, rays.origin, rays.direction)
    b, other = trace_gpu.first_hit(table, geo, rays.origin, rays.direction)
    hit = (a < FAR) & (b < FAR)
    assert int(((a < FAR) != (b < FAR)).sum()) <= 2
    off = (a - b).abs()[hit] / a[hit]
    assert float(off.max()) < 1e-3
    assert float((off > 1e-4).float().mean()) < 1e-3
    apart = (slot != other)[hit]
    assert float(apart.float().mean()) < 0.01
    assert float(off[apart].max() if apart.any() else 0) < 1e-4  # ties of mirrored or nested parts
    start, needed = shadow_rays(trim, look(trim, geo, rays, a, slot))
    dark = trace.occluded(geo, start, trim.surroundings.sun) & needed
    also = trace_gpu.occluded(table, geo, start, trim.surroundings.sun, needed)
    assert int(dark.sum()) > 20
    assert int((dark != also).sum()) <= 4


@pytest.mark.gpu
def test_gpu_equals_cpu():
    seeds = list(range(8))
    worlds, other = sample_worlds(seeds), sample_worlds(seeds, "cuda")
    assert all(torch.equal(worlds.labels[k], other.labels[k].cpu()) for k in worlds.labels)
    assert torch.allclose(worlds.slots.center, other.slots.center.cpu(), atol=1e-5)
    a = render(worlds, reference_cameras(worlds, 2, 64, 36)).rgb
    b = render_fast(other, reference_cameras(other, 2, 64, 36), batch=8, compiled=False)[0].cpu()
    off = (a - b).abs()
    assert float(off.mean()) < 2e-3
    assert float((off > 0.03).float().mean()) < 2e-2
