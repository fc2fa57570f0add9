"""Errors of the worlds."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from fourreal.core.errors import FourRealError


class LabelError(FourRealError, ValueError):
    """A label has no such value, or two labels do not go together."""


def find(factor: str, value: str, known: Sequence[str]) -> int:
    """Index of `value` in `known`; raises `LabelError` with the nearest valid value."""
    if value in known:
        return known.index(value)
    near = difflib.get_close_matches(value, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise LabelError(f"unknown {factor} {value!r}; {hint}Known: {', '.join(known)}")
