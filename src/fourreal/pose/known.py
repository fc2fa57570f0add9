"""Cameras that are given."""

from __future__ import annotations

from dataclasses import dataclass

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.video import Video

from .base import PoseError, PoseHint, PoseReport, Poses
from .checks import examine


@dataclass(frozen=True)
class Known:
    """The cameras of the hint, in their own frame and at the clip's size."""

    def build(self) -> Known:
        """Itself: there is nothing to prepare."""
        return self

    def estimate(self, video: Video, hint: PoseHint) -> Poses:
        """The given cameras, scaled to the clip's size.

        Raises `PoseError` if there are none, `FieldError` if their number or their aspect does not fit the clip.
        """
        if hint.known is None:
            raise PoseError("no cameras are given", total=len(video))
        cameras = fitted(hint.known, video)
        findings, arc = examine(cameras, canonical=hint.canonical)
        report = PoseReport(
            "known", len(video), len(video), arc_degrees=arc, focal_px=float(cameras.Ks[hint.canonical, 0, 0]),
            findings=findings,
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
