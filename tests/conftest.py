"""Shape annotations are executed in every test: jaxtyping with beartype, over all modules but the compiled kernels."""

from __future__ import annotations

import jaxtyping
import pytest
import torch

_CHECKED = [
    "core",
    "io",
    "worlds",
    "raster.base",
    "raster.numba_cpu",
    "raster.torch_reference",
    "metrics",
    "fit",
    "stages",
    "video",
    "pose",
    "deform",
    "guidance",
    "export",
]
jaxtyping.install_import_hook([f"fourreal.{name}" for name in _CHECKED], "typecheck.checker")


@pytest.fixture(autouse=True)
def _same_randomness_in_every_test() -> None:
    torch.manual_seed(0)
