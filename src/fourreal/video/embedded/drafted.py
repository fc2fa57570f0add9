"""What a small clip is drawn from, and drafts that were just drawn: the one that is taken is not drawn again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from .network import Conditions
from .sampling import Predictor, sample

_MOST = 16  # drafts of 0.4 MB


@dataclass(frozen=True, eq=False)
class Drawing:
    """All that decides a small clip.

    Attributes:
        predictor: the network, its guidance and the words of halves.
        told: conditions, of a batch of one.
        clear: the given frames in [-1, 1]; None if there are none.
        seed: of the noise.
        steps: network evaluations.
    """

    predictor: Predictor
    told: Conditions
    clear: Float[Tensor, "1 F 3 H W"] | None
    seed: int
    steps: int

    def clip(self, on_step: Callable[[int, int], None] | None = None) -> Float[Tensor, "1 F 3 H W"]:
        """The clip, in [-1, 1]."""
        return sample(self.predictor, self.told, self.clear, [self.seed], steps=self.steps, on_step=on_step)

    def key(self) -> str:
        """A hash of what the clips of one network differ by."""
        found = hashlib.sha256(repr((self.seed, self.steps, self.predictor.guidance)).encode())
        for value in (*self.told, self.clear, self.predictor.halves):
            found.update(
                b"none" if value is None else repr(tuple(value.shape)).encode() + value.cpu().numpy().tobytes()
            )
        return found.hexdigest()


class Drafted:
    """The last drafts of a network."""

    def __init__(self) -> None:
        self._clips: dict[str, Tensor] = {}

    def draw(self, drawing: Drawing, on_step: Callable[[int, int], None] | None = None) -> Float[Tensor, "1 F 3 H W"]:
        """A draft, which is kept; the oldest ones are forgotten."""
        self._clips[drawing.key()] = clip = drawing.clip(on_step)
        for old in list(self._clips)[:-_MOST]:
            del self._clips[old]
        return clip

    def take(self, drawing: Drawing, on_step: Callable[[int, int], None] | None = None) -> Float[Tensor, "1 F 3 H W"]:
        """The draft that was drawn so, once; else the clip, drawn now."""
        kept = self._clips.pop(drawing.key(), None)
        if kept is None:
            return drawing.clip(on_step)
        if on_step is not None:
            on_step(drawing.steps, drawing.steps)
        return kept
