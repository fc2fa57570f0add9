"""The CPU rasterizer: tiled, float32, hand-written adjoint, no atomics, deterministic.

Algorithm: project all Gaussians (`_kernels_project`), sort them by depth and deal them into tiles (`_kernels_bin`),
composite every tile front to back (`_kernels_tiles`); the adjoint walks the same lists. Conventions and thresholds are
those of gsplat 1.5.3's CUDA kernels. The result does not depend on the number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourreal.core.errors import FieldError
from fourreal.core.kernels import announced
from fourreal.core.threads import launch

from . import _kernels_bin as kb
from . import _kernels_project as kp
from . import _kernels_project_adjoint as kpa
from . import _kernels_tiles as kt
from . import _kernels_tiles_adjoint as kta
from ._inputs import backgrounds, check_inputs, with_cameras
from .base import Rendering, Splats, Views

TILES_MIN = 16  # tiles of all cameras together, if need be by making them smaller

_first_call = threading.RLock()
_ready = threading.Event()


class _Scene(NamedTuple):
    """Everything of one call as numpy views."""

    params: kp.Params
    cameras: kp.Cameras
    background: np.ndarray


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _zeros(shape: Sequence[int]) -> Tensor:
    """Zeros from the allocator: `torch.zeros` would wake torch's threads, which then compete with ours for a while."""
    return torch.from_numpy(np.zeros(tuple(shape), np.float32))


def _blocks(count: int) -> int:
    return -(-count // kp.BLOCK)


def _grid(width: int, height: int, cameras: int) -> kb.Grid:
    """Largest tiles (fewest list entries) that leave a few for each thread of a small machine.

    The actual number of threads does not enter: sums over tiles, hence last bits, would depend on it.
    """
    for side in (64, 32, 16):
        across, down = -(-width // side), -(-height // side)
        if across * down * cameras >= TILES_MIN or side == 16:
            return kb.Grid(side, side, across, down)
    raise AssertionError("unreachable")


def _bin(
    params: kp.Params,
    radii: np.ndarray,
    means2d: np.ndarray,
    geom: np.ndarray,
    size: tuple[int, int],
) -> tuple[kb.Lists, np.ndarray, kb.Grid]:
    """Sort and deal into tiles."""
    cameras, count = radii.shape[:2]
    grid = _grid(*size, cameras)
    visible, counts = np.zeros(cameras, np.int64), np.zeros((cameras, grid.across * grid.down), np.int32)
    launch(kb.count_pairs, means2d, radii, grid, visible, counts, items=cameras * count, parts=cameras)
    starts = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts.reshape(-1), out=starts[1:])
    firsts = np.zeros(cameras + 1, np.int64)
    np.cumsum(visible, out=firsts[1:])
    at = kb.Placement(firsts, starts[:: max(counts.shape[1], 1)].copy())
    lists = kb.Lists(
        np.empty((firsts[-1], kb.RECORD), np.float32),
        np.empty((starts[-1], 2), np.int32),
        starts,
        np.empty(cameras * count + 1, np.int32),
    )
    lists.slots[-1] = starts[-1]
    launch(kb.fill_lists, params, means2d, radii, geom, grid, at, lists, items=cameras * count, parts=cameras)
    order = np.argsort(-counts.reshape(-1), kind="stable").astype(np.int32)
    return lists, order, grid


class _Project(torch.autograd.Function):
    """Splats and cameras -> means2d, (conic, depth), radii."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        means, quats, scales, viewmats, opacities, colors, cameras = inputs
        params = kp.Params(*(_array(t) for t in (means, quats, scales, opacities, colors)))
        count = means.shape[1]
        ctx.cameras = kp.Cameras(_array(viewmats), cameras.intrinsics, cameras.size)
        radii = torch.empty(len(viewmats), count, 2, dtype=torch.int32)
        means2d, geom = torch.empty(len(viewmats), count, 2), torch.empty(len(viewmats), count, 4)
        out = (radii.numpy(), means2d.numpy(), geom.numpy())
        launch(kp.project, params, ctx.cameras, *out, items=radii.numel(), parts=_blocks(count))
        ctx.save_for_backward(means, quats, scales, viewmats, opacities, colors, radii, geom)
        ctx.mark_non_differentiable(radii)
        return means2d, geom, radii

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        means, quats, scales, viewmats, opacities, colors, radii, geom = ctx.saved_tensors
        params = kp.Params(*(_array(t) for t in (means, quats, scales, opacities, colors)))
        grads = [_zeros(t.shape) for t in (means, quats, scales)]
        blocks = _blocks(means.shape[1])
        pose = np.zeros((blocks, len(viewmats), 12))
        up = kpa.Upstream(radii.numpy(), geom.numpy(), _array(upstream[0]), _array(upstream[1]))
        v_means, v_quats, v_scales = (g.numpy() for g in grads)
        target = kpa.ParamGrads(v_means, v_quats, v_scales, pose)
        launch(kpa.project_adjoint, params, ctx.cameras, up, target, items=radii.numel(), parts=blocks)
        v_viewmats = _zeros(viewmats.shape)
        v_viewmats[:, :3] = torch.from_numpy(pose.sum(0).astype(np.float32)).reshape(-1, 3, 4)
        return (*grads, v_viewmats, None, None, None)


class _Composite(torch.autograd.Function):
    """means2d, (conic, depth), opacities, colours -> images."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        means2d, geom, opacities, colors, radii, scene, absgrad = inputs
        cameras, (width, height) = len(means2d), (int(v) for v in scene.cameras.size)
        out = (
            torch.empty(cameras, 3, height, width),
            torch.empty(cameras, 1, height, width),
            torch.empty(cameras, 1, height, width),
        )
        lists, order, grid = _bin(scene.params, radii.numpy(), _array(means2d), _array(geom), (width, height))
        images = kt.Images(*(t.numpy() for t in out))
        pairs, tiles = len(lists.pairs), len(order)
        launch(kt.composite, lists, order, grid, scene.background, images, items=pairs, parts=tiles)
        ctx.save_for_backward(*out)
        ctx.binned, ctx.means2d = (lists, order, grid), means2d if absgrad else None
        ctx.shapes = means2d.shape, opacities.shape, colors.shape
        ctx.set_materialize_grads(False)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *upstream: Any) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        out = ctx.saved_tensors
        v_out = kt.Images(
            *(np.zeros(t.shape, np.float32) if g is None else _array(g) for t, g in zip(out, upstream, strict=True))
        )
        lists, order, grid = ctx.binned
        means2d, opacities, colors = ctx.shapes
        slots = np.empty((len(lists.pairs), kta.SLOT), np.float32)
        sums = [
            torch.empty(means2d),
            torch.empty(*means2d[:2], 4),
            _zeros(opacities),
            _zeros(colors),
        ]
        absolute = torch.empty(means2d if ctx.means2d is not None else (0, 0, 2))
        v_means2d, v_geom, v_opacities, v_colors = (t.numpy() for t in sums)
        drawn = kt.Images(*(t.numpy() for t in out))
        launch(kta.composite_adjoint, lists, order, grid, drawn, v_out, slots, items=len(slots), parts=len(order))
        target = kta.ScreenGrads(v_means2d, absolute.numpy(), v_geom, v_opacities, v_colors)
        launch(kta.gather, lists.slots, slots, target, items=len(lists.slots), parts=_blocks(means2d[1]))
        if ctx.means2d is not None:
            ctx.means2d.absgrad = absolute
        return (*sums, None, None, None)


def render(
    splats: Splats, views: Views, background: Float[Tensor, "*C 3"] | None = None, *, absgrad: bool = False
) -> Rendering:
    """Draw `splats` into `views` on the CPU (see `Splats`, `Views`, `Rendering` for shapes and units).

    Arithmetic is float32 whatever the inputs' dtype. Gradients reach means, quats, scales, opacities, colors and
    viewmats, not Ks or the background. A Gaussian with a NaN or infinite parameter, a zero quaternion, or an
    opacity below 1/255 is not drawn; its gradients are 0. With `absgrad`, `means2d.absgrad` holds after `backward()`
    the sum over pixels of |dL/d means2d| (AbsGS, arXiv 2404.10484), in pixels^-1 like `means2d.grad`.

    The first call compiles the kernels (about 20 s, said on stderr) and caches them on disk. As many threads are used
    as torch uses (`torch.set_num_threads`); the result does not depend on it, to the last bit. Raises `FieldError` if a
    shape does not fit or a tensor is not on the CPU.

    Sources: EWA splatting (Zwicker et al. 2001), 3D Gaussian splatting (Kerbl et al. 2023), gsplat (arXiv 2409.06765).
    """
    check_inputs(splats, views, background)
    for name, value in (*splats._asdict().items(), ("viewmats", views.viewmats)):
        if value.device.type != "cpu":
            raise FieldError(f"the CPU rasterizer needs tensors on the CPU, but {name} is on {value.device}")
    if not _ready.is_set():
        with _first_call:
            if not _ready.is_set():
                _warm_up()
    return _render(splats, views, background, absgrad)


def _render(splats: Splats, views: Views, background: Tensor | None, absgrad: bool) -> Rendering:
    means, quats, scales, opacities, colors = (t.to(torch.float32) for t in with_cameras(splats))
    viewmats = views.viewmats.to(torch.float32)
    size = np.array([views.width, views.height], np.float32)
    cameras = kp.Cameras(_array(viewmats), _array(views.Ks.to(torch.float32)), size)
    scene = _Scene(
        kp.Params(*(_array(t) for t in (means, quats, scales, opacities, colors))),
        cameras,
        _array(backgrounds(background, len(viewmats), means)),
    )
    means2d, geom, radii = _Project.apply(means, quats, scales, viewmats, opacities, colors, cameras)
    color, alpha, depth = _Composite.apply(means2d, geom, opacities, colors, radii, scene, absgrad)
    return Rendering(color, alpha, depth, means2d, radii)


def _warm_up() -> None:
    """Load the kernels from numba's disk cache, or compile them, by one tiny forward and backward."""
    with announced(), torch.enable_grad():
        one = torch.ones(1)
        means = torch.tensor([[0.0, 0.0, 2.0]], requires_grad=True)
        splats = Splats(means, torch.tensor([[1.0, 0, 0, 0]]), torch.full((1, 3), 0.1), one, one[:, None].expand(1, 3))
        views = Views(torch.eye(4)[None], torch.tensor([[[8.0, 0, 4], [0, 8, 4], [0, 0, 1]]]), 8, 8)
        _render(splats, views, None, True).color.sum().backward()
    _ready.set()
