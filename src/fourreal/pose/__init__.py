"""Camera poses of a clip: given, from structure from motion, or from a camera path refined by the pictures."""

from __future__ import annotations

from .base import Finding, PoseError, PoseEstimator, PoseHint, PoseReport, Poses
from .chain import METHODS, Method, estimate_poses
from .colmap import Colmap
from .frames import ALIKE, Alike, camera_moves, likeness, most_alike
from .known import Known
from .orbit import Orbit
from .reference import reference_cameras

__all__ = [
    "ALIKE",
    "METHODS",
    "Alike",
    "Colmap",
    "Finding",
    "Known",
    "Method",
    "Orbit",
    "PoseError",
    "PoseEstimator",
    "PoseHint",
    "PoseReport",
    "Poses",
    "camera_moves",
    "estimate_poses",
    "likeness",
    "most_alike",
    "reference_cameras",
]
