"""Which of the three ray casters to use: compiled loops on a CPU, Triton on an NVIDIA GPU, plain torch elsewhere."""

from __future__ import annotations

import importlib
from functools import lru_cache
from types import ModuleType

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from . import trace, trace_cpu
from .trace import Geometry


@lru_cache(maxsize=1)
def kernels() -> ModuleType | None:
    """`trace_gpu`, or None where Triton is missing."""
    try:
        return importlib.import_module(".trace_gpu", __package__)
    except ImportError:
        return None


def fused(device: torch.device) -> bool:
    """Whether the Triton kernels serve this device."""
    return device.type == "cuda" and kernels() is not None


class Caster:
    """Casts rays at one geometry."""

    def __init__(self, geo: Geometry) -> None:
        """Prepare for `geo`, on its device."""
        self.geo = geo
        self.cpu = geo.center.device.type == "cpu"
        self.gpu = kernels() if fused(geo.center.device) else None
        self.table = self.gpu.packed(geo) if self.gpu else None

    def first_hit(
        self, origin: Float[Tensor, "B F 3"], direction: Float[Tensor, "B F N 3"]
    ) -> tuple[Float[Tensor, "B F N"], Int[Tensor, "B F N"]]:
        """See `trace.first_hit`."""
        if self.gpu:
            return self.gpu.first_hit(self.table, self.geo, origin, direction)
        return (trace_cpu if self.cpu else trace).first_hit(self.geo, origin, direction)

    def occluded(
        self, start: Float[Tensor, "B F N 3"], light: Float[Tensor, "B 3"], needed: Bool[Tensor, "B F N"]
    ) -> Bool[Tensor, "B F N"]:
        """See `trace.occluded`; answers only where `needed`, elsewhere False."""
        if self.gpu:
            return self.gpu.occluded(self.table, self.geo, start, light, needed)
        if self.cpu:
            return trace_cpu.occluded(self.geo, start, light, needed)
        return trace.occluded(self.geo, start, light) & needed
