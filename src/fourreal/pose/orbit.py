"""Poses from a prior: the camera path that was asked for, or an arc, refined by points followed through the clip.

Needs no pycolmap, and gives an answer for clips that turn too little for structure from motion to hold on to. It
assumes that the camera looks at one subject and circles it; what the pictures say differently is then corrected by
bundle adjustment, frame by frame.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import look_at
from fourreal.core.video import Video

from ._adjust import Problem, Scene, adjust
from ._threads import one_thread
from .base import (
    ELEVATION,
    FOCAL_BOUND,
    FOCAL_PRIOR,
    PoseHint,
    PoseReport,
    Poses,
    focal_tells,
    in_scene_frame,
    pinhole,
    turning,
)
from .checks import examine
from .tracks import Trail, follow, residuals, track_error, triangulate

_ARCS = (5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 270.0, 360.0)  # degrees tried without a path
_FACTORS = (0.7, 0.85, 1.0, 1.15, 1.3)  # of the turning of the path tried with one
_ELEVATIONS = (0.0, ELEVATION, 35.0)  # degrees of the first view, which no path tells
_FINALISTS = 3
_FEWEST = 30  # followed points below which the prior stays as it is
_BELIEF = 0.7  # factor on the cost of what was asked for
_FIRM, _LOOSE, _SMOOTH = 3.0, 0.05, 12.0  # see `Problem.hold` and `smooth`; the first and last times the noise
_OUTLIER = 3.0  # pixels at 256 columns: sightings this far off are left out of the last rounds
_CLOSE = 2.0  # pixels at 256 columns: points that fit belong to the scene


@dataclass(frozen=True)
class Orbit:
    """An orbit about one subject.

    Attributes:
        refine: correct the prior by what the pictures show; without, a given path is taken at its word.
        steps: of the last bundle adjustment, at most.
    """

    refine: bool = True
    steps: int = 60

    def build(self) -> Orbit:
        """Itself: there is nothing to prepare."""
        return self

    def estimate(self, video: Video, hint: PoseHint) -> Poses:
        """The cameras of all frames, in the scene frame of `base`. There is always an answer; the report judges it.

        Raises `FieldError` if the hint does not fit the clip.
        """
        hint.check(video)
        begun, note = time.perf_counter(), "the prior as it is"
        focal = hint.focal or FOCAL_PRIOR * video.width
        trail = follow(video.frames)
        viewmats = orbit_viewmats(_prior(hint, len(video)), _elevations(hint, (ELEVATION,))[0])
        error = None
        if self.refine and trail.size >= _FEWEST and len(video) > 1:
            scene, note = self._refined(video, hint, trail, focal)
            viewmats, focal, error = scene.viewmats, math.exp(scene.log_focal), _mean_error(scene, video, trail)
        Ks = pinhole(focal, video.width, video.height, len(video))
        raw = Cameras(viewmats.float(), Ks, video.width, video.height)
        points, colors = _cloud(raw, trail, video)
        cameras, points = in_scene_frame(raw, points, hint.canonical)
        witness = track_error(cameras, trail)
        findings, arc = examine(cameras, canonical=hint.canonical, points=points, path=hint.path, track_px=witness)
        report = PoseReport(
            f"orbit ({note})", len(video), len(video), error, arc, focal, findings, seconds=time.perf_counter() - begun
        )
        return Poses(cameras, report, points, colors)

    @one_thread()
    def _refined(self, video: Video, hint: PoseHint, trail: Trail, focal: float) -> tuple[Scene, str]:
        """The best of a coarse search, adjusted; and in words, where it came from."""
        problem = Problem(trail, video.width, video.height, hint.canonical)
        tried = [(start, *adjust(start.scene, problem, 8)) for start in _starts(video, hint, trail, focal)]
        # What was asked for is believed unless the pictures clearly contradict it.
        start, scene, _ = min(tried, key=lambda row: row[2] * (_BELIEF if row[0].asked else 1))
        # A turning that is known tells the focal length.
        told = hint.focal is None and start.asked
        noise = _noise(scene, problem)
        problem = problem._replace(
            hold=_FIRM * noise if start.asked else _LOOSE, smooth=_SMOOTH * noise, free_focal=told
        )
        scene, _ = adjust(start.scene if told else scene, problem, self.steps)
        if told and _run_away(scene, focal):
            problem = problem._replace(free_focal=False)
            scene, _ = adjust(start.scene, problem, self.steps)
        problem = problem._replace(trail=_inliers(scene, video, trail))
        last, cost = adjust(scene, problem, self.steps)
        if _run_away(last, focal):
            last, cost = adjust(scene, problem._replace(free_focal=False), self.steps)
        scene = last
        if hint.focal is None and not told:
            freed, lower = adjust(scene, problem._replace(free_focal=True), 2 * self.steps)
            turned = turning(freed.cameras(video.width, video.height))
            if focal_tells(turned, freed.log_focal - scene.log_focal, 1 - lower / cost):
                scene = freed
        return scene, start.words


def _run_away(scene: Scene, focal: float) -> bool:
    """Whether the focal length is further from what was guessed than any lens would be."""
    return abs(scene.log_focal - math.log(focal)) > math.log(FOCAL_BOUND)


def _noise(scene: Scene, problem: Problem) -> float:
    """How far sightings are off, median, in pixels at 256 columns, but at least a tenth.

    The more a clip bends, the less its points are to be followed, and the more the prior.
    """
    error = residuals(scene.cameras(problem.width, problem.height), problem.trail, scene.points)
    return max(0.1, float(error.median()) * 256 / problem.width)


class _Start(NamedTuple):
    error: float
    scene: Scene
    words: str
    asked: bool  # the path that was asked for, as it is


def _prior(hint: PoseHint, count: int) -> Float[Tensor, "F 3"]:
    """The path that was asked for, or an arc of 60 degrees to the right."""
    if hint.path is not None:
        return hint.path.double() - hint.path[hint.canonical].double()
    share = torch.linspace(0, 1, count, dtype=torch.float64)
    path = torch.zeros(count, 3, dtype=torch.float64)
    path[:, 0] = math.radians(60) * (share - share[hint.canonical])
    return path


def _elevations(hint: PoseHint, usual: tuple[float, ...]) -> tuple[float, ...]:
    """Of the canonical view, in degrees, to try."""
    if hint.elevation is None:
        return usual
    rise = 0.0 if hint.path is None else float(hint.path[hint.canonical, 1])
    return (hint.elevation + math.degrees(rise),)


def orbit_viewmats(path: Float[Tensor, "F 3"], elevation: float) -> Float[Tensor, "F 4 4"]:
    """World-to-camera [F, 4, 4] (float64) on a path about the origin, at distance 1 where the path says 0.

    Args:
        path: azimuth and elevation in radians (positive azimuth moves the camera to its right) and log distance.
        elevation: degrees above the horizon where the path says 0.
    """
    azimuth, rise = path[:, 0], (path[:, 1] + math.radians(elevation)).clamp(-1.4, 1.4)
    toward = torch.stack([rise.cos() * azimuth.sin(), rise.sin(), rise.cos() * azimuth.cos()], 1)
    up = path.new_tensor([0.0, 1.0, 0.0])
    return look_at(path[:, 2:].exp() * toward, torch.zeros_like(toward), up)


def _starts(video: Video, hint: PoseHint, trail: Trail, focal: float) -> list[_Start]:
    """The few priors under which the followed points fit best, each with its points, and what was asked for."""
    rows = []
    for words, path, asked in _candidates(hint, trail, len(video)):
        for elevation in _elevations(hint, _ELEVATIONS):
            viewmats = orbit_viewmats(path, elevation)
            guess = Scene(viewmats, torch.zeros(0, 3), math.log(focal), torch.zeros(len(video), 6).double())
            cameras = guess.cameras(video.width, video.height)
            points = triangulate(cameras, trail)
            error = residuals(cameras, trail, points).clamp(max=4 * _OUTLIER * video.width / 256)
            scene = guess._replace(points=points)
            where = f"{words}, {elevation:.0f} degrees above the horizon"
            rows.append(_Start(float(error.mean()), scene, where, asked))
    rows.sort(key=lambda row: row.error)
    return rows[:_FINALISTS] + [row for row in rows[_FINALISTS:] if row.asked]


def _candidates(hint: PoseHint, trail: Trail, count: int) -> list[tuple[str, Tensor, bool]]:
    """Paths to try, with words for each, and whether it is what was asked for."""
    if hint.path is not None:
        path = _prior(hint, count)
        scaled = [(f, path * path.new_tensor([f, f, 1.0])) for f in ((1.0,) if hint.turned else _FACTORS)]
        return [(f"the given path, turning times {f:g}", p, f == 1.0) for f, p in scaled]
    share = _pace(trail, count)
    out = []
    for arc in _ARCS:
        for side in (1, -1):
            path = torch.zeros(count, 3, dtype=torch.float64)
            path[:, 0] = side * math.radians(arc) * (share - share[hint.canonical])
            out.append((f"from an arc of {arc:.0f} degrees to the {'right' if side > 0 else 'left'}", path, False))
    return out


def _pace(trail: Trail, count: int) -> Tensor:
    """[F] share of the way travelled at each frame, 0 to 1, as the median motion of the points says."""
    order = torch.argsort(trail.point * count + trail.frame)
    point, frame, xy = trail.point[order], trail.frame[order], trail.xy[order].double()
    follows = point[1:] == point[:-1]
    length, step = (xy[1:] - xy[:-1]).norm(dim=1)[follows], frame[1:][follows]
    each = [length[step == i].median() if bool((step == i).any()) else length.median() for i in range(1, count)]
    way = torch.cat([length.new_zeros(1), torch.stack(each).clamp_min(1e-3).cumsum(0)])
    return way / way[-1]


def _inliers(scene: Scene, video: Video, trail: Trail) -> Trail:
    """The sightings that fit, of points that keep at least three."""
    error = residuals(scene.cameras(video.width, video.height), trail, scene.points)
    good = error < _OUTLIER * video.width / 256
    length = torch.bincount(trail.point[good], minlength=trail.size)
    good &= length[trail.point] >= 3
    return trail._replace(frame=trail.frame[good], point=trail.point[good], xy=trail.xy[good])


def _mean_error(scene: Scene, video: Video, trail: Trail) -> float:
    cameras = scene.cameras(video.width, video.height)
    error = residuals(cameras, trail, triangulate(cameras, trail))
    kept = error[error < _OUTLIER * video.width / 256]
    return float(kept.mean()) if len(kept) else math.inf


def _cloud(cameras: Cameras, trail: Trail, video: Video) -> tuple[Tensor, Tensor]:
    """Points that fit all their sightings, and their colours where first seen."""
    points = triangulate(cameras, trail)
    error = residuals(cameras, trail, points)
    worst = torch.zeros(trail.size, dtype=error.dtype).scatter_reduce(0, trail.point, error, "amax")
    kept = worst < _CLOSE * video.width / 256
    first = torch.full((trail.size,), len(trail.point)).scatter_reduce(
        0, trail.point, torch.arange(len(trail.point)), "amin"
    )[kept]
    limit = trail.xy.new_tensor([video.width - 1, video.height - 1])
    column, row = torch.minimum(trail.xy[first].clamp_min(0), limit).long().T
    return points[kept].float(), video.frames[trail.frame[first], :, row, column].cpu()
