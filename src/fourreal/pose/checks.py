"""Sanity checks of estimated poses: a full registration with a small residual can still be wrong.

Repeating textures, for instance, register every frame at half a pixel and put the cameras tens of degrees away. What
gives such poses away is that they make no sense as the walk of a camera round a scene.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.paths import look_target, world_up

from .base import SMALL_ARC, Finding, scene_distance, step_angles, turning

DISTANCE_SPREAD = 0.10  # of the distance to the look-at point
SUSPECT_STEP, WRONG_STEP = 3.0, 10.0  # in median steps
STILL = 0.1  # degrees: steps are not compared with a median below this, or a camera at rest would look like jumps
DETOUR = 1.25  # sum of steps over net turning
OFF_PATH = 0.25  # of the turning that was asked for
FOCAL_RANGE = (0.5, 4.0)  # image widths: 90 to 14 degrees of view
FOCAL_SPREAD = 0.05
BEHIND = 0.5  # share of the points behind one camera
TRACK_ERROR = 0.008  # image widths: 2 px at 256


def examine(
    cameras: Cameras,
    *,
    canonical: int = 0,
    points: Float[Tensor, "N 3"] | None = None,
    path: Float[Tensor, "F 3"] | None = None,
    track_px: float | None = None,
) -> tuple[tuple[Finding, ...], float]:
    """Every check that applies, and the arc in degrees: how far the camera turns from the first to the last frame.

    Args:
        cameras: one a frame, in order.
        canonical: the reference camera.
        points: sparse points of the scene, if there are any.
        path: the camera path that the clip was asked to follow (see `PoseHint`): a change of distance that was
            asked for is not held against the poses, a turning that was asked for and is not there is.
        track_px: how badly points followed through the clip fit the poses (see `tracks.track_error`), in pixels.
    """
    cloud = torch.zeros(0, 3) if points is None else points
    arc = net_turning(cameras)
    findings = [_arc(cameras), _focal(cameras), _behind(cameras, cloud)]
    if len(cameras) > 3:
        findings += [_steps(cameras, scene_distance(cameras, cloud, canonical)), _detour(cameras, arc, path)]
    if turning(cameras) >= SMALL_ARC:
        findings.append(_distance(cameras, path))
    if path is not None:
        findings.append(_off_path(arc, path))
    if track_px is not None:
        findings.append(_tracks(track_px, cameras.width))
    return tuple(findings), arc


def net_turning(cameras: Cameras) -> float:
    """Degrees between the first and the last frame: azimuth (counted through whole turns) and elevation combined."""
    if len(cameras) < 2:
        return 0.0
    azimuth, elevation = _angles(cameras)
    return math.degrees(math.hypot(float(azimuth[-1] - azimuth[0]), float(elevation[-1] - elevation[0])))


def _angles(cameras: Cameras) -> tuple[Tensor, Tensor]:
    """[F] unwrapped azimuth and elevation of the viewing directions, in radians, about the cameras' common up."""
    up = world_up(cameras).double()
    forward = cameras.viewmats[:, 2, :3].double()
    elevation = (forward @ up).clamp(-1, 1).asin()
    flat = torch.nn.functional.normalize(forward - (forward @ up)[:, None] * up, dim=1)
    sine = torch.linalg.cross(flat[:-1], flat[1:]) @ up
    steps = torch.atan2(sine, (flat[:-1] * flat[1:]).sum(1))
    return torch.cat([steps.new_zeros(1), steps.cumsum(0)]), elevation


def _arc(cameras: Cameras) -> Finding:
    angle = turning(cameras)
    if angle >= SMALL_ARC or len(cameras) < 2:
        return Finding("arc", "ok", f"the camera turns by {angle:.0f} degrees")
    words = f"the camera turns by only {angle:.1f} degrees; below {SMALL_ARC:.0f} depth and focal length are guesses"
    return Finding("arc", "suspect", words)


def _focal(cameras: Cameras) -> Finding:
    focal = cameras.Ks[:, 0, 0].double() / cameras.width
    middle, low, high = float(focal.median()), *FOCAL_RANGE
    spread = float((focal / middle - 1).abs().max())
    if not low <= middle <= high:
        view = math.degrees(2 * math.atan(0.5 / middle))
        words = (
            f"the focal length is {middle:.2f} image widths ({view:.0f} degrees of view), wanted {low:g} to {high:g}"
        )
        return Finding("focal", "suspect", words)
    if spread > FOCAL_SPREAD:
        worst = int((focal / middle - 1).abs().argmax())
        words = f"the focal length of frame {worst} is {spread:.0%} away from the median of the frames"
        return Finding("focal", "suspect", words)
    return Finding("focal", "ok", f"the focal length is {middle:.2f} image widths")


def _behind(cameras: Cameras, points: Tensor) -> Finding:
    if len(points) == 0:
        return Finding("behind", "ok", "no points to check")
    depth = torch.einsum("fc,nc->fn", cameras.viewmats[:, 2, :3], points) + cameras.viewmats[:, 2, 3:]
    share = (depth <= 0).float().mean(1)
    worst = int(share.argmax())
    words = f"{float(share[worst]):.0%} of the points lie behind the camera of frame {worst}"
    return Finding("behind", "wrong" if share[worst] > BEHIND else "ok", words)


def _steps(cameras: Cameras, distance: float) -> Finding:
    """One jump among even steps: a frame that was registered at the wrong repetition of a texture."""
    moved = (cameras.positions[1:] - cameras.positions[:-1]).double().norm(dim=1) / distance
    steps = torch.maximum(step_angles(cameras.viewmats), torch.rad2deg(moved))
    median = max(float(steps.median()), STILL)
    ratio, worst = float(steps.max()) / median, int(steps.argmax())
    words = (
        f"the largest step (frame {worst} to {worst + 1}) is {ratio:.1f} times the median step of {median:.1f} degrees"
    )
    severity = "wrong" if ratio > WRONG_STEP else "suspect" if ratio > SUSPECT_STEP else "ok"
    return Finding("steps", severity, words)


def _detour(cameras: Cameras, arc: float, path: Tensor | None) -> Finding:
    total = float(step_angles(cameras.viewmats).sum())
    words = f"the steps add up to {total:.0f} degrees, the way from the first to the last frame is {arc:.0f}"
    allowed = DETOUR if path is None else max(DETOUR, DETOUR * _path_detour(path))
    bad = total > allowed * arc + 3
    return Finding("detour", "suspect" if bad else "ok", words)


def _path_detour(path: Tensor) -> float:
    steps = (path[1:, :2] - path[:-1, :2]).norm(dim=1).sum()
    return float(steps / (path[-1, :2] - path[0, :2]).norm().clamp_min(1e-6))


def _distance(cameras: Cameras, path: Tensor | None) -> Finding:
    try:
        distance = (cameras.positions - look_target(cameras)).norm(dim=1)
    except FieldError:
        return Finding("distance", "suspect", "the cameras look at no common point")
    if path is not None:
        distance = distance * (-path[:, 2]).exp()
    middle = distance.median()
    off = (distance / middle - 1).abs()
    worst = int(off.argmax())
    words = f"the distance to the point looked at varies by up to {float(off[worst]):.0%} (frame {worst})"
    return Finding("distance", "suspect" if off[worst] > DISTANCE_SPREAD else "ok", words)


def _off_path(arc: float, path: Tensor) -> Finding:
    wanted = math.degrees(float((path[-1, :2] - path[0, :2]).norm()))
    words = f"the camera turns by {arc:.0f} degrees, {wanted:.0f} were asked for"
    return Finding("path", "suspect" if abs(arc - wanted) > OFF_PATH * wanted + 3 else "ok", words)


def _tracks(track_px: float, width: int) -> Finding:
    words = f"points followed through the clip fit the poses to {track_px:.2f} px (median)"
    return Finding("tracks", "suspect" if track_px > TRACK_ERROR * width else "ok", words)
