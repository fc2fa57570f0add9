"""Films of a scene: an orbit, time from a fixed camera, the path of the paper's user study, a walk along the clip."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.paths import interpolate, orbit, spiral, study_path
from fourreal.core.video import Video
from fourreal.io.video import write_video

from .lifted import Lifted

FilmPath = Literal["orbit", "time", "study", "spiral"]
FPS = 24.0
_WHOLE = 330.0  # degrees: a walk this long is taken for a full circle
_STUDY_FPS = 16.0
_DENSE = 2048  # cameras along the walk to choose from
_PART = 8  # cameras rendered between two pieces of news


def film_cameras(lifted: Lifted, path: FilmPath, *, fps: float = FPS) -> Cameras:
    """The cameras of a film with `fps` frames a second, on the CPU.

    - "orbit": from the home camera along the freeze-time clip's cameras to both ends and back (once round, where they
      close a circle), while time runs to and fro.
    - "time": the reference camera at rest, time runs once; in a static scene, it rests for a second.
    - "study": the path of the paper's user study (`core.paths.study_path`), at the reference clip's own moments, over
      the angle that the clip covers.
    - "spiral": a small spiral from the reference camera while time runs: parallax without leaving what was seen.
    """
    seconds = (lifted.scene.n_times - 1) / lifted.scene.fps
    if path == "time":
        times = torch.linspace(0, lifted.scene.n_times - 1, max(round(seconds * fps) + 1, 1 if seconds else round(fps)))
        still = lifted.home[[0] * len(times)]
        return Cameras(still.viewmats, still.Ks, still.width, still.height, times)
    if path == "study":
        return _study(lifted)
    if path == "spiral":
        count = max(round(fps * max(2 * seconds, 4)), 2)
        return spiral(lifted.home, lifted.pivot, count, radius=0.12, times=_to_and_fro(lifted, count, fps))
    return _orbit(lifted, fps)


def write_film(
    path: Path,
    lifted: Lifted,
    film: FilmPath | Cameras,
    *,
    fps: float | None = None,
    on_frame: Callable[[int, int], None] = lambda *_: None,
) -> None:
    """Render and write a clip (mp4, m4v, mov, mkv or gif); `on_frame` is told the frames done and in all.

    `fps` is by default 24, 16 for the study path.
    """
    rate = fps or (_STUDY_FPS if film == "study" else FPS)
    cameras = film if isinstance(film, Cameras) else film_cameras(lifted, film, fps=rate)
    frames = []
    for i in range(0, len(cameras), _PART):
        frames.append(lifted.render(cameras[i : i + _PART]))
        on_frame(min(i + _PART, len(cameras)), len(cameras))
    write_video(path, Video(torch.cat(frames), rate))


def covered_arc(lifted: Lifted) -> tuple[float, float]:
    """The least and the greatest azimuth of the freeze-time clip's cameras, degrees to the right of the home camera."""
    azimuth = lifted.angles(lifted.walk)[:, 0]
    return float(azimuth.min()), float(azimuth.max())


def _orbit(lifted: Lifted, fps: float) -> Cameras:
    low, high = covered_arc(lifted)
    walk = lifted.walk
    one_way = max(4.0, (high - low) / 20)  # seconds: at most 20 degrees a second
    if len(walk) == 1:
        walk = orbit(lifted.home, lifted.pivot, 3, degrees=20.0, up=lifted.up)
    closed = high - low >= _WHOLE
    count = round(one_way * fps)
    path = interpolate(walk, count if closed else _DENSE, closed=closed)
    begin = int((path.positions - lifted.home.positions).norm(dim=1).argmin())
    if closed:
        path = path[torch.arange(count).roll(-begin)]
    else:  # slows down where it turns back
        start = math.acos(1 - 2 * begin / (_DENSE - 1))
        ease = 0.5 - 0.5 * torch.cos(start + torch.arange(2 * count) / (2 * count) * 2 * math.pi)
        path = path[(ease * (_DENSE - 1)).round().long()]
    return Cameras(path.viewmats, path.Ks, path.width, path.height, _to_and_fro(lifted, len(path), fps))


def _to_and_fro(lifted: Lifted, count: int, fps: float) -> Tensor:
    """Moments of `count` frames: 0 to the last and back, at the scene's own speed."""
    last = lifted.scene.n_times - 1
    if last == 0:
        return torch.full((count,), 0.0)
    phase = (torch.arange(count) * lifted.scene.fps / fps) % (2 * last)
    return torch.minimum(phase, 2 * last - phase)


def _study(lifted: Lifted) -> Cameras:
    low, high = covered_arc(lifted)
    whole = high - low >= _WHOLE
    if high - low < 1:
        low, high = -10.0, 10.0
    start = orbit(lifted.home, lifted.pivot, 2, degrees=low, up=lifted.up)[1] if abs(low) > 1e-3 else lifted.home
    degrees = 360.0 if whole else high - low
    return study_path(
        start, lifted.pivot, lifted.scene.n_times, degrees=degrees, up=lifted.up, frozen_time=float(lifted.instant)
    )
