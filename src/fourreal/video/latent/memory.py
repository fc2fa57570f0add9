"""How much memory a model will take, from the headers of its files and before anything is loaded."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from fourreal.video.base import ModelSourceError

from .settings import Offload
from .source import Source, weight_files

_GB = 1e9
# Working memory of an autoencoder without gradients, bytes a pixel of the frame (its work goes chunk by chunk in
# time): measured on the Wan 2.1 encoder, float32, 17 frames of 72x128: 0.21 GB.
_BYTES_A_PIXEL = 23_000
_LATENT_WORK = 0.6  # GB: activations of a transformer of a few thousand tokens


@dataclass(frozen=True)
class Estimate:
    """Bytes that will be needed on the device.

    Attributes:
        parts: parameters of every component, in bytes of the dtype that it will have.
        work: working memory.
        offload: what is kept in main memory meanwhile.
    """

    parts: dict[str, float]
    work: float
    offload: Offload

    @property
    def resident(self) -> float:
        """Bytes of weights that lie on the device at once; the text encoder is gone before the others come."""
        text = max((v for k, v in self.parts.items() if k.startswith("text")), default=0.0)
        others = {k: v for k, v in self.parts.items() if not k.startswith("text")}
        vae = others.pop("vae", 0.0)
        if self.offload == "none":
            return max(text, vae + sum(others.values()))
        largest = max(others.values(), default=0.0)
        return vae + (max(text, largest) if self.offload == "model" else 0.1 * largest)

    @property
    def total(self) -> float:
        """Bytes in all."""
        return self.resident + self.work

    def words(self) -> str:
        """In one line for the user."""
        parts = ", ".join(f"{k.replace('_', ' ')} {v / _GB:.1f}" for k, v in self.parts.items() if v >= 0.05 * _GB)
        return f"about {self.total / _GB:.1f} GB at once ({parts or 'weights under 0.1'}, work {self.work / _GB:.1f})"


def estimate(source: Source, dtypes: dict[str, torch.dtype], size: tuple[int, int], offload: Offload) -> Estimate:
    """The estimate for a model whose components get `dtypes` ("vae" and "others") at clips of `size` pixels."""
    parts = {}
    for part in source.parts():
        width = dtypes.get(part, dtypes["others"]).itemsize
        parts[part] = float(parameters(source.folder / part) * width)
    share = dtypes["vae"].itemsize / 4
    work = _BYTES_A_PIXEL * math.prod(size) * share + _LATENT_WORK * _GB * min(1.0, math.prod(size) / 1e5)
    return Estimate(parts, work, offload)


def parameters(folder: Path) -> int:
    """Numbers that the safetensors files of a component hold, from their headers."""
    total = 0
    for path in weight_files(folder):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        total += sum(math.prod(v["shape"]) for k, v in header.items() if k != "__metadata__")
    return total


def free_memory(device: torch.device) -> tuple[float, str]:
    """(bytes that are free, where) for a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return float(free), torch.cuda.get_device_name(device)
    try:
        available = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return math.inf, "this machine"
    return float(available), "this machine's memory"


def check_memory(need: Estimate, free: float, where: str) -> str:
    """A line for the user that compares the two.

    Raises:
        ModelSourceError: if the weights alone do not fit.
    """
    if need.resident > free:
        ways = {"none": "--offload model", "model": "--offload group", "group": "a smaller model"}
        raise ModelSourceError(
            f"the model needs {need.words()}, but {where} has {free / _GB:.1f} GB free; use {ways[need.offload]}, "
            "a smaller model, or free memory"
        )
    line = f"needs {need.words()}; {where} has {free / _GB:.1f} GB free"
    if need.total > free:
        line += ": that is tight, so use --tiling, --offload model or a smaller --size if it runs out"
    return line
