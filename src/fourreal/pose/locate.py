"""Cameras and common moment of a freeze-time clip and a reference clip: all that a lift must know before it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.video import Video
from fourreal.io.cameras_json import CameraSet

from .align import differences
from .base import PoseError, PoseHint, Poses
from .chain import METHODS, Method, estimate_poses
from .clips import Moment, check_frame, shared_moment, standing_still
from .frames import ALIKE, likeness
from .known import Known, fitted
from .reference import only_walks, reference_cameras

_SAME_DEGREES, _SAME_PERCENT = 2.0, 4.0  # cameras this near see one view


@dataclass(frozen=True)
class Wanted:
    """What the user says about the clips; None where it is to be found out.

    Attributes:
        cameras: known cameras, groups "freeze" and, if the reference camera is known, "ref".
        freeze_frame, reference_frame: the frames that show one moment from one view.
        path: [F, 3] camera path of the freeze-time clip, see `PoseHint`.
        focal: focal length in pixels of the freeze-time clip.
        moves: whether the reference camera moves.
        methods: ways to find poses, in order.
        turned: the clip is known to turn as far as the path does.
        elevation: degrees above the horizon at which the path is 0.
    """

    cameras: CameraSet | None = None
    freeze_frame: int | None = None
    reference_frame: int | None = None
    path: Tensor | None = None
    focal: float | None = None
    moves: bool | None = None
    methods: tuple[Method, ...] = METHODS
    turned: bool = False
    elevation: float | None = None


@dataclass(frozen=True, eq=False)
class Located:
    """Where both clips' cameras are.

    Attributes:
        freeze: poses of the freeze-time clip; its cameras' times are the frozen moment.
        reference: poses of the reference clip at times 0, 1, ...; None without one.
        canonical: the freeze frame that shares view and moment with reference frame `instant`.
        instant: see there.
        notes: sentences for the user, in order.
    """

    freeze: Poses
    reference: Poses | None
    canonical: int
    instant: int
    similarity: float | None
    notes: tuple[str, ...]

    def report(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        return {
            "freeze_frame": self.canonical,
            "reference_frame": self.instant,
            "likeness": self.similarity,
            "freeze": self.freeze.report.to_json(),
            "reference": None if self.reference is None else self.reference.report.to_json(),
            "notes": list(self.notes),
        }


def locate(freeze: Video, reference: Video | None, wanted: Wanted | None = None) -> Located:
    """Find the shared moment and all cameras.

    Args:
        freeze: the freeze-time clip.
        reference: the clip in which time runs, of the same size, or None.
        wanted: what is known.

    Raises:
        PoseError: if cameras cannot be found; the message says what was tried.
        FourRealError: if a named frame or a given camera does not fit the clips.
    """
    wanted = wanted or Wanted()
    known = None if wanted.cameras is None else given_cameras(wanted.cameras, "freeze", freeze)
    seen = None
    if wanted.cameras is not None and reference is not None and "ref" in wanted.cameras.groups:
        seen = given_cameras(wanted.cameras, "ref", reference)
    moment = _moment(freeze, reference, wanted, known, seen)
    notes = [*moment.notes]
    still = standing_still(freeze)
    if still and known is None:
        raise PoseError(still, total=len(freeze))
    notes += [still] if still else []
    hint = PoseHint(moment.freeze, wanted.path, wanted.focal, known, wanted.turned, wanted.elevation)
    poses = estimate_poses(freeze, hint, wanted.methods)
    notes.append(f"freeze-time cameras: {poses.report.summary()}")
    times = torch.full((len(freeze),), float(moment.reference))
    poses = replace(poses, cameras=replace(poses.cameras, times=times))
    found = None
    if reference is not None:
        if seen is not None:
            found = given_reference(reference, seen)
        else:
            found = reference_cameras(reference, freeze, poses, canonical=moment.freeze, moves=wanted.moves)
        notes.append(f"reference camera: {found.report.summary()}")
    return Located(poses, found, moment.freeze, moment.reference, moment.similarity, tuple(notes))


def given_reference(reference: Video, cameras: Cameras) -> Poses:
    """Given cameras of the reference clip, at times 0, 1, 2, ...; they are taken as they are."""
    found = Known(refine=False).estimate(reference, PoseHint(known=cameras))
    times = torch.arange(len(reference)).float()
    report = replace(found.report, findings=only_walks(found.report.findings))
    return replace(found, cameras=replace(found.cameras, times=times), report=report)


def given_cameras(given: CameraSet, group: str, clip: Video) -> Cameras:
    """The cameras of a group at the clip's size.

    Raises `FourRealError` if the group is missing, has another number of cameras or another shape than the clip, or
    times that are not those of such a clip: 0, 1, 2, ... in "ref", one moment in "freeze".
    """
    if group not in given.groups:
        raise FourRealError(f'the cameras have no group "{group}"; they have {", ".join(given.groups)}')
    cameras = given.groups[group].cameras
    if len(cameras) != len(clip):
        raise FourRealError(f'group "{group}" has {len(cameras)} cameras for {len(clip)} frames of its clip')
    times = cameras.moments
    if group == "ref" and not torch.equal(times, torch.arange(len(times)).to(times)):
        raise FourRealError(
            f'group "ref": times must be 0, 1, 2, ... (the frames of the reference clip), got {times[:4].tolist()} ...'
        )
    if group == "freeze" and float(times.max() - times.min()) > 0:
        raise FourRealError(
            f'group "freeze": all cameras must have one time, got {float(times.min()):g} to {float(times.max()):g}'
        )
    return fitted(cameras, clip)


def _moment(
    freeze: Video, reference: Video | None, wanted: Wanted, known: Cameras | None, seen: Cameras | None
) -> Moment:
    """The shared moment: named, told by the cameras, or found by likeness."""
    if reference is None:
        check_frame("--freeze-frame", wanted.freeze_frame, len(freeze))
        return Moment(0, wanted.freeze_frame or 0, None, ())
    if known is None or wanted.cameras is None:
        return shared_moment(
            freeze, reference, freeze_frame=wanted.freeze_frame, reference_frame=wanted.reference_frame
        )
    for name, value, clip in (
        ("--freeze-frame", wanted.freeze_frame, freeze),
        ("--reference-frame", wanted.reference_frame, reference),
    ):
        check_frame(name, value, len(clip))
    time = float(known.moments[0])
    if time == 0:
        time = wanted.cameras.t_freeze
    instant = round(time) if wanted.reference_frame is None else wanted.reference_frame
    check_frame("the frozen time of the cameras", instant, len(reference))
    notes = [f"the frozen time {time:g} lies between frames; frame {instant} is taken"] if time != round(time) else []
    if seen is None:
        found = shared_moment(freeze, reference, freeze_frame=wanted.freeze_frame, reference_frame=instant)
        return found._replace(notes=(*notes, *found.notes))
    degrees, percent = differences(seen[[instant] * len(known)], known)
    canonical = int((degrees + percent).argmin()) if wanted.freeze_frame is None else wanted.freeze_frame
    value = float(likeness(reference.frames[instant : instant + 1], freeze.frames[canonical : canonical + 1]))
    same = degrees[canonical] < _SAME_DEGREES and percent[canonical] < _SAME_PERCENT
    if same and value < ALIKE:
        notes.append(
            f"reference frame {instant} and freeze frame {canonical} have one camera and one time but look unlike "
            f"({value:.2f}, the same view has {ALIKE:g} and more): do cameras and clips belong together?"
        )
    elif same:
        notes.append(f"reference frame {instant} and freeze frame {canonical} are one moment and view ({value:.2f})")
    else:
        notes.append(
            f"freeze frame {canonical} is nearest to the reference camera: {float(degrees[canonical]):.1f} degrees away"
        )
    return Moment(instant, canonical, value, tuple(notes))
