"""What the rasterizers agree on before they draw: shapes, and which Gaussians can be drawn at all."""

from __future__ import annotations

import torch
from torch import Tensor

from fourreal.core.errors import FieldError

from .base import Splats, Views

# Outside these ranges (or NaN, or infinite) a Gaussian is not drawn: squares of what follows from it leave float32.
MEAN_MAX = 1e8
SCALE_MAX = 1e4
QUAT_NORM2_MIN, QUAT_NORM2_MAX = 1e-24, 1e24
VALUE_MAX = 3.0e38

_TRAILING = {"means": (3,), "quats": (4,), "scales": (3,), "opacities": (), "colors": (3,)}


def check_inputs(splats: Splats, views: Views, background: Tensor | None) -> tuple[int, int]:
    """Return (cameras C, Gaussians N), or raise `FieldError` naming the tensor whose shape does not fit."""
    if views.viewmats.dim() != 3 or views.viewmats.shape[1:] != (4, 4):
        raise FieldError(f"Views.viewmats must have shape [C, 4, 4], got {list(views.viewmats.shape)}")
    cameras = views.viewmats.shape[0]
    if views.Ks.shape != (cameras, 3, 3):
        raise FieldError(f"Views.Ks must have shape [{cameras}, 3, 3], got {list(views.Ks.shape)}")
    if views.width < 1 or views.height < 1:
        raise FieldError(f"Views need a size of at least 1x1 pixel, got {views.width}x{views.height}")
    count = splats.means.shape[-2] if splats.means.dim() >= 2 else -1
    for name, trailing in _TRAILING.items():
        value: Tensor = getattr(splats, name)
        if value.shape not in ((count, *trailing), (cameras, count, *trailing)):
            tail = "".join(f", {k}" for k in trailing)
            raise FieldError(
                f"Splats.{name} must have shape [N{tail}] or [C, N{tail}] with C = {cameras} and N = {count} "
                f"(from means), got {list(value.shape)}"
            )
    if background is not None and background.shape not in ((3,), (cameras, 3)):
        raise FieldError(f"background must have shape [3] or [{cameras}, 3], got {list(background.shape)}")
    return cameras, count


def with_cameras(splats: Splats) -> Splats:
    """Give every tensor a leading axis: 1 where it is shared by the cameras, C where it is not."""
    return Splats(
        *(
            value if value.dim() == 2 + len(trailing) else value[None]
            for value, trailing in zip(splats, _TRAILING.values(), strict=True)
        )
    )


def backgrounds(background: Tensor | None, cameras: int, like: Tensor) -> Tensor:
    """Background as [C, 3] of the dtype and device of `like`; black if None."""
    if background is None:
        return torch.zeros(cameras, 3, dtype=like.dtype, device=like.device)
    return background.to(like).expand(cameras, 3)


def drawable(splats: Splats) -> Tensor:
    """[(C,) N] bool: all parameters finite and in range, the quaternion not zero."""
    norm2 = splats.quats.square().sum(-1)
    return (
        (splats.means.abs() <= MEAN_MAX).all(-1)
        & (norm2 >= QUAT_NORM2_MIN)
        & (norm2 <= QUAT_NORM2_MAX)
        & (splats.scales.abs() <= SCALE_MAX).all(-1)
        & (splats.opacities.abs() <= VALUE_MAX)
        & (splats.colors.abs() <= VALUE_MAX).all(-1)
    )
