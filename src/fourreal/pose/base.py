"""The pose plug: what every estimator of camera poses is given, what it returns, and how it fails.

Scene frame of estimated poses: structure from motion fixes poses up to a similarity, which is chosen so that the
canonical camera (the pose of the conditioning frame) is the identity and the scene is as far away as 1: the median
distance of the cameras from the point they look at. Where that point is not determined (hardly any turning), the
median depth of the points that the canonical camera sees is 1. Cameras that are given keep their own frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.checks import check_int, check_tensor
from fourreal.core.errors import FieldError, FourRealError
from fourreal.core.geometry import Similarity
from fourreal.core.paths import look_target
from fourreal.core.video import Video

FOCAL_PRIOR = 1.2  # focal length in image widths where nothing is known: COLMAP's guess, 45 degrees of view
KNOWN, CONTRADICTED = "known", "given"  # a method, and the name of a finding of it
SMALL_ARC = 10.0  # degrees of turning below which neither the focal length nor the distance is determined
NARROW_ARC, WIDE_ARC = 20.0, 40.0  # degrees of turning: below, focal lengths run away; above, they can be estimated
_EVIDENCE = 0.05  # in between: share by which the mean squared error must fall for an estimate to count
ELEVATION = 15.0  # degrees of the first view, where nothing tells
FOCAL_BOUND = 2.0  # an estimate further than this factor from the guess has run away

Severity = Literal["ok", "suspect", "wrong"]


class PoseError(FourRealError, RuntimeError):
    """Poses could not be estimated.

    Attributes:
        registered: frames that got a pose all the same.
        total: frames of the clip.
    """

    def __init__(self, message: str, *, registered: int = 0, total: int = 0) -> None:
        super().__init__(message)
        self.registered, self.total = registered, total


@dataclass(frozen=True, eq=False)
class PoseHint:
    """What is known before.

    Attributes:
        canonical: the frame whose pose is the reference camera, from 0.
        path: [F, 3] the camera path that the clip was asked to follow, as `CameraPath.values`: azimuth and elevation
            in radians (positive to the right and up) and logarithm of the distance, relative to any one view.
        focal: focal length in pixels of the clip, if it is known; it is then not estimated.
        known: the cameras of all frames, if they are known.
        turned: the clip is known to turn as far as the path does; no other turning is tried.
        elevation: degrees above the horizon at which the path is 0, if they are known; a path does not tell them.

    Raises:
        FieldError: if a value is out of range.
    """

    canonical: int = 0
    path: Tensor | None = None
    focal: float | None = None
    known: Cameras | None = None
    turned: bool = False
    elevation: float | None = None

    def __post_init__(self) -> None:
        check_int("PoseHint.canonical", self.canonical, low=0)
        if self.path is not None:
            check_tensor("PoseHint.path", self.path, ("F", 3))
        if self.focal is not None and not (math.isfinite(self.focal) and self.focal > 0):
            raise FieldError(f"PoseHint.focal must be a positive number of pixels, got {self.focal!r}")
        if self.elevation is not None and not -90 < self.elevation < 90:
            raise FieldError(f"PoseHint.elevation must lie between -90 and 90 degrees, got {self.elevation!r}")

    def check(self, video: Video) -> None:
        """Raise `FieldError` unless the hint fits the clip."""
        frames = len(video)
        if self.canonical >= frames:
            raise FieldError(f"the canonical frame must lie in 0..{frames - 1}, got {self.canonical}")
        if self.path is not None and len(self.path) != frames:
            raise FieldError(f"the camera path must have {frames} poses, one a frame of the clip, got {len(self.path)}")


@dataclass(frozen=True)
class Finding:
    """One sanity check of the poses: what was looked at, how it is, and in words."""

    name: str
    severity: Severity
    words: str


@dataclass(frozen=True)
class PoseReport:
    """How the poses came about and what speaks against them.

    Attributes:
        method: the estimator and, where it has several, the attempt that was kept.
        registered: frames whose pose was estimated; the others were interpolated.
        total: frames of the clip.
        reprojection_px: mean distance of the points from where they were seen, in pixels of the clip; None if there
            was nothing to compare.
        arc_degrees: how far the camera turns over the clip, along the way.
        focal_px: focal length in pixels of the clip.
        findings: the sanity checks.
        diagnosis: what was tried and why it was not kept, in words, in order.
        seconds: wall-clock time.
    """

    method: str
    registered: int
    total: int
    reprojection_px: float | None = None
    arc_degrees: float = 0.0
    focal_px: float = 0.0
    findings: tuple[Finding, ...] = ()
    diagnosis: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def checks(self) -> list[str]:
        """The findings that are not "ok", in words."""
        return [f.words for f in self.findings if f.severity != "ok"]

    @property
    def suspicious(self) -> bool:
        """Whether something speaks against the poses."""
        return any(f.severity != "ok" for f in self.findings)

    @property
    def wrong(self) -> bool:
        """Whether a check failed so badly that the poses cannot be right."""
        return any(f.severity == "wrong" for f in self.findings)

    @property
    def given(self) -> bool:
        """Whether the cameras were given and followed points do not contradict them."""
        return self.method == KNOWN and all(f.name != CONTRADICTED for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it, with `checks`, `suspicious` and `given`."""
        return asdict(self) | {"checks": self.checks, "suspicious": self.suspicious, "given": self.given}

    def summary(self) -> str:
        """One line: method, frames, error, and whether anything is suspicious."""
        error = "" if self.reprojection_px is None else f", reprojection error {self.reprojection_px:.2f} px"
        state = "suspicious: " + "; ".join(self.checks) if self.suspicious else "nothing suspicious"
        return (
            f"{self.method}: {self.registered} of {self.total} frames{error}, "
            f"{self.arc_degrees:.0f} degrees of turning, {state}"
        )


@dataclass(frozen=True, eq=False)
class Poses:
    """The cameras of all frames of a clip.

    Attributes:
        cameras: one a frame, of the clip's size, with one shared K (unless they were given).
        points: [N, 3] float32 sparse points of the scene; may be none.
        colors: [N, 3] float32 RGB in [0, 1].
        report: how they came about.

    Raises:
        FieldError: if a field is out of shape or range.
    """

    cameras: Cameras
    report: PoseReport
    points: Tensor = field(default_factory=lambda: torch.zeros(0, 3))
    colors: Tensor = field(default_factory=lambda: torch.zeros(0, 3))

    def __post_init__(self) -> None:
        check_tensor("Poses.points", self.points, ("N", 3))
        check_tensor("Poses.colors", self.colors, (len(self.points), 3), low=0.0, high=1.0)
        if len(self.cameras) != self.report.total:
            raise FieldError(f"Poses.cameras must be one a frame, {self.report.total} in all, got {len(self.cameras)}")


class PoseEstimator(Protocol):
    """One way to find the cameras of a clip; it knows nothing of how the frames were made."""

    def estimate(self, video: Video, hint: PoseHint) -> Poses:
        """The cameras of all frames. Raises `PoseError` if they cannot be found."""
        ...


def in_scene_frame(
    cameras: Cameras, points: Float[Tensor, "N 3"], canonical: int
) -> tuple[Cameras, Float[Tensor, "N 3"]]:
    """Cameras and points moved into the scene frame: canonical camera at the identity, scene at distance 1."""
    view = cameras.viewmats[canonical].double()
    scale = 1 / scene_distance(cameras, points, canonical)
    move = Similarity(torch.tensor(scale, dtype=torch.float64), view[:3, :3], scale * view[:3, 3])
    moved = move.apply_cameras(Cameras(cameras.viewmats, cameras.Ks, cameras.width, cameras.height, cameras.times))
    viewmats = moved.viewmats.clone()
    viewmats[canonical] = torch.eye(4)
    exact = Cameras(viewmats, moved.Ks, moved.width, moved.height, moved.times)
    return exact, move.apply(points.double()).float()


def scene_distance(cameras: Cameras, points: Float[Tensor, "N 3"], canonical: int) -> float:
    """How far the scene is, in the units of the cameras; 1 if nothing tells. See the top of this file."""
    if turning(cameras) >= SMALL_ARC:
        try:
            gap = (cameras.positions - look_target(cameras)).norm(dim=1).median()
        except FieldError:
            gap = torch.zeros(())
        if gap > 0:
            return float(gap)
    view = cameras.viewmats[canonical]
    depth = points @ view[2, :3] + view[2, 3]
    seen = depth[depth > 0]
    return float(seen.median()) if len(seen) else 1.0


def step_angles(viewmats: Float[Tensor, "F 4 4"], stride: int = 1) -> Float[Tensor, " _"]:
    """Degrees of rotation between each frame and the one `stride` later."""
    rotation = viewmats[:, :3, :3].double()
    relative = rotation[stride:] @ rotation[:-stride].transpose(1, 2)
    # The half-angle form keeps its accuracy at small angles, where the arc cosine of the trace loses it.
    skew = (relative - relative.transpose(1, 2)).square().sum((1, 2)).sqrt() / (2 * math.sqrt(2))
    cosine = (relative.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return torch.rad2deg(torch.atan2(skew, cosine))


def turning(cameras: Cameras) -> float:
    """The largest angle, in degrees, by which two frames differ."""
    rotation = cameras.viewmats[:, :3, :3].double()
    trace = torch.einsum("iab,jab->ij", rotation, rotation)
    return float(torch.rad2deg(((trace.min() - 1) / 2).clamp(-1, 1).acos()))


def focal_tells(turned: float, change: float, gain: float) -> bool:
    """Whether an estimated focal length is to be believed.

    Args:
        turned: degrees by which the camera turns under the estimate.
        change: natural logarithm of estimate over guess.
        gain: share by which the mean squared error fell. Clips that are consistent in themselves gain a lot even on
            arcs of 20 degrees; generated ones that bend gain nothing there, and the estimate is noise.
    """
    if abs(change) > math.log(FOCAL_BOUND) or turned < NARROW_ARC:
        return False
    return turned >= WIDE_ARC or gain >= _EVIDENCE


def pinhole(focal: float, width: int, height: int, count: int) -> Float[Tensor, "count 3 3"]:
    """`count` times the intrinsics of a focal length in pixels, with the principal point in the middle."""
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], dtype=torch.float32)
    return K.repeat(count, 1, 1)


def count_words(items: Sequence[int], limit: int = 6) -> str:
    """Frame numbers as a short list: "3, 4, 9"."""
    shown = ", ".join(str(i) for i in items[:limit])
    return shown + (", ..." if len(items) > limit else "")
