"""Poses by structure from motion (COLMAP through pycolmap), with the settings that work on small and generated clips.

SIFT finds little in 256x144 pixels, so frames are enlarged; a generated clip bends a little from frame to frame, so
the focal length is fixed while the scene grows and freed at the end, and only if the camera turns enough to tell it
from the distance. Attempts go from the cheap to the thorough until one registers every frame and passes the checks.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import se3_exp, se3_log
from fourreal.core.video import Video

from ._sfm import Attempt, Mapper, Matched, Model, import_pycolmap, matched
from .base import (
    FOCAL_PRIOR,
    NARROW_ARC,
    PoseError,
    PoseHint,
    PoseReport,
    Poses,
    count_words,
    focal_tells,
    in_scene_frame,
    pinhole,
    turning,
)
from .checks import examine
from .frames import ALIKE, likeness
from .tracks import Trail, follow, track_error

ATTEMPTS = (
    Attempt("enlarged 2x, neighbours matched"),
    Attempt("enlarged 3x, all pairs matched", 3, 0.001, 0.85, None, ("incremental", "global")),
)
_FREE_FROM = 10.0  # degrees with the guessed focal length from which on freeing it is tried: a guess can halve the arc
_SETTLED = 0.01  # relative change of the focal length that ends its refinement
_ROUNDS = 4
_FEW = 250  # points seen by a frame: with fewer, poses of small pictures were 0.7 to 8 degrees off, else 0.02 to 0.1
_MOST_MISSING = 0.2  # of the frames may be interpolated
_LONGEST_GAP = 2  # frames


@dataclass(frozen=True)
class Colmap:
    """Structure from motion.

    Attributes:
        attempts: settings to try in order.
        threads: for features; matching and mapping run on one, so that results repeat.
    """

    attempts: tuple[Attempt, ...] = ATTEMPTS
    threads: int = 2

    def build(self) -> Colmap:
        """Itself, once pycolmap is there. Raises `MissingDependencyError`."""
        import_pycolmap()
        return self

    def estimate(self, video: Video, hint: PoseHint) -> Poses:
        """The cameras of all frames, in the scene frame of `base`: those of the first attempt without a fault.

        If every attempt has one, those of the best: least wrong, then most frames, then most points. Frames that were
        not registered are interpolated if they are few, and the report says which.

        Raises:
            PoseError: if too few frames register, or not the canonical one.
            MissingDependencyError: without pycolmap.
            FieldError: if the hint does not fit the clip.
        """
        import_pycolmap()
        hint.check(video)
        if len(video) < 3:
            raise PoseError(f"structure from motion needs at least 3 frames, got {len(video)}", total=len(video))
        begun, trail = time.perf_counter(), follow(video.frames)
        found: list[tuple[Poses, float]] = []
        notes: list[str] = []
        most = 0
        for attempt in self.attempts:
            model, why = self._attempt(video, hint, attempt)
            most = max(most, len(model.frames) if model else 0)
            if model and not why:
                poses = _poses(video, hint, model, attempt, trail)
                found.append((poses, model.sightings))
                few = f"a frame sees only {model.sightings:.0f} points" if model.sightings < _FEW else ""
                why = _faults(poses.report) or few
            notes.append(f"colmap, {attempt.name}: {why or 'every frame registered, nothing suspicious'}")
            # A small arc stays one, however hard one looks.
            if not why or (found and why == _arc_words(found[-1][0].report)):
                break
        if not found:
            words = f"structure from motion registered at most {most} of {len(video)} frames ({'; '.join(notes)})"
            raise PoseError(words, registered=most, total=len(video))
        best = min(found, key=_rank)[0]
        report = replace(best.report, diagnosis=tuple(notes), seconds=time.perf_counter() - begun)
        return replace(best, report=report)

    def _attempt(self, video: Video, hint: PoseHint, attempt: Attempt) -> tuple[Model | None, str]:
        """The model that holds the canonical frame, and why it will not do ("" if it will)."""
        focal = hint.focal or FOCAL_PRIOR * video.width
        closed = len(video) > 12 and float(likeness(video.frames[:1], video.frames[-1:])) > ALIKE
        model, why = None, "no two frames fit together"
        with matched(video.frames, attempt, focal, threads=self.threads, closed=closed) as matches:
            for mapper in attempt.mappers:
                model, why = _holding(matches.models(focal, mapper), hint.canonical, len(video))
                if model and not why:
                    grown = model if hint.focal else _with_focal(matches, model, hint.canonical, mapper)
                    return matches.settled(grown, free_focal=grown.focal != model.focal), why
        return model, why


def _rank(found: tuple[Poses, float]) -> tuple[float, ...]:
    """Least wrong first, then most frames, then most points."""
    report = found[0].report
    return report.wrong, -report.registered, report.suspicious, -found[1]


def _faults(report: PoseReport) -> str:
    missing = [f"{report.registered} of {report.total} frames registered"] if report.registered < report.total else []
    return "; ".join([*missing, *report.checks])


def _arc_words(report: PoseReport) -> str:
    return next(f.words for f in report.findings if f.name == "arc")


def _holding(models: list[Model], canonical: int, count: int) -> tuple[Model | None, str]:
    """The largest model with the canonical frame, and what it lacks ("" if nothing)."""
    if not models:
        return None, "no two frames fit together"
    holding = [m for m in models if canonical in m.frames]
    if not holding:
        sizes = " and ".join(str(len(m.frames)) for m in models)
        return models[0], f"models of {sizes} of {count} frames, none with the canonical frame {canonical}"
    missing, gap = _gaps(holding[0].frames, count)
    if len(missing) > _MOST_MISSING * count or gap > _LONGEST_GAP:
        registered = count - len(missing)
        return holding[0], f"{registered} of {count} frames registered, without frames {count_words(missing)}"
    return holding[0], ""


def _with_focal(matches: Matched, model: Model, canonical: int, mapper: Mapper) -> Model:
    """The model with its focal length estimated, where the turning determines it; otherwise as it was.

    Points found with a wrong focal length hold on to it: observations that contradict it have been dropped. So
    freeing it and mapping afresh take turns until it settles.
    """
    if turning(_cameras(model)) < _FREE_FROM:
        return model
    focal, current = model.focal, model
    for _ in range(_ROUNDS):
        freed = matches.freed(current)
        gain = 1 - (freed.error / model.error) ** 2
        if not focal_tells(turning(_cameras(freed)), math.log(freed.focal / model.focal), gain):
            return model
        settled, focal = abs(freed.focal / focal - 1) < _SETTLED, freed.focal
        current = freed
        if settled:
            break
        again = [m for m in matches.models(focal, mapper) if canonical in m.frames]
        if not again or len(again[0].frames) < len(model.frames):
            break
        current = again[0]
    return current if turning(_cameras(current)) >= NARROW_ARC else model


def _cameras(model: Model) -> Cameras:
    viewmats = model.viewmats.float()
    return Cameras(viewmats, pinhole(model.focal, 2, 2, len(viewmats)), 2, 2)


def _poses(video: Video, hint: PoseHint, model: Model, attempt: Attempt, trail: Trail) -> Poses:
    viewmats = interpolated(model.viewmats, model.frames, len(video)).float()
    Ks = pinhole(model.focal, video.width, video.height, len(video))
    raw = Cameras(viewmats, Ks, video.width, video.height)
    cameras, points = in_scene_frame(raw, model.points.float(), hint.canonical)
    findings, arc = examine(
        cameras, canonical=hint.canonical, points=points, path=hint.path, track_px=track_error(cameras, trail)
    )
    report = PoseReport(
        f"colmap ({attempt.name})", len(model.frames), len(video), model.error, arc, model.focal, findings
    )
    return Poses(cameras, report, points, model.colors)


def _gaps(frames: tuple[int, ...], count: int) -> tuple[list[int], int]:
    """The frames that are missing, and the length of the longest run of them."""
    missing = [i for i in range(count) if i not in set(frames)]
    longest = run = 0
    for i in range(count):
        run = 0 if i in set(frames) else run + 1
        longest = max(longest, run)
    return missing, longest


def interpolated(viewmats: Tensor, frames: tuple[int, ...], count: int) -> Tensor:
    """[count, 4, 4] poses of all frames from those [R, 4, 4] of `frames` (ascending, at least 2).

    Between two frames the camera follows the screw motion that joins them; at the ends it goes on as in the nearest
    two.
    """
    known = torch.tensor(frames)
    after = torch.searchsorted(known, torch.arange(count)).clamp(1, len(frames) - 1)
    a, b = known[after - 1], known[after]
    share = (torch.arange(count) - a) / (b - a)
    first, last = viewmats[after - 1], viewmats[after]
    twists = se3_log(last @ torch.linalg.inv(first))
    return se3_exp(share[:, None] * twists) @ first
