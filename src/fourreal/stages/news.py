"""What stages tell while they work, and where they work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class News:
    """One message of a stage.

    Attributes:
        text: a line for the user; empty if only the progress is new.
        doing: what is being done, in a word or two.
        share: of the stage that is done, 0 to 1; None if that is not known.
        terms: figures, such as losses, by name.
        picture: [3, H, W] RGB in [0, 1]: how it looks at the moment.
    """

    text: str = ""
    doing: str = ""
    share: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    picture: Tensor | None = None


Tell = Callable[[News], None]


def nobody(_: News) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Desk:
    """Where a stage works.

    Attributes:
        run: the run folder, to read what earlier stages published.
        out: what is written here, under the same relative paths, is published to the run when the stage is done.
        scratch: files that a repetition of the same work may go on from.
    """

    run: Path
    out: Path
    scratch: Path
