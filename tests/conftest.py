"""Shape annotations are executed in every test: jaxtyping with beartype, over all modules but the compiled kernels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch

_SOURCE = Path(__file__).parents[1] / "src" / "fourreal"
_CHECKED = [
    "io",
    "worlds",
    "raster.base",
    "raster.numba_cpu",
    "raster.torch_reference",
    *(
        f"{package}.{file.stem}"
        for package in ("core", "metrics", "deform", "fit")
        for file in (_SOURCE / package).glob("*.py")
        if not file.stem.startswith(("_kernels", "kernels"))
    ),
    "stages",
    "video",
    "pose",
    "guidance",
    "export",
]
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):  # processes that share the cores, children too
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())
jaxtyping.install_import_hook([f"fourreal.{name}" for name in _CHECKED], "typecheck.checker")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Networks as small as those of tests gain nothing from a second thread, and wait long for it on busy cores."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(autouse=True)
def _same_randomness_in_every_test() -> None:
    torch.manual_seed(0)
