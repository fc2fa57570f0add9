"""Choosing a rasterizer, and the GPU adapter as far as it runs without a GPU."""

from __future__ import annotations

import math
import sys

import pytest
import torch

from fourreal.core.errors import FieldError, MissingDependencyError
from fourreal.raster import gsplat_cuda, numba_cpu, select, torch_reference
from raster.scenes import make_splats, make_views


def test_the_device_decides() -> None:
    assert select("cpu") is numba_cpu.render
    assert select(torch.device("cuda", 1)) is gsplat_cuda.render
    assert select("cpu", "torch_reference") is torch_reference.render


def test_what_cannot_draw_there_is_refused() -> None:
    with pytest.raises(FieldError, match="for this device use 'numba_cpu'"):
        select("cpu", "gsplat_cuda")
    with pytest.raises(FieldError, match="no rasterizer draws on 'meta'"):
        select("meta")
    with pytest.raises(FieldError, match="no rasterizer is called 'vulkan'"):
        select("cpu", "vulkan")  # type: ignore[arg-type]


def test_without_a_gpu_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    splats, views = make_splats(3, 1), make_views(1, 8, 8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingDependencyError, match=r"no CUDA device.*pip install 'fourreal\[cuda\]'"):
        gsplat_cuda.render(splats, views)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(MissingDependencyError, match="gsplat is not installed"):
        gsplat_cuda.render(splats, views)


@pytest.mark.parametrize("name", ["means", "quats", "scales", "opacities", "colors"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("per_camera", [(), ("means", "quats")])
def test_gsplat_gets_only_finite_numbers(name: str, value: float, per_camera: tuple[str, ...]) -> None:
    splats = make_splats(6, 2, per_camera)
    getattr(splats, name)[..., 2, :].fill_(value) if name != "opacities" else splats.opacities[2].fill_(value)
    clean = gsplat_cuda.sanitised(splats)
    assert all(torch.isfinite(tensor).all() for tensor in clean)
    assert not clean.opacities[..., 2].any()
    keep = [0, 1, 3, 4, 5]
    for field in ("means", "quats", "scales", "colors"):
        axis = -2
        kept = torch.tensor(keep)
        assert torch.equal(
            getattr(clean, field).index_select(axis, kept), getattr(splats, field).index_select(axis, kept)
        )
    assert clean.opacities.shape == ((2, 6) if per_camera else (6,))
