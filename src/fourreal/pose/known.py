"""Cameras that are given, and corrected where the pictures plainly say otherwise."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, MissingDependencyError
from fourreal.core.video import Video

from ._adjust import Problem, Scene, adjust
from ._threads import one_thread
from .align import align, differences
from .base import CONTRADICTED, KNOWN, Finding, PoseError, PoseHint, PoseReport, Poses, in_scene_frame
from .checks import examine
from .colmap import Colmap
from .tracks import Trail, follow, track_error, triangulate

_FINE = 0.5  # pixels at 256 columns: cameras that fit the followed points this well are taken as they are
_BETTER = 0.5  # others are wrong if bundle adjustment brings the error below this share of what it was,
_AGREES = 0.6  # and if structure from motion brings it below this share
_FEWEST = 60  # followed points that a correction needs
_STEPS = 40
_CENTRED = 0.02  # of the width: the adjustment knows one focal length and a principal point in the middle


@dataclass(frozen=True)
class Known:
    """The cameras of the hint, in their own frame and at the clip's size.

    Attributes:
        refine: put those of structure from motion in their place where points followed through the clip contradict
            the given ones and agree with the new ones. The canonical camera stays; cameras that explain the clip stay
            bit for bit.
    """

    refine: bool = True

    def build(self) -> Known:
        """Itself: there is nothing to prepare."""
        return self

    def estimate(self, video: Video, hint: PoseHint) -> Poses:
        """The given cameras, scaled to the clip's size, corrected if need be; the report says so.

        Raises `PoseError` if there are none, `FieldError` if their number or their aspect does not fit the clip.
        """
        if hint.known is None:
            raise PoseError("no cameras are given", total=len(video))
        begun = time.perf_counter()
        given = fitted(hint.known, video)
        cameras, note = corrected(given, video, hint.canonical) if self.refine else (given, "")
        findings, arc = examine(cameras, canonical=hint.canonical)
        if note:
            findings = (*findings, Finding(CONTRADICTED, "suspect", note))
        report = PoseReport(
            KNOWN, len(video), len(video), arc_degrees=arc, focal_px=float(cameras.Ks[hint.canonical, 0, 0]),
            findings=findings, seconds=time.perf_counter() - begun,
        )  # fmt: skip
        return Poses(cameras, report)


def fitted(cameras: Cameras, video: Video) -> Cameras:
    """`cameras` at the clip's size. Raises `FieldError` if there is not one a frame, or the aspect differs."""
    if len(cameras) != len(video):
        raise FieldError(f"there must be one camera a frame, {len(video)} in all, got {len(cameras)}")
    squeeze = (cameras.width / cameras.height) / (video.width / video.height)
    if abs(squeeze - 1) > 0.02:
        raise FieldError(
            f"the cameras are of {cameras.width}x{cameras.height} pixels and the clip of {video.width}x{video.height}: "
            "another shape, so the clip was cropped; give cameras of the clip as it is"
        )
    return cameras.resized(video.width, video.height)


def corrected(cameras: Cameras, video: Video, canonical: int) -> tuple[Cameras, str]:
    """The cameras, or those of structure from motion in their place, and a sentence if they do not fit the clip.

    Points followed through the clip are an independent witness: they must contradict the given cameras (bundle
    adjustment over them, which is cheap, finds far better ones) and agree with the new ones. Adjustment alone will not
    do: errors of following add up along the clip.
    """
    if not _simple(cameras) or len(video) < 3:
        return cameras, ""
    trail = follow(video.frames)
    before, unit = track_error(cameras, trail), video.width / 256
    if trail.size < _FEWEST or before is None or before < _FINE * unit or not math.isfinite(before):
        return cameras, ""
    least = track_error(_adjusted(cameras, trail, canonical), trail)
    if least is None or least > _BETTER * before:
        return cameras, ""
    wrong = f"the given cameras do not fit points followed through the clip ({before:.1f} px)"
    try:
        found = Colmap().estimate(video, PoseHint(canonical, focal=float(cameras.Ks[0, 0, 0])))
    except (PoseError, MissingDependencyError) as error:
        return cameras, f"{wrong} and are kept, for there are no others: {error}"
    better = _in_place(found.cameras, cameras, canonical)
    after = track_error(better, trail)
    if after is None or after > _AGREES * before or found.report.suspicious:
        return cameras, f"{wrong} and are kept, for structure from motion finds none to be trusted more"
    degrees, percent = differences(better, cameras)
    how = f"{float(degrees.median()):.1f} degrees and {float(percent.median()):.1f} % of the distance"
    return better, f"{wrong} and were corrected by {how} (now {after:.2f} px)"


def _in_place(found: Cameras, given: Cameras, canonical: int) -> Cameras:
    """Cameras of the scene frame of `base` where the given ones are: the canonical one at its place, their scale."""
    scale = align(found, given).move.scale.double()
    first = given.viewmats[canonical].double()
    views = found.viewmats.double()
    out = views.clone()
    out[:, :3, :3] = views[:, :3, :3] @ first[:3, :3]
    out[:, :3, 3] = views[:, :3, :3] @ first[:3, 3] + scale * views[:, :3, 3]
    out[canonical] = first
    return replace(given, viewmats=out.float())


def _simple(cameras: Cameras) -> bool:
    """Whether all cameras share one focal length and have their principal point in the middle."""
    Ks = cameras.Ks
    middle = Ks.new_tensor([cameras.width / 2, cameras.height / 2])
    off = (Ks[:, :2, 2] - middle).abs().max() / cameras.width
    focal = Ks[:, [0, 1], [0, 1]]
    return bool(off < _CENTRED) and bool((focal / focal[0, 0] - 1).abs().max() < _CENTRED)


@one_thread()
def _adjusted(cameras: Cameras, trail: Trail, canonical: int) -> Cameras:
    """Bundle adjustment from the given cameras, in the scene frame of `base`."""
    own, _ = in_scene_frame(cameras, torch.zeros(0, 3), canonical)
    scene = Scene(
        own.viewmats.double(), triangulate(own, trail), math.log(float(own.Ks[0, 0, 0])),
        torch.zeros(len(own), 6, dtype=torch.float64),
    )  # fmt: skip
    problem = Problem(trail, cameras.width, cameras.height, canonical)
    scene, _ = adjust(scene, problem, _STEPS)
    return scene.cameras(cameras.width, cameras.height)
