"""What drawing the clips of a run costs, before it begins: for shares of the stage, and the time that is left."""

from __future__ import annotations

from dataclasses import dataclass

from .drafts import drafts_for

_ENLARGED = 0.25  # what it costs to enlarge a clip, in small ones drawn
_SECONDS = 7.0  # that the embedded model draws a small clip in, in those that stages are expected to take


@dataclass(frozen=True)
class Work:
    """Costs, in small clips drawn.

    Attributes:
        reference: of the clip in which time runs; 0 without one.
        tries: of trying frames to freeze, all together.
        frozen: of each freeze-time clip.
        clips: how many freeze-time clips there are.
    """

    reference: float
    tries: float
    frozen: float
    clips: int

    @property
    def total(self) -> float:
        """Of all."""
        return self.reference + self.tries + self.frozen * self.clips

    @property
    def seconds(self) -> float:
        """About how long the embedded model draws, beside what the other stages are expected to take."""
        return _SECONDS * self.total


def planned(drafts: int, tries: float, clips: int, *, dynamic: bool, chooses: bool) -> Work:
    """What will be drawn.

    Args:
        drafts: of a clip that words alone decide.
        tries: what trying frames to freeze costs.
        clips: of frozen time.
        dynamic: whether a reference clip is drawn.
        chooses: whether the model chooses among drafts.
    """
    first, later = (drafts, drafts_for(drafts, shown=True)) if chooses else (1, 1)
    return Work(dynamic * (first + _ENLARGED), float(tries), later + _ENLARGED, clips)
