"""Clips in and out: mp4, mov, mkv and webm through ffmpeg, gif and folders of images through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError, VideoError
from fourreal.core.storage import atomic_path
from fourreal.core.video import Video

from .ffmpeg import decode, encode, gif_options, h264_options, probe
from .frames import cover, crop, crop_box, frame_indices, resize, resize_frames, subsample
from .images import IMAGE_SUFFIXES, list_images, load_rgb, open_image, picture_to_rgb, to_bytes, write_images

__all__ = [
    "cover",
    "crop",
    "crop_box",
    "frame_indices",
    "read_video",
    "resize",
    "resize_frames",
    "subsample",
    "write_images",
    "write_video",
]

CLIP_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
_MAX_BYTES = 8 << 30  # of float32 frames; more is surely a mistake, and would end in the operating system killing us
_IMAGES_FPS = 8.0


def read_video(
    path: Path | str,
    *,
    fps: float | None = None,
    start: int = 0,
    end: int | None = None,
    step: int = 1,
    max_frames: int | None = None,
    size: tuple[int, int] | None = None,
) -> Video:
    """Read a clip (mp4, m4v, mov, mkv, webm), an animation (gif, animated png or webp) or a folder of images.

    Frames come upright, with square pixels, RGB in [0, 1] of 8 bits; transparency is composited over black.
    A clip of varying rate keeps all its frames and gets its average rate. Files of a folder are taken in
    natural order.

    Args:
        path: file or folder.
        fps: frames a second of the source, instead of what the file says; for a folder 8 unless given.
        start, end, step: take the frames start, start + step, ... below `end`; the rate is divided by `step`.
        max_frames: stop after so many frames.
        size: (height, width) to resize each frame to while reading, as `resize` does; a long clip then
        needs little
            memory.

    Raises:
        VideoError: if there is no clip at `path`, it is damaged, has no such frames, or would not fit in
        memory. FieldError: if an argument is out of range.
    """
    path = Path(path)
    check_int("start", start, low=0)
    check_int("step", step, low=1)
    if end is not None:
        check_int("end", end, low=start + 1)
    if max_frames is not None:
        check_int("max_frames", max_frames, low=1)
        end = min(start + max_frames * step, end or start + max_frames * step)
    frames, rate = _open(path, range(start, 1 << 62 if end is None else end, step))
    video_frames = _gather(frames, size, path)
    if video_frames is None:
        raise VideoError(f"{path} has no frames from {start} on" if start else f"{path} has no frames")
    return Video(video_frames, float(rate if fps is None else fps) / step)


def write_video(path: Path | str, video: Video, *, crf: int = 16, chroma: Literal["420", "444"] = "420") -> None:
    """Write a clip atomically: H.264 for mp4, m4v, mov and mkv, an endless loop with one palette for gif.

    Args:
        path: file; its suffix decides. Frame rates are kept (gif rounds each frame's time to 1/100 s).
        video: the clip.
        crf: H.264 quality, 0 (lossless) to 51; 16 is visually lossless.
        chroma: "420" plays everywhere and needs even sizes, so an odd last row or column is doubled; "444"
        keeps odd
            sizes and full colour resolution, but some browsers and players cannot show it.

    Raises:
        VideoError: for another suffix, or if ffmpeg cannot write the file.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not 0 <= crf <= 51:
        raise FieldError(f"crf must lie in [0, 51], got {crf}")
    if suffix != ".gif" and suffix not in CLIP_SUFFIXES[:-1]:
        can = ", ".join((*CLIP_SUFFIXES[:-1], ".gif"))
        raise VideoError(f"{path}: cannot write clips of type {suffix!r}; use one of {can}")
    options = gif_options() if suffix == ".gif" else h264_options(crf, chroma)
    even = suffix != ".gif" and chroma == "420"
    pad = ((0, video.height % 2), (0, video.width % 2), (0, 0)) if even else ((0, 0),) * 3
    with atomic_path(path) as temporary:
        encode(temporary, (np.pad(f, pad, mode="edge") for f in _byte_frames(video)), video.fps, options)


def _byte_frames(video: Video) -> Iterator[np.ndarray]:
    for frame in video.frames:
        yield to_bytes(frame[None])[0]


def _open(path: Path, wanted: range) -> tuple[Iterator[np.ndarray], Fraction | float]:
    """The wanted frames, to be decoded one by one, and the source's rate."""
    suffix = path.suffix.lower()
    if path.is_dir():
        images = list_images(path)
        if not images:
            raise VideoError(f"{path} holds no images; wanted files of type {', '.join(IMAGE_SUFFIXES)}")
        return (load_rgb(p) for p in images[wanted.start : wanted.stop : wanted.step]), _IMAGES_FPS
    if not path.exists():
        raise VideoError(f"{path} does not exist")
    if suffix == ".gif" or suffix in IMAGE_SUFFIXES:
        return _animation(path, wanted), _animation_rate(path)
    if suffix not in CLIP_SUFFIXES:
        can = ", ".join((*CLIP_SUFFIXES, ".gif"))
        raise VideoError(f"{path}: cannot read clips of type {suffix!r}; wanted {can} or a folder of images")
    info = probe(path)
    end = wanted.stop if wanted.stop < 1 << 62 else None
    return decode(path, info, start=wanted.start, end=end, step=wanted.step), info.fps


def _animation_rate(path: Path) -> Fraction:
    """Frames over total time; delays of 0.01 s and less count as 0.1 s, as browsers have it."""
    with open_image(path) as picture:
        count = getattr(picture, "n_frames", 1)
        if count == 1 and path.suffix.lower() != ".gif":
            raise VideoError(f"{path} is a still image, wanted a clip; a folder of images can be read as one")
        delays = []
        for index in range(count):
            picture.seek(index)
            picture.load()  # webp learns the delay only now
            delay = round(float(picture.info.get("duration", 0)))
            delays.append(delay if delay > 10 else 100)
    return Fraction(1000 * count, sum(delays))


def _animation(path: Path, wanted: range) -> Iterator[np.ndarray]:
    with open_image(path) as picture:
        for index in islice(
            range(getattr(picture, "n_frames", 1)), wanted.start, min(wanted.stop, 1 << 60), wanted.step
        ):
            picture.seek(index)
            yield picture_to_rgb(picture, path)


def _gather(frames: Iterator[np.ndarray], size: tuple[int, int] | None, path: Path) -> Tensor | None:
    """All frames as one [F, 3, H, W] tensor; None if there are none.

    The frames grow one buffer (bytes as stored, or floats once resized), which is converted once.
    """
    buffer = bytearray()
    shape: tuple[int, ...] | None = None
    for index, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.shape != shape:
            sizes = f"frame {index} is {frame.shape[1]}x{frame.shape[0]}, the first is {shape[1]}x{shape[0]}"
            raise VideoError(f"{path}: {sizes}; all must have one size")
        if size is None:
            buffer += frame.data
        else:
            pixels = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 255
            buffer += resize_frames(pixels, *size).contiguous().numpy().data
        if (4 if size is None else 1) * len(buffer) > _MAX_BYTES:
            what = f"{path} needs more than {_MAX_BYTES >> 30} GiB from frame {index} on"
            raise VideoError(f"{what}; read it smaller (size=...) or in part (end=..., step=...)")
    if shape is None:
        return None
    if size is not None:
        return torch.frombuffer(buffer, dtype=torch.float32).view(-1, 3, *size)
    stored = torch.frombuffer(buffer, dtype=torch.uint8).view(-1, *shape).permute(0, 3, 1, 2)
    return torch.empty(stored.shape).copy_(stored).div_(255)
