"""Which rasterizer draws on which device."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from fourreal.core.errors import FieldError
from fourreal.core.record import Recorder

from .base import Rasterizer

Name = Literal["auto", "numba_cpu", "gsplat_cuda", "torch_reference"]


def select(device: torch.device | str, name: Name = "auto") -> Rasterizer:
    """Return the rasterizer for tensors on `device`: gsplat on CUDA, numba on the CPU, or the one named.

    Importing is delayed to this call. Raises `FieldError` if the device or the name is unknown, or if `name` cannot
    draw on `device`.
    """
    kind = torch.device(device).type
    usual = {"cpu": "numba_cpu", "cuda": "gsplat_cuda"}
    if name == "auto":
        if kind not in usual:
            raise FieldError(f"no rasterizer draws on {kind!r}; use 'cpu' or 'cuda'")
        return select(device, "numba_cpu" if kind == "cpu" else "gsplat_cuda")
    if name == "torch_reference":
        from . import torch_reference

        return torch_reference.render
    if name not in usual.values():
        raise FieldError(
            f"no rasterizer is called {name!r}; there are auto, {', '.join(usual.values())}, torch_reference"
        )
    if usual.get(kind) != name:
        raise FieldError(f"{name} cannot draw on {kind!r}; for this device use {usual.get(kind, 'torch_reference')!r}")
    if name == "numba_cpu":
        from . import numba_cpu

        return numba_cpu.render
    from . import gsplat_cuda

    return gsplat_cuda.render


def recorded(render: Rasterizer, recorder: Recorder) -> Rasterizer:
    """`render`, with what can be recorded of it recorded: the projection of gsplat's; others as they are."""
    if getattr(render, "__module__", "").endswith(".gsplat_cuda"):
        return partial(render, recorder=recorder)  # type: ignore[call-arg]
    return render
