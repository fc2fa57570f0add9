"""`--device auto|cpu|cuda`, resolved once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fourreal.core.errors import FourRealError

if TYPE_CHECKING:
    import torch

DeviceName = Literal["auto", "cpu", "cuda"]


def resolve_device(name: DeviceName) -> torch.device:
    """The device to run on; "auto" takes a CUDA GPU if torch sees one and gsplat is installed, else the CPU.

    Raises:
        FourRealError: if "cuda" was asked for and torch sees no GPU.
    """
    import importlib.util

    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise FourRealError("--device cuda: torch sees no CUDA GPU here; run `4real doctor`, or use --device cpu")
    has_gsplat = importlib.util.find_spec("gsplat") is not None
    use_gpu = name == "cuda" or (name == "auto" and torch.cuda.is_available() and has_gsplat)
    return torch.device("cuda" if use_gpu else "cpu")


def torch_device(name: DeviceName) -> torch.device:
    """The device for work that needs no gsplat: "auto" takes a CUDA GPU if torch sees one.

    Raises:
        FourRealError: if "cuda" was asked for and torch sees no GPU.
    """
    import torch

    if name == "auto" and torch.cuda.is_available():
        return torch.device("cuda")
    return resolve_device(name) if name != "auto" else torch.device("cpu")
