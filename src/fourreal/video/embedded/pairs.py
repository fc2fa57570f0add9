"""Pairs of true and drawn clips of the same conditions: what the critic learns to tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .network import BaseNetwork, Conditions
from .sampling import FROZEN_GUIDANCE, GUIDANCE, Predictor, conditions, sample
from .stream import Clips, ClipStream

_REUSE = 16  # draws of a pair, on average: drawing one takes ten evaluations of the base network
_FIRST_NOISE = 0x5EED  # drawn clips take other noise than those that users draw from small seeds
_AT_ONCE = 128


class Pairs(NamedTuple):
    """Clips in [-1, 1], [B, F, 3, H, W], and what both are conditioned on; given frames are the true ones in both."""

    true: Float[Tensor, "B F 3 H W"]
    drawn: Float[Tensor, "B F 3 H W"]
    given: Conditions


class PairStream:
    """A pool of pairs, half of them frozen; `draw` takes a batch and renews part of the pool.

    They are conditioned as runs draw them: running clips on words alone (and a path, if their camera moves), frozen
    ones also on a path and on the first frame or the first half.

    Args:
        stream: of true clips.
        network: the base network, and whether guidance was distilled into it.
        size: pairs held at once.
    """

    def __init__(self, stream: ClipStream, network: tuple[BaseNetwork, bool], size: int) -> None:
        self.stream, self._network = stream, network
        self._generator = torch.Generator(stream.device).manual_seed(_FIRST_NOISE + (stream.position << 8))
        self._debt, self._place = 0, 0
        self._half = max(1, min(_AT_ONCE, size) // 2)
        parts = [self._fresh() for _ in range(max(size // (2 * self._half), 1))]
        self._pool = tuple(torch.cat(column) for column in zip(*parts, strict=True))

    @property
    def position(self) -> int:
        """The next world: what a later stream may start from."""
        return self.stream.position

    def draw(self, batch: int) -> Pairs:
        """A random batch."""
        count, chunk = len(self._pool[0]), 2 * self._half
        index = torch.randint(count, (batch,), generator=self._generator, device=self.stream.device)
        true, drawn, *given = (value[index] for value in self._pool)
        self._debt += batch
        while self._debt >= _REUSE * chunk:
            self._debt -= _REUSE * chunk
            for old, new in zip(self._pool, self._fresh(), strict=True):
                old[self._place : self._place + chunk] = new
            self._place = (self._place + chunk) % count
        return Pairs(true.float() / 127.5 - 1, drawn.float() / 127.5 - 1, Conditions(*given))

    def _fresh(self) -> tuple[Tensor, ...]:
        """A chunk: frames as bytes, and the conditions."""
        parts = [self._drawn(context) for context in (0, 1)]
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def _drawn(self, context: int) -> tuple[Tensor, ...]:
        clips = self._some(context)
        frames, device = clips.frames.shape[1], clips.frames.device
        first = torch.rand(self._half, 1, generator=self._generator, device=device) < 0.5
        until = torch.where(first, 1, frames // 2) if context else torch.zeros_like(first, dtype=torch.long)
        known = torch.arange(frames, device=device) < until
        given = conditions(clips.words, clips.context, frames, known=known, camera=clips.camera)
        given = given._replace(has_camera=clips.camera.abs().amax((1, 2)) > 0)
        predictor = Predictor(*self._network, FROZEN_GUIDANCE if context else GUIDANCE)
        clear = clips.frames.float() / 127.5 - 1
        drawn = sample(predictor, given, clear, range(len(clear)), noises=self._noises(clear))
        return clips.frames, ((drawn + 1) * 127.5).round().byte(), *given

    def _noises(self, like: Tensor) -> Iterator[Tensor]:
        while True:
            yield torch.randn(like.shape, generator=self._generator, device=like.device)

    def _some(self, context: int) -> Clips:
        """Half a chunk of true clips of a context."""
        parts, count = [], 0
        while count < self._half:
            clips = self.stream.draw(2 * self._half)
            parts.append(clips.at(clips.context == context))
            count += len(parts[-1].words)
        return Clips(*(torch.cat(column)[: self._half] for column in zip(*parts, strict=True)))
