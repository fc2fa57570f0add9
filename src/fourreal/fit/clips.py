"""The two clips of a lift, with cameras."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from fourreal.core.errors import FieldError

from .static import Targets


@dataclass(frozen=True, eq=False)
class Clips:
    """The two clips, with cameras.

    Attributes:
        freeze: frames of the frozen instant.
        reference: frames of running time, or None for a static scene; their cameras' times are in frames.
        canonical: the freeze frame that conditioned the others, which the warp leaves alone.
        instant: time of the freeze clip in frames of the reference clip; the motion is zero there.
        given: whether the freeze-time cameras were given and are believed, so that pictures can contradict them;
            cameras that were found from the pictures follow them.

    Raises:
        FieldError: if sizes differ or an index lies outside its clip.
    """

    freeze: Targets
    reference: Targets | None = None
    canonical: int = 0
    instant: int = 0
    given: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.canonical < len(self.freeze.cameras):
            raise FieldError(
                f"Clips.canonical must name one of {len(self.freeze.cameras)} frames, got {self.canonical}"
            )
        other = self.reference
        if other is not None and other.images.shape[-2:] != self.freeze.images.shape[-2:]:
            raise FieldError(
                f"both clips must have one size, got {list(self.freeze.images.shape[-2:])} and "
                f"{list(other.images.shape[-2:])}"
            )

    def to(self, device: torch.device) -> Clips:
        """The same on `device`."""
        reference = None if self.reference is None else self.reference.to(device)
        return replace(self, freeze=self.freeze.to(device), reference=reference)

    def shrunk(self, factor: int) -> Clips:
        """Both at 1/`factor` of the size."""
        if factor == 1:
            return self
        reference = None if self.reference is None else self.reference.shrunk(factor)
        return replace(self, freeze=self.freeze.shrunk(factor), reference=reference)
