"""Functions of tensors recorded as CUDA graphs: a score's networks launch thousands of small kernels a step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from .record import release_generators


@dataclass(eq=False)
class Replays:
    """Runs functions of tensors; what comes again with the same shapes is recorded the second time, then replayed.

    It does so only within `recording()`, on a GPU, without gradients. What cannot be recorded runs as it is, and a
    warning says so once. All recordings share one pool of memory, which stays taken; sampling at a large size, which
    would gain nothing, is therefore left outside.

    Attributes:
        style: part of what tells recordings apart: whatever changes a network but not its inputs (a LoRA at rest).
    """

    style: Hashable = None
    _active: bool = False
    _seen: set[Hashable] = field(default_factory=set)
    _recorded: dict[Hashable, _Recording | None] = field(default_factory=dict)
    _pool: list[Any] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether what runs now may be recorded."""
        return self._active

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record and replay what runs within."""
        before, self._active = self._active, True
        try:
            yield
        finally:
            self._active = before

    def run(self, owner: Hashable, function: Callable[..., Tensor], /, **inputs: Any) -> Tensor:
        """`function(**inputs)`.

        Args:
            owner: whose function it is, a network say; with the inputs' shapes it tells recordings apart.
            function: returns one tensor, whose values depend on the tensors among its inputs and on nothing else.
            inputs: tensors, and hashable things that are the same whenever a recording is used.
        """
        tensors = {k: v for k, v in inputs.items() if isinstance(v, Tensor)}
        on_gpu = bool(tensors) and all(v.is_cuda for v in tensors.values())
        if not self._active or torch.is_grad_enabled() or not on_gpu:
            return function(**inputs)
        rest = {k: v for k, v in inputs.items() if k not in tensors}
        shapes = tuple((k, v.shape, v.dtype) for k, v in tensors.items())
        key = (owner, self.style, shapes, tuple(rest.items()))
        if key not in self._seen:
            self._seen.add(key)
            return function(**inputs)
        if key not in self._recorded:
            self._recorded[key] = self._record(function, tensors, rest)
        found = self._recorded[key]
        return function(**inputs) if found is None else found(tensors)

    def _record(self, function: Callable[..., Tensor], tensors: dict[str, Tensor], rest: dict) -> _Recording | None:
        if not self._pool:
            self._pool.append(torch.cuda.graph_pool_handle())
        try:
            return _Recording.of(function, tensors, rest, self._pool[0])
        except RuntimeError as error:
            release_generators()
            why = " ".join(str(error).split())[:200]
            warnings.warn(f"runs operation by operation, since it cannot be recorded: {why}", stacklevel=4)
            return None


@contextmanager
def best_convolutions() -> Iterator[None]:
    """Let cuDNN time its algorithms instead of guessing: what is recorded is run often."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


@dataclass(frozen=True, eq=False)
class _Recording:
    """A graph with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: dict[str, Tensor]
    output: Tensor

    @staticmethod
    def of(function: Callable[..., Tensor], tensors: dict[str, Tensor], rest: dict, pool: Any) -> _Recording:
        inputs = {k: v.clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        graph = torch.cuda.CUDAGraph()
        with best_convolutions():
            with torch.cuda.stream(stream):  # libraries set themselves up, and choose, outside of the recording
                function(**inputs, **rest)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(graph, pool=pool):
                output = function(**inputs, **rest)
        return _Recording(graph, inputs, output)

    def __call__(self, tensors: dict[str, Tensor]) -> Tensor:
        for name, tensor in tensors.items():
            self.inputs[name].copy_(tensor)
        self.graph.replay()
        return self.output.clone()
