"""Spreading a kernel over threads.

The threads are Python's own; kernels release the interpreter's lock. numba's parallel loops would bring a second pool
of OpenMP threads beside torch's, whose idle threads spin against each other: on two busy cores a step of a small scene
then took up to forty times as long. They also forbid concurrent callers (numba's workqueue layer) and forked workers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

_GRAIN = 2000  # items a thread should have at least: below, waking it costs more than it saves
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def _forget() -> None:
    """A forked child has none of the pool's threads, and perhaps a locked lock."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _workers() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, os.cpu_count() or 1), thread_name_prefix="fourreal")
        return _pool


def launch(kernel: Callable[..., None], *arguments: Any, items: int, parts: int) -> None:
    """Call `kernel(*arguments, (lane, lanes))` for every lane at once, and wait for all.

    There are at most `torch.get_num_threads()` lanes, at most one for each of the `parts` into which the work can be
    cut, and fewer if there are few `items`. Lane 0 runs on the calling thread. An exception of any lane is raised here.
    """
    lanes = max(1, min(torch.get_num_threads(), parts, items // _GRAIN))
    others = [_workers().submit(kernel, *arguments, (lane, lanes)) for lane in range(1, lanes)]
    try:
        kernel(*arguments, (0, lanes))
    finally:
        for other in others:
            other.result()
