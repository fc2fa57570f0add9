"""Two clips made fit to be lifted: one size, enough frames, and what speaks against them in a sentence each."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FourRealError
from fourreal.core.video import Video
from fourreal.io.frames import cover, resize

from .bars import trimmed
from .frames import ALIKE, likeness, resting_share

_SHAPE = 0.02  # relative difference of aspects up to which a clip is stretched rather than cropped
_STILL = 0.9  # share of resting points from which a clip does not move


class Prepared(NamedTuple):
    """Both clips at one size, and sentences for the user."""

    freeze: Video
    reference: Video | None
    notes: tuple[str, ...]


def prepare_clips(freeze: Video, reference: Video | None, *, width: int = 256, trim: bool = True) -> Prepared:
    """Both clips at the size of the fit: the freeze-time clip's shape, with at most the pixels of width x 9/16 width.

    A portrait clip thus costs as much as a landscape one. A reference of another shape is cropped in the middle.

    Args:
        freeze: the freeze-time clip.
        reference: the clip in which time runs, if any.
        width: of a 16:9 clip, in pixels.
        trim: cut off bars and lines along the edges; not for clips whose cameras are given, which know nothing of it.

    Raises:
        FourRealError: if a clip has too few frames.
    """
    if len(freeze) < 2:
        raise FourRealError(f"the freeze-time clip has {len(freeze)} frame; it must show the scene from several sides")
    if reference is not None and len(reference) < 2:
        raise FourRealError(
            f"the reference clip has {len(reference)} frame, so time does not run in it; leave --reference out for a "
            "static scene"
        )
    notes: tuple[str, ...] = ()
    if trim:
        alike = reference is not None and abs(_squeeze(reference, freeze) - 1) <= _SHAPE
        freeze, reference, notes = trimmed(freeze, reference, alike)
    shrink = min(1.0, math.sqrt(width * width * 9 / 16 / (freeze.width * freeze.height)))
    small = freeze
    if shrink < 1:
        small = resize(freeze, *(max(2, 2 * round(v * shrink / 2)) for v in (freeze.height, freeze.width)))
    if reference is None:
        return Prepared(small, None, notes)
    if abs(_squeeze(reference, freeze) - 1) <= _SHAPE:
        return Prepared(small, resize(reference, small.height, small.width), notes)
    note = (
        f"the reference clip is {reference.width}x{reference.height} and the freeze-time clip "
        f"{freeze.width}x{freeze.height}: the reference is cropped to that shape"
    )
    return Prepared(small, cover(reference, small.height, small.width), (*notes, note))


def _squeeze(one: Video, other: Video) -> float:
    """How much wider the first is, for its height."""
    return (one.width / one.height) / (other.width / other.height)


def standing_still(freeze: Video) -> str:
    """A sentence if the freeze-time clip does not move, else ""."""
    share = resting_share(freeze)
    if share < _STILL or float(likeness(freeze.frames[:1], freeze.frames).min()) < ALIKE:
        return ""  # points may rest because none could be followed, so the pictures must agree as well
    return (
        f"the freeze-time clip does not move: {share:.0%} of its points rest; it must show one moment while the camera "
        "walks round the scene"
    )


class Moment(NamedTuple):
    """The moment and view that both clips share.

    Attributes:
        reference: frame of the reference clip.
        freeze: frame of the freeze-time clip.
        similarity: of the two, see `likeness`; None without a reference clip.
        notes: sentences for the user.
    """

    reference: int
    freeze: int
    similarity: float | None
    notes: tuple[str, ...]


def shared_moment(
    freeze: Video, reference: Video, *, freeze_frame: int | None = None, reference_frame: int | None = None
) -> Moment:
    """The pair of most alike frames; a frame that is named is kept, and the other found to match it.

    Raises:
        FourRealError: if a named frame is not in its clip.
    """
    for name, value, clip in (
        ("--freeze-frame", freeze_frame, freeze),
        ("--reference-frame", reference_frame, reference),
    ):
        check_frame(name, value, len(clip))
    table = likeness(reference.frames, freeze.frames)
    rows = slice(None) if reference_frame is None else slice(reference_frame, reference_frame + 1)
    columns = slice(None) if freeze_frame is None else slice(freeze_frame, freeze_frame + 1)
    part = table[rows, columns]
    place = int(part.argmax())
    first = place // part.shape[1] + (rows.start or 0)
    second = place % part.shape[1] + (columns.start or 0)
    value, best = (float(v.clamp(0, 1)) for v in (table[first, second], table.max()))
    notes = [f"reference frame {first} and freeze frame {second} show one moment and view (likeness {value:.2f})"]
    if value < ALIKE and best < ALIKE:
        notes = [
            f"no frames of the two clips look alike: the best are reference frame {first} and freeze frame {second} "
            f"with {value:.2f}, the same view has {ALIKE:g} and more; do both clips show one scene?"
        ]
    elif value < ALIKE:
        a, b = divmod(int(table.argmax()), len(freeze))
        notes = [
            f"reference frame {first} and freeze frame {second} look unlike ({value:.2f}); most alike are reference "
            f"frame {a} and freeze frame {b} ({best:.2f})"
        ]
    return Moment(first, second, value, tuple(notes))


def check_frame(name: str, value: int | None, count: int) -> None:
    """Raise `FourRealError` if the option `name` names a frame that a clip of `count` has not."""
    if value is not None and not 0 <= value < count:
        raise FourRealError(f"{name} must lie in 0..{count - 1} (the clip has {count} frames), got {value}")


def pair_picture(freeze: Video, reference: Video, moment: Moment) -> Float[Tensor, "3 H W"]:
    """The two frames side by side, reference on the left, for the user's eyes."""
    left, right = reference.frames[moment.reference], freeze.frames[moment.freeze]
    gap = torch.ones(3, left.shape[1], 4)
    return torch.cat([left, gap, right], 2)
