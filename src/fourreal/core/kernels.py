"""How the CPU kernels are compiled: options, on-disk cache, and one visible line while it happens.

The kernels' modules carry no jaxtyping annotations: numba reads the functions' source, not their types.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.core import event

# Annotations inside kernels. What numba sees are float32, int64 and bool; numpy's stubs know no such mixtures.
Array = np.ndarray
Real = Any
Index = Any
Flag = Any
Share = tuple[int, int]  # (lane, lanes): this call does every lanes-th part of the work, from the lane-th on

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

# No nnan/ninf: the kernels compare explicitly to reject what is not finite. The rest lets the loops vectorise.
FAST = {"reassoc", "contract", "arcp", "nsz"}
EXACT = {"contract"}


def kernel(*, fast: bool = False, inline: bool = False) -> Callable[[Kernel], Kernel]:
    """Decorate a numba kernel; it is cached on disk where any cache folder can be written.

    `fast` allows reassociation (order of sums, still the same on every run); `inline` inlines it into its callers.
    """
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "fastmath": FAST if fast else EXACT}
    if inline:
        options["inline"] = "always"

    def decorate(function: Kernel) -> Kernel:
        try:
            return cast(Kernel, njit(cache=True, **options)(function))
        except RuntimeError:  # "no locator available": a read-only installation without a home folder
            return cast(Kernel, njit(**options)(function))

    return decorate


class _Announce(event.Listener):
    """Write one line when numba really compiles (a hit in the disk cache fires no such event)."""

    def __init__(self) -> None:
        self.done = False

    def on_start(self, event: event.Event) -> None:
        if not self.done:
            self.done = True
            sys.stderr.write("compiling the CPU rasterizer (once, about 20 s)\n")
            sys.stderr.flush()

    def on_end(self, event: event.Event) -> None:
        pass


@contextmanager
def announced() -> Iterator[None]:
    """Within this block, say so on stderr if kernels have to be compiled."""
    with event.install_listener("numba:compile", _Announce()):
        yield
