"""Validation shared by the frozen dataclasses: shape, dtype, finiteness and range, with errors that name all three."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .errors import FieldError


def check_tensor(
    name: str,
    value: object,
    shape: Sequence[int | str],
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> None:
    """Raise `FieldError` unless `value` is a finite float32 tensor of `shape` with entries in [`low`, `high`].

    `shape` mixes sizes and names: an int must match exactly, a name ("N") stands for any size.
    `name` is how the message calls the value, e.g. "Gaussians.means".
    """
    want = "[" + ", ".join(str(s) for s in shape) + "]"
    if not isinstance(value, Tensor):
        raise FieldError(f"{name} must be a torch tensor of shape {want}, got {type(value).__name__}")
    fits = value.dim() == len(shape) and all(
        isinstance(s, str) or s == d for s, d in zip(shape, value.shape, strict=True)
    )
    if not fits:
        raise FieldError(f"{name} must have shape {want}, got {list(value.shape)}")
    if value.dtype != torch.float32:
        raise FieldError(f"{name} must be float32, got {value.dtype}; convert with .float()")
    if value.numel() == 0:
        return
    smallest, largest = (float(v) for v in torch.aminmax(value.detach()))
    if not (math.isfinite(smallest) and math.isfinite(largest)):
        bad = int((~torch.isfinite(value)).sum())
        raise FieldError(f"{name} must be finite, but {bad} of {value.numel()} entries are NaN or infinite")
    if smallest < low or largest > high:
        raise FieldError(f"{name} must lie in [{low:g}, {high:g}], but spans [{smallest:g}, {largest:g}]")


def check_int(name: str, value: object, *, low: int) -> None:
    """Raise `FieldError` unless `value` is an int of at least `low`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise FieldError(f"{name} must be an integer of at least {low}, got {value!r}")
