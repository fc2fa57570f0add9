"""What is done to the frames of a clip after reading: sizes, crops, selection in time."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError
from fourreal.core.video import Video

_CHUNK = 16  # frames resized at once, to bound the working memory


def resize_frames(frames: Float[Tensor, "F 3 H W"], height: int, width: int) -> Float[Tensor, "F 3 height width"]:
    """Bicubic resampling with antialiasing, clamped to [0, 1]; pixel centres at +0.5, image edges aligned."""
    check_int("height", height, low=1)
    check_int("width", width, low=1)
    if frames.shape[-2:] == (height, width):
        return frames
    out = frames.new_empty(*frames.shape[:2], height, width)
    for part, target in zip(frames.split(_CHUNK), out.split(_CHUNK), strict=True):
        resized = torch.nn.functional.interpolate(
            part, (height, width), mode="bicubic", align_corners=False, antialias=True
        )
        torch.clamp(resized, 0, 1, out=target)
    return out


def resize(video: Video, height: int, width: int) -> Video:
    """The clip at another size, antialiased; the aspect is not kept (see `cover`)."""
    return Video(resize_frames(video.frames, height, width), video.fps)


def crop_box(height: int, width: int, aspect: float) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest centred box of the given width / height ratio, in pixels.

    A camera of the whole frame gets its principal point moved by (-left, -top) for the box.
    """
    if not aspect > 0:
        raise FieldError(f"aspect (width / height) must be positive, got {aspect}")
    box_width = min(width, max(1, round(height * aspect)))
    box_height = min(height, max(1, round(width / aspect)))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def crop(video: Video, aspect: float) -> Video:
    """The largest centred part of the given width / height ratio."""
    top, left, height, width = crop_box(video.height, video.width, aspect)
    return Video(video.frames[:, :, top : top + height, left : left + width], video.fps)


def cover(video: Video, height: int, width: int) -> Video:
    """The clip cropped to the aspect of `height` x `width`, then resized: not squeezed, edges are lost."""
    check_int("height", height, low=1)
    check_int("width", width, low=1)
    return resize(crop(video, width / height), height, width)


def frame_indices(
    total: int, *, start: int = 0, end: int | None = None, step: int = 1, count: int | None = None
) -> list[int]:
    """Which frames of `total` to take: every `step`-th of [start, end), or `count` evenly spaced ones.

    Negative `start` and `end` count from the end. `count` includes the first and last frame of the range
    (one frame: the first), and excludes another `step`. Raises `FieldError` if nothing is left or `count`
    exceeds the range.
    """
    check_int("step", step, low=1)
    begin, stop, _ = slice(start, end).indices(total)
    if stop <= begin:
        raise FieldError(f"no frames in [{start}, {'end' if end is None else end}) of {total} frames")
    if count is None:
        return list(range(begin, stop, step))
    check_int("count", count, low=1)
    if step != 1 or count > stop - begin:
        raise FieldError(f"count must be at most {stop - begin} and step 1, got count {count}, step {step}")
    span = stop - 1 - begin
    return [begin + round(i * span / max(count - 1, 1)) for i in range(count)]


def subsample(
    video: Video, *, start: int = 0, end: int | None = None, step: int = 1, count: int | None = None
) -> Video:
    """The frames of `frame_indices`, at the rate that keeps the speed of what they show."""
    indices = frame_indices(len(video), start=start, end=end, step=step, count=count)
    gap = (indices[-1] - indices[0]) / (len(indices) - 1) if len(indices) > 1 else 1
    return Video(video.frames[indices], video.fps / gap)
