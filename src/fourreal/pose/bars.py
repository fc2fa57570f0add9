"""Bars and lines along a clip's edges: letterboxes, and seams of clips cut out of a larger picture.

They stand still while the scene moves, so a fit explains them by splinters that hang before the camera.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from fourreal.core.video import Video

_LINE = 0.01  # of a side: a line on one edge alone is at most so wide, or _PIXELS,
_PIXELS = 4
_BAR = 0.35  # of a side: bars on both edges alike
_EVEN = 0.03  # standard deviation over all of a bar's pixels in all frames
_DIFFERENT, _MOST = 0.1, 0.6  # behind it so many of the pixels differ by so much from its colour
_LOOKED_AT = 16  # frames


class Trim(NamedTuple):
    """Pixels to cut off each edge."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def apply(self, video: Video) -> Video:
        """The clip without them."""
        if not any(self):
            return video
        rows, columns = slice(self.top, video.height - self.bottom), slice(self.left, video.width - self.right)
        return Video(video.frames[:, :, rows, columns], video.fps)

    def scaled(self, video: Video, to: Video) -> Trim:
        """For `to`, which shows what `video` shows at another size."""
        x, y = to.width / video.width, to.height / video.height
        return Trim(*(math.ceil(v * s) for v, s in zip(self, (x, x, y, y), strict=True)))

    def joined(self, other: Trim) -> Trim:
        """What either cuts off."""
        return Trim(*(max(a, b) for a, b in zip(self, other, strict=True)))

    def even(self, video: Video) -> Trim:
        """One pixel more where an odd number of columns or rows would be left, as films must not have."""
        odd = ((video.width - self.left - self.right) % 2, (video.height - self.top - self.bottom) % 2)
        return self._replace(
            right=self.right + (odd[0] if self.left or self.right else 0),
            bottom=self.bottom + (odd[1] if self.top or self.bottom else 0),
        )

    def words(self) -> str:
        """A sentence about the clip that has them."""
        parts = [f"{v} at the {name}" for name, v in zip(("left", "right", "top", "bottom"), self, strict=True) if v]
        return f"bars or lines that are no part of the picture are cut off (pixels): {', '.join(parts)}"


def bars(video: Video) -> Trim:
    """What of a clip's edges is one even colour in all frames, and ends at once along most of its length.

    A wide bar counts only with one of the same width on the opposite edge: a plain sky has none. On a plain backdrop
    nothing ends at once.
    """
    step = max(1, len(video) // _LOOKED_AT)
    frames = video.frames[::step]
    columns, rows = frames.permute(0, 2, 3, 1), frames.permute(0, 3, 2, 1)  # [F, along, across, 3]
    return Trim(*_pair(columns), *_pair(rows))


def _pair(lines: Float[Tensor, "F n m 3"]) -> tuple[int, int]:
    """Widths at the beginning and the end of the axis m. Corners, where other bars cross, are not looked at."""
    corner = lines.shape[1] // 8
    lines = lines[:, corner : lines.shape[1] - corner]
    one, other = (_width(lines), _width(lines.flip(2)))
    line = max(_PIXELS, round(_LINE * lines.shape[2]))
    alike = min(one, other) > line and abs(one - other) <= max(2, line)
    return (one, other) if alike else (one * (one <= line), other * (other <= line))


def _width(lines: Float[Tensor, "F n m 3"]) -> int:
    """How many lines at the beginning of the axis m are a bar; 0 if none, or if it does not end at once."""
    most = int(_BAR * lines.shape[2])
    colour = lines[:, :, 0].mean((0, 1))
    apart = (lines[:, :, : most + 1] - colour).abs().amax(-1)  # [F, n, most + 1]
    even = (apart.square().mean((0, 1)).sqrt() < _EVEN).tolist()
    width = even.index(False) if False in even else 0
    ends = width and float((apart[:, :, width] > _DIFFERENT).float().mean()) >= _MOST
    return width if ends else 0


def trimmed(freeze: Video, reference: Video | None, alike: bool) -> tuple[Video, Video | None, tuple[str, ...]]:
    """Both clips without their bars, and a sentence for each that had some.

    Args:
        freeze, reference: the clips.
        alike: they have one shape. They were then made by one program, share a camera, and are cut alike.
    """
    first, second = bars(freeze), Trim() if reference is None else bars(reference)
    if reference is not None and alike:
        first, second = first.joined(second.scaled(reference, freeze)), second.joined(first.scaled(freeze, reference))
    notes = []
    if any(first):
        notes.append(f"freeze-time clip: {first.words()}")
    if any(second):
        notes.append(f"reference clip: {second.words()}")
    cut = None if reference is None else second.even(reference).apply(reference)
    return first.even(freeze).apply(freeze), cut, tuple(notes)
