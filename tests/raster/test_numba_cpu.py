"""What only the numba rasterizer promises: determinism, thread safety, tiling, vectorised loops, one compilation."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from fourreal.core.errors import FieldError
from fourreal.core.kernels import FAST
from fourreal.raster import Splats, numba_cpu
from fourreal.raster import _kernels_tiles as tiles
from fourreal.raster import _kernels_tiles_adjoint as tiles_adjoint
from raster.scenes import everything, leaves, make_splats, make_views, random_loss


@pytest.mark.parametrize(("width", "height"), [(90, 70), (200, 130)])
def test_bits_repeat_whatever_the_threads(width: int, height: int) -> None:
    splats, views = make_splats(9000, 3, ("colors",)), make_views(3, width, height)
    small = splats._replace(scales=splats.scales * 0.3)
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 2, 1, 5):
            torch.set_num_threads(threads)
            runs.append(everything(numba_cpu.render, small, views, torch.float32))
    finally:
        torch.set_num_threads(before)
    for name, value in runs[0].items():
        for other in runs[1:]:
            assert torch.equal(value, other[name]), name


def test_the_order_of_the_gaussians_does_not_matter() -> None:
    splats, views = make_splats(300, 2), make_views(2, 40, 30)
    order = torch.randperm(300)
    straight = everything(numba_cpu.render, splats, views, torch.float32)
    shuffled = everything(numba_cpu.render, Splats(*(t[order] for t in splats)), views, torch.float32)
    for name in ("color", "alpha", "depth"):
        assert torch.equal(straight[name], shuffled[name])
    torch.testing.assert_close(straight["d means"][order], shuffled["d means"])


def test_rendering_on_several_threads_at_once() -> None:
    splats, views = make_splats(500, 2), make_views(2, 60, 40)
    expected = everything(numba_cpu.render, splats, views, torch.float32)
    found: list[dict[str, torch.Tensor]] = []

    def work() -> None:
        for _ in range(5):
            found.append(everything(numba_cpu.render, splats, views, torch.float32))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 15
    for one in found:
        for name, value in expected.items():
            assert torch.equal(one[name], value), name


def test_backward_on_another_thread() -> None:
    splats, views = leaves(make_splats(100, 2), make_views(2, 30, 20), torch.float32)
    loss = random_loss(numba_cpu.render(splats, views))
    worker = threading.Thread(target=loss.backward)
    worker.start()
    worker.join()
    assert splats.means.grad is not None
    assert splats.means.grad.any()


def test_gradients_add_up_over_two_renders_in_one_graph() -> None:
    splats, views = leaves(make_splats(100, 2), make_views(2, 30, 20), torch.float32)
    random_loss(numba_cpu.render(splats, views)).backward()
    assert splats.means.grad is not None
    once = splats.means.grad.clone()
    splats.means.grad = None
    (random_loss(numba_cpu.render(splats, views)) + random_loss(numba_cpu.render(splats, views))).backward()
    torch.testing.assert_close(splats.means.grad, 2 * once)


def test_float64_inputs_get_float64_gradients() -> None:
    splats, views = leaves(make_splats(20, 2), make_views(2, 30, 20), torch.float64)
    random_loss(numba_cpu.render(splats, views)).backward()
    assert splats.means.grad is not None
    assert splats.means.grad.dtype == torch.float64


def test_non_contiguous_inputs_and_gradients() -> None:
    splats, views = make_splats(50, 2), make_views(2, 30, 20)
    straight = everything(numba_cpu.render, splats, views, torch.float32)
    strided = Splats(*(torch.stack([t, -t], -1)[..., 0] for t in splats))
    found = everything(numba_cpu.render, strided, views, torch.float32)
    for name, value in straight.items():
        assert torch.equal(value, found[name]), name
    moved, views = leaves(splats, views, torch.float32)
    numba_cpu.render(moved, views).color.permute(0, 2, 3, 1).square().sum().backward()
    assert moved.means.grad is not None
    assert torch.isfinite(moved.means.grad).all()


def test_tensors_elsewhere_are_refused() -> None:
    splats, views = make_splats(5, 1), make_views(1, 8, 8)
    with pytest.raises(FieldError, match="scales is on meta"):
        numba_cpu.render(splats._replace(scales=splats.scales.to("meta")), views)


@given(width=st.integers(1, 2000), height=st.integers(1, 2000), cameras=st.integers(1, 64))
def test_tiles_cover_the_image(width: int, height: int, cameras: int) -> None:
    grid = numba_cpu._grid(width, height, cameras)
    assert grid.tile_w <= tiles.TILE_MAX
    assert grid.tile_h <= tiles.TILE_MAX
    assert (grid.across - 1) * grid.tile_w < width <= grid.across * grid.tile_w
    assert (grid.down - 1) * grid.tile_h < height <= grid.down * grid.tile_h
    assert grid.tile_w == 16 or grid.across * grid.down * cameras >= numba_cpu.TILES_MIN


@given(lanes=st.integers(1, 9), count=st.integers(0, 60))
def test_every_tile_is_dealt_once(lanes: int, count: int) -> None:
    turns = -(-count // lanes)
    deal = tiles.deal.py_func  # pyright: ignore[reportFunctionMemberAccess]
    dealt = [deal(lane, lanes, turn) for lane in range(lanes) for turn in range(turns)]
    assert sorted(i for i in dealt if i < count) == list(range(count))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 60), width=st.integers(1, 150), height=st.integers(1, 80))
def test_images_are_finite_and_within_range(seed: int, count: int, width: int, height: int) -> None:
    splats, views = leaves(make_splats(count, 2, seed=seed), make_views(2, width, height, seed=seed), torch.float32)
    out = numba_cpu.render(splats, views, torch.rand(3))
    assert ((out.alpha >= 0) & (out.alpha <= 1)).all()
    assert ((out.color >= 0) & (out.color <= 1 + 1e-5)).all()
    assert (out.depth >= 0).all()


def test_the_exponential() -> None:
    s = np.linspace(0, 6, 10_001, dtype=np.float32)
    found = tiles.exp_neg.py_func(s)  # pyright: ignore[reportFunctionMemberAccess]
    assert np.abs(found / np.exp(-s.astype(np.float64)) - 1).max() < 2e-6
    assert math.isclose(float(found[0]), 1.0, abs_tol=1e-7)


@pytest.mark.parametrize("row", [tiles._blend_row, tiles_adjoint._adjoint_row], ids=["forward", "adjoint"])
def test_the_pixel_loops_are_vector_code(row: object) -> None:
    """A changed index type or a moved buffer silently costs a factor of five: look at the instructions."""
    real = numba.float32
    signature = numba.void(real[::1], numba.uint64, numba.int64, real, real, numba.types.UniTuple(real, 8))
    compiled = njit(signature, fastmath=FAST, error_model="numpy")(row.py_func)  # type: ignore[attr-defined]
    assembly = next(iter(compiled.inspect_asm().values()))
    arm = platform.machine().lower() in ("arm64", "aarch64")
    vector = r"\bf(mul|mla|add)\s+v\d+\.4s" if arm else r"\bv?(mul|add|fn?madd\d+)ps\b"
    scalar = r"\bf(mul|madd|add)\s+s\d+" if arm else r"\bv?(mul|add|fn?madd\d+)ss\b"
    vectors, scalars = len(re.findall(vector, assembly)), len(re.findall(scalar, assembly))
    assert vectors >= 15
    assert vectors > scalars, (vectors, scalars)


_FIRST_CALL = """
import sys, time
sys.path.insert(0, sys.argv[1])
import torch
from raster.scenes import everything, make_splats, make_views
from fourreal.raster import select
render = select("cpu")
started = time.perf_counter()
everything(render, make_splats(50, 2), make_views(2, 20, 12), torch.float32)
print(time.perf_counter() - started)
"""


@pytest.mark.slow
def test_the_first_call_says_that_it_compiles_and_the_next_process_does_not(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", _FIRST_CALL, str(Path(__file__).parents[1])]
    said, took = [], []
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said.append(done.stderr)
        took.append(float(done.stdout))
    assert said[0].count("compiling the CPU rasterizer") == 1
    assert said[1] == ""
    assert took[1] < took[0] / 3
