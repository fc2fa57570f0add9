"""Camera poses of a clip: given, from structure from motion, or from a camera path refined by the pictures."""

from __future__ import annotations

from .align import Alignment, align, differences
from .base import Finding, PoseError, PoseEstimator, PoseHint, PoseReport, Poses
from .chain import METHODS, Method, estimate_poses
from .clips import Moment, Prepared, pair_picture, prepare_clips, shared_moment, standing_still
from .colmap import Colmap
from .frames import ALIKE, Alike, camera_moves, likeness, most_alike
from .known import Known
from .locate import Located, Wanted, given_cameras, locate
from .orbit import Orbit
from .reference import reference_cameras

__all__ = [
    "ALIKE",
    "METHODS",
    "Alignment",
    "Alike",
    "Colmap",
    "Finding",
    "Known",
    "Located",
    "Method",
    "Moment",
    "Orbit",
    "PoseError",
    "PoseEstimator",
    "PoseHint",
    "PoseReport",
    "Poses",
    "Prepared",
    "Wanted",
    "align",
    "camera_moves",
    "differences",
    "estimate_poses",
    "given_cameras",
    "likeness",
    "locate",
    "most_alike",
    "pair_picture",
    "prepare_clips",
    "reference_cameras",
    "shared_moment",
    "standing_still",
]
