"""Checkpoints: parameters, optimiser moments, growth statistics, random state and position in one file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from fourreal.core.errors import FileFormatError
from fourreal.core.storage import load_tensors, save_tensors

from .phases import Phase
from .state import FitState

_KIND, _VERSION = "fit checkpoint", 2


def fingerprint(phases: Sequence[Phase], *inputs: str) -> str:
    """A short hash of the phase table and of whatever else decides the result (seed, data)."""
    table = [dataclasses.asdict(p) for p in phases]
    text = json.dumps([_VERSION, table, list(inputs)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_checkpoint(path: Path | str, state: FitState, run: str) -> None:
    """Write `state` atomically; `run` is the `fingerprint` of what is being fitted."""
    save_tensors(path, state.tensors(), {"version": _VERSION, "run": run, "state": state.scalars()}, kind=_KIND)


def load_checkpoint(
    path: Path | str, run: str, device: torch.device | str = "cpu", modules: Mapping[str, nn.Module] | None = None
) -> FitState | None:
    """The state in `path`, or None if there is no file or it belongs to a run with other settings.

    `modules` are those of the run (see `FitState`), filled in place.

    Raises:
        FileFormatError: if the file is damaged.
    """
    if not Path(path).exists():
        return None
    tensors, meta = load_tensors(path, kind=_KIND)
    if meta.get("version") != _VERSION or meta.get("run") != run:
        return None
    try:
        return FitState.restore(tensors, meta["state"], torch.device(device), modules)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FileFormatError(f"{path} is not a whole checkpoint ({error}); delete it to start again") from None
