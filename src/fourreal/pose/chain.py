"""The chain: cameras that are given, else structure from motion, else an orbit; with a diagnosis in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from fourreal.core.errors import FieldError, MissingDependencyError
from fourreal.core.video import Video

from .base import PoseError, PoseEstimator, PoseHint, Poses
from .colmap import Colmap
from .known import Known
from .orbit import Orbit
from .tracks import follow, track_error

Method = Literal["known", "colmap", "orbit"]
METHODS: tuple[Method, ...] = ("known", "colmap", "orbit")
_BETTER = 0.7  # a later method replaces a suspicious earlier one if it fits the followed points this much better


def estimate_poses(
    video: Video,
    hint: PoseHint | None = None,
    methods: tuple[Method, ...] = METHODS,
    *,
    colmap: Colmap | None = None,
    orbit: Orbit | None = None,
) -> Poses:
    """The poses of the first method whose result nothing speaks against; `report.diagnosis` says what happened.

    Given cameras are taken as they are. Where every result is suspicious, the first one is kept, unless it is wrong
    or a later one explains the points followed through the clip much better.

    Args:
        video: the freeze-time clip.
        hint: what is known before.
        methods: what to try, in order.
        colmap, orbit: their settings.

    Raises:
        PoseError: if no method gives poses; the message says why for each.
        FieldError: if the hint does not fit the clip, or a method has another name.
    """
    hint = hint or PoseHint()
    hint.check(video)
    unknown = [m for m in methods if m not in METHODS]
    if unknown or not methods:
        raise FieldError(f"pose methods must be some of {', '.join(METHODS)}, got {', '.join(unknown) or 'none'}")
    estimators: dict[Method, PoseEstimator] = {
        "known": Known(), "colmap": colmap or Colmap(), "orbit": orbit or Orbit()
    }  # fmt: skip
    notes: list[str] = []
    found: list[Poses] = []
    registered = 0
    for method in methods:
        if method == "known" and hint.known is None:
            continue
        try:
            poses = estimators[method].estimate(video, hint)
        except (PoseError, MissingDependencyError) as error:
            registered = max(registered, error.registered if isinstance(error, PoseError) else 0)
            notes.append(f"{method}: {error}")
            continue
        found.append(poses)
        notes += poses.report.diagnosis or [f"{method}: {poses.report.summary()}"]
        if method == "known" or not poses.report.suspicious:
            break
    if not found:
        why = "; ".join(notes) or "no cameras are given"
        raise PoseError(f"no poses for the {len(video)} frames: {why}", registered=registered, total=len(video))
    kept, why = _choose(found, video)
    return replace(kept, report=replace(kept.report, diagnosis=(*notes, why)))


def _choose(found: list[Poses], video: Video) -> tuple[Poses, str]:
    """The result to keep, and why."""
    last = found[-1]
    if not last.report.suspicious or last.report.method == "known":
        if len(found) == 1:
            return last, f"kept {last.report.method}"
        if not found[0].report.wrong and _fit(found[0], video) < _BETTER * _fit(last, video):
            return found[0], f"kept {found[0].report.method}: suspicious, but it fits the followed points much better"
        return last, f"kept {last.report.method}: nothing suspicious, unlike {found[0].report.method}"
    if len(found) == 1:
        return last, f"kept {last.report.method}, suspicious as it is: there is nothing else"
    first, other = found[0], min(found[1:], key=lambda p: _fit(p, video))
    better = _fit(other, video) < _BETTER * _fit(first, video)
    if better or (first.report.wrong and not other.report.wrong):
        return other, f"kept {other.report.method}: suspicious too, but it fits better than {first.report.method}"
    return first, f"kept {first.report.method}: suspicious, but nothing better was found"


def _fit(poses: Poses, video: Video) -> float:
    error = track_error(poses.cameras, follow(video.frames))
    return 0.0 if error is None else error
