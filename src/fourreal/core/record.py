"""Functions recorded as CUDA graphs, with their gradients: a fit of small pictures on a GPU spends its time launching.

Not `torch.cuda.make_graphed_callables`: it makes a class for each recording, which only the garbage collector frees,
and a set of Gaussians that grows wants hundreds of recordings, each as large as a step.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Named = dict[str, Tensor]


@dataclass(eq=False)
class Recorder:
    """Runs functions of tensors; on a GPU, what comes again is recorded the second time, then replayed.

    What a function returned must be used, its gradient taken, and let go, before it runs again: a recording reads and
    writes the same memory each time. What cannot be recorded runs as it is, and a warning says so once.

    A function has one recording at a time: called with other leaves, or inputs of another kind, it forgets that. Its
    memory is given back then, which waits for the device: shapes should hold still for some time.
    """

    _owners: tuple[Any, ...] = ()
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)

    def begin(self, *owners: Any) -> None:
        """Forget all recordings, and free their memory, unless `owners` are the same objects as the last time.

        They are what recordings depend on besides leaves and inputs: things that are not tensors.
        """
        if _same(owners, self._owners):
            return
        self._owners = owners
        for name in list(self._kept):
            self._forget(name)

    def _forget(self, name: str) -> None:
        if self._kept.pop(name).recording is not None:
            torch.cuda.empty_cache()

    def run(self, name: str, function: Callable[..., Named], leaves: Sequence[Tensor], *inputs: Tensor) -> Named:
        """`function(*inputs)`, differentiable in `leaves` and in those of `inputs` that want a gradient.

        Args:
            name: tells functions apart.
            function: without randomness, and nothing in it waits for the device.
            leaves: tensors that keep their place and that `function` finds by itself.
            inputs: tensors that are others at each call.
        """
        able = torch.is_grad_enabled() and all(v.is_cuda for v in (*leaves, *inputs))
        if not able or name in self._failing:
            return function(*inputs)
        kind = tuple((v.shape, v.dtype, v.requires_grad) for v in (*leaves, *inputs))
        kept = self._kept.get(name)
        if kept is None or kept.kind != kind or not _same(kept.leaves, leaves):
            if kept is not None:
                self._forget(name)
            self._kept[name] = _Kept(kind, tuple(leaves))
            return function(*inputs)
        if kept.recording is None:
            try:
                kept.recording = _Recording.of(function, leaves, inputs)
            except RuntimeError as error:
                release_generators()
                self._failing.add(name)
                why = " ".join(str(error).split())[:200]
                warnings.warn(f"{name}: runs operation by operation, since it cannot be recorded: {why}", stacklevel=3)
                return function(*inputs)
        return kept.recording(leaves, inputs)


def _same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(a is b for a, b in zip(some, others, strict=True))


@dataclass(eq=False)
class _Kept:
    """What a function was called with last, and its recording if it was the second time."""

    kind: Hashable
    leaves: tuple[Tensor, ...]
    recording: _Recording | None = None


@dataclass(frozen=True, eq=False)
class _Recording:
    """A function's graph, that of its gradient, and the memory that they read and write."""

    forward: torch.cuda.CUDAGraph
    backward: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: Named
    grads_in: tuple[Tensor | None, ...]  # of the outputs; None for those without
    grads_out: tuple[Tensor | None, ...]  # of leaves and inputs

    @staticmethod
    def of(function: Callable[..., Named], leaves: Sequence[Tensor], inputs: Sequence[Tensor]) -> _Recording:
        own = tuple(v.detach().clone().requires_grad_(v.requires_grad) for v in inputs)
        sources = (*leaves, *own)
        wanted = [v for v in sources if v.requires_grad]

        def gradient(outputs: Named, grads: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
            ends = [v for v in outputs.values() if v.requires_grad]
            return torch.autograd.grad(ends, wanted, grads, allow_unused=True)

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = function(*own)  # libraries set themselves up outside of the recording
            gradient(outputs, [torch.zeros_like(v) for v in outputs.values() if v.requires_grad])
            forward, backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
            outputs = _captured(forward, lambda: function(*own))
            grads = [torch.zeros_like(v) if v.requires_grad else None for v in outputs.values()]
            given = [g for g in grads if g is not None]
            found = iter(_captured(backward, lambda: gradient(outputs, given), forward.pool()))
        torch.cuda.current_stream().wait_stream(stream)
        out = tuple(next(found) if v.requires_grad else None for v in sources)
        # Detached: what autograd keeps for a leaf belongs to the stream on which it was made, and lives as long as a
        # graph of its; the next recording must not meet it.
        return _Recording(forward, backward, own, {k: v.detach() for k, v in outputs.items()}, tuple(grads), out)

    def __call__(self, leaves: Sequence[Tensor], inputs: Sequence[Tensor]) -> Named:
        with torch.no_grad():
            for mine, given in zip(self.inputs, inputs, strict=True):
                mine.copy_(given)
        return dict(zip(self.outputs, _Replay.apply(self, *leaves, *inputs), strict=True))  # type: ignore[arg-type]


def _captured(graph: torch.cuda.CUDAGraph, function: Callable[[], Any], pool: Any = None) -> Any:
    """What `function` returns while its kernels are recorded instead of run. Other threads may go on."""
    graph.capture_begin(pool=pool, capture_error_mode="thread_local")
    try:
        found = function()
    except BaseException:
        with suppress(RuntimeError):  # which would say only that something went wrong before
            graph.capture_end()
        raise
    graph.capture_end()
    return found


def release_generators() -> None:
    """Give the device its random numbers back after a recording that failed; call it outside of any recording.

    PyTorch lets go of them at the end of a recording, but only of one that succeeds: until then they refuse to be
    drawn. So an empty one follows.
    """
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        torch.zeros((), device="cuda")


class _Replay(torch.autograd.Function):
    """A recording between its leaves and inputs, which autograd sees, and its outputs."""

    @staticmethod
    def forward(ctx: Any, recording: _Recording, *sources: Tensor) -> tuple[Tensor, ...]:
        ctx.recording = recording
        recording.forward.replay()
        outputs = tuple(v.detach() for v in recording.outputs.values())
        fixed = [v for v, grad in zip(outputs, recording.grads_in, strict=True) if grad is None]
        ctx.mark_non_differentiable(*fixed)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        recording: _Recording = ctx.recording
        for mine, given in zip(recording.grads_in, grad_outputs, strict=True):
            if mine is not None:
                mine.copy_(given)
        recording.backward.replay()
        return None, *(v if v is None else v.detach() for v in recording.grads_out)
