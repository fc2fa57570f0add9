"""The GPU rasterizer: an adapter of gsplat 1.5.3's CUDA kernels (arXiv 2409.06765) to our contract."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FieldError, MissingDependencyError
from fourreal.core.record import Recorder

from ._inputs import (
    MEAN_MAX,
    QUAT_NORM2_MAX,
    QUAT_NORM2_MIN,
    SCALE_MAX,
    VALUE_MAX,
    backgrounds,
    check_inputs,
    drawable,
    with_cameras,
)
from .base import EPS2D, FAR, NEAR, Rendering, Splats, Views

_TILE = 16  # pixels; gsplat's own choice
_WARP = 32
_INSTALL = (
    "the CUDA rasterizer needs an NVIDIA GPU, a CUDA build of torch and gsplat 1.5.3: pip install 'fourreal[cuda]'; "
    "without a GPU, render on the CPU (fourreal.raster.numba_cpu)"
)


def _gsplat() -> Any:
    """The gsplat module, imported on first use: that is when it loads or compiles its CUDA extension."""
    if not torch.cuda.is_available():
        raise MissingDependencyError(f"torch sees no CUDA device; {_INSTALL}")
    try:
        import gsplat  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingDependencyError(f"gsplat is not installed; {_INSTALL}") from error
    return gsplat


def sanitised(splats: Splats) -> Splats:
    """Splats whose undrawable Gaussians have harmless finite values and opacity 0, so that gsplat culls them.

    Shapes are kept, but for the opacities, which follow the widest tensor ([C, N] once any tensor is per camera).
    gsplat itself would draw a Gaussian with a NaN covariance as an opaque one.
    """
    fine_means = (splats.means.abs() <= MEAN_MAX).all(-1, keepdim=True)
    fine_scales = (splats.scales.abs() <= SCALE_MAX).all(-1, keepdim=True)
    norm2 = splats.quats.square().sum(-1, keepdim=True)
    fine_quats = (norm2 >= QUAT_NORM2_MIN) & (norm2 <= QUAT_NORM2_MAX)
    return Splats(
        torch.where(fine_means, splats.means, 0.0),
        torch.where(fine_quats, splats.quats, 1.0),
        torch.where(fine_scales, splats.scales, 1.0),
        torch.where(drawable(splats), splats.opacities, 0.0),
        torch.where(splats.colors.abs() <= VALUE_MAX, splats.colors, 0.0),
    )


def _by_camera(splats: Splats, cameras: int) -> Splats:
    """Every tensor as [C, N', ...], with N' the next multiple of a warp of 32; what is added is not drawn.

    gsplat 1.5.3 sums the gradient of viewmats over a warp by camera, not by batch: where a warp spans two batches of
    one camera each, their gradients mix (seen on an H100: 13 to 30 % off).
    """
    count = splats.means.shape[-2]
    spare = -count % _WARP
    fill = Splats(0.0, 1.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]
    wide = []
    for value, trailing, number in zip(with_cameras(splats), (1, 1, 1, 0, 1), fill, strict=True):
        pad = (0, 0) * trailing + (0, spare)
        wide.append(torch.nn.functional.pad(value, pad, value=float(number)).expand(cameras, *[-1] * (1 + trailing)))
    return Splats(*wide)


def _project(gsplat: Any, splats: Splats, views: Views) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """radii, means2d, depths, conics as [C, N, ...]; shared states go in once, others as a batch of single cameras."""
    cameras, count = views.viewmats.shape[0], splats.means.shape[-2]
    ks = views.Ks.to(views.viewmats)
    if splats.means.dim() == splats.quats.dim() == splats.scales.dim() == splats.opacities.dim() + 1 == 2:
        states, viewmats = splats, views.viewmats
    else:
        states = _by_camera(splats, cameras)
        viewmats, ks = views.viewmats[:, None], ks[:, None]
    radii, means2d, depths, conics, _ = gsplat.fully_fused_projection(
        states.means, None, states.quats, states.scales, viewmats, ks, views.width, views.height,
        eps2d=EPS2D, near_plane=NEAR, far_plane=FAR, packed=False, opacities=states.opacities,
    )  # fmt: skip
    radii, means2d = (value.reshape(cameras, -1, 2)[:, :count] for value in (radii, means2d))
    depths, conics = depths.reshape(cameras, -1)[:, :count], conics.reshape(cameras, -1, 3)[:, :count]
    drawn = (radii > 0).all(-1, keepdim=True)
    # gsplat leaves what it does not draw uninitialised.
    return (
        torch.where(drawn, radii, 0),
        torch.where(drawn, means2d, 0.0),
        torch.where(drawn[..., 0], depths, 1.0),
        conics.contiguous(),
    )


def _projected(gsplat: Any, views: Views, viewmats: Tensor, ks: Tensor, *splats: Tensor) -> dict[str, Tensor]:
    """What the kernels of the tiles take, by name; of `views` only the size counts."""
    clean, views = sanitised(Splats(*splats)), Views(viewmats, ks, views.width, views.height)
    radii, means2d, depths, conics = _project(gsplat, clean, views)
    shape = depths.shape
    payload = torch.cat([clean.colors.expand(*shape, 3), depths[..., None]], -1)
    opacities = clean.opacities.expand(shape).contiguous()
    return {
        "means2d": means2d, "radii": radii, "depths": depths, "conics": conics, "payload": payload,
        "opacities": opacities,
    }  # fmt: skip


def _empty(splats: Splats, views: Views, background: Tensor) -> Rendering:
    """The background alone, still connected to the (empty) inputs."""
    cameras, size = len(background), (views.height, views.width)
    nothing = 0.0 * sum((value.sum() for value in splats), views.viewmats.sum())
    blank = nothing + torch.zeros(cameras, 1, *size, device=background.device)
    means2d = nothing + torch.zeros(cameras, splats.means.shape[-2], 2, device=background.device)
    return Rendering(
        blank + background[..., None, None], blank, blank.clone(), means2d, torch.zeros_like(means2d, dtype=torch.int32)
    )


def render(
    splats: Splats,
    views: Views,
    background: Float[Tensor, "*C 3"] | None = None,
    *,
    absgrad: bool = False,
    recorder: Recorder | None = None,
) -> Rendering:
    """Draw `splats` into `views` with gsplat (see `Splats`, `Views`, `Rendering` for shapes and units).

    Tensors must be float32 on one CUDA device. Gradients reach means, quats, scales, opacities, colors, viewmats.
    A Gaussian with a NaN or infinite parameter, a zero quaternion, or an opacity below 1/255 is not drawn; its
    gradients are 0. Sums are atomic: the last bits differ from run to run. A `recorder` records the projection.
    Raises `MissingDependencyError` without a GPU or gsplat, `FieldError` if a shape or device does not fit.

    Source: gsplat 1.5.3 (Ye et al., arXiv 2409.06765).
    """
    gsplat = _gsplat()
    cameras, count = check_inputs(splats, views, background)
    if splats.means.device.type != "cuda":
        raise FieldError(f"the CUDA rasterizer needs tensors on a GPU, but means is on {splats.means.device}")
    if cameras == 0 or count == 0:  # gsplat divides by both
        return _empty(splats, views, backgrounds(background, cameras, views.viewmats))
    found = (recorder or Recorder()).run("projection", partial(_projected, gsplat, views), (), *views[:2], *splats)
    means2d, radii, depths = (found[k] for k in ("means2d", "radii", "depths"))
    across, down = -(-views.width // _TILE), -(-views.height // _TILE)
    with torch.no_grad():
        tiles = gsplat.isect_tiles(means2d, radii, depths, _TILE, across, down, packed=False, n_images=cameras)
        _, keys, order = tiles
        starts = gsplat.isect_offset_encode(keys, cameras, across, down)
    behind = torch.nn.functional.pad(backgrounds(background, cameras, means2d), (0, 1))
    images, alpha = gsplat.rasterize_to_pixels(
        means2d, found["conics"], found["payload"], found["opacities"], views.width, views.height, _TILE, starts, order,
        backgrounds=behind, absgrad=absgrad,
    )  # fmt: skip
    images = images.permute(0, 3, 1, 2)
    return Rendering(images[:, :3], alpha.permute(0, 3, 1, 2), images[:, 3:], means2d, radii)
