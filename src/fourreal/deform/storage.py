"""Fields on disk: plain tensors and the configuration as JSON, in one safetensors file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.storage import load_tensors, save_tensors

from .mlp import MlpConfig, MlpField
from .nodes import NodeConfig, NodeField
from .room import ROOM
from .space import Space

Field = MlpField | NodeField
_KIND, _VERSION = "deformation field", 2
_CONFIGS = {"mlp": MlpConfig, "nodes": NodeConfig}


def save_field(path: Path | str, field: Field) -> None:
    """Write `field` atomically."""
    name = next(k for k, config in _CONFIGS.items() if isinstance(field.config, config))
    meta = {
        "version": _VERSION,
        "type": name,
        "config": dataclasses.asdict(field.config),
        "frames": field.frames,
        "canonical": field.canonical,
    }
    save_tensors(path, field.state_dict(), meta, kind=_KIND)


def load_field(path: Path | str, device: torch.device | str = "cpu") -> Field:
    """The field in `path`; one of nodes must be bound to its Gaussians (`rebind`) before use.

    Raises:
        FileFormatError: if the file is missing, damaged, or of another kind or version.
    """
    tensors, meta = load_tensors(path, kind=_KIND)
    if meta.get("version") != _VERSION:
        raise FileFormatError(f"{path} has version {meta.get('version')}, wanted {_VERSION}")
    try:
        config = _CONFIGS[meta["type"]](**meta["config"])
        tensors = {k: v.to(device) for k, v in tensors.items()}
        if meta["type"] == "nodes":  # files of before have no room
            tensors.setdefault("room", tensors["nodes"].new_zeros(ROOM))
        field = _empty(config, meta["frames"], meta["canonical"], tensors)
        field.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, FieldError) as error:
        raise FileFormatError(f"{path} is not a whole deformation field ({error})") from None
    return field


def _empty(config: MlpConfig | NodeConfig, frames: int, canonical: int, tensors: dict[str, torch.Tensor]) -> Field:
    space = Space(tensors["centre"], tensors["extent"])
    if isinstance(config, NodeConfig):
        return NodeField(config, frames, canonical, tensors["nodes"], space)
    return MlpField(config, frames, canonical, space)
