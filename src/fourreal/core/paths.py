"""Camera paths: from one camera, or a few, to the cameras of a clip.

Every function returns `Cameras` of the size and intrinsics it was given, on the CPU, computed in float64
and stored as float32. `times` says which moment of the scene each frame shows; left out, time stands still
at the moment of the start camera. Directions named `up` are world directions of any length. Bad arguments
raise `FieldError`.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .cameras import Cameras
from .checks import check_int
from .errors import FieldError
from .geometry import look_at, quat_exp, quat_to_matrix, rigid, rigid_inverse, se3_exp, se3_log

_DENSE = 4096  # samples of a curve whose length has no closed form


def orbit(
    start: Cameras,
    target: Float[Tensor, 3],
    count: int,
    *,
    degrees: float = 360.0,
    up: Float[Tensor, 3] | None = None,
    times: Float[Tensor, " count"] | None = None,
) -> Cameras:
    """`count` cameras at equal steps on a circle round the axis `up` through `target`, from `start` on.

    The start camera turns rigidly with the circle, so radius, elevation, roll and the pixel that shows the
    target stay as they are. Positive `degrees` move the camera to its right. A full turn (360 or -360)
    closes: the step after the last camera would be the first again; otherwise the last camera is `degrees`
    away from the first. `up` defaults to the start camera's own up direction, which suits cameras that look
    level; see `world_up`.
    """
    check_int("count", count, low=1)
    closed = abs(abs(degrees) - 360.0) < 1e-9
    steps = torch.arange(count, dtype=torch.float64) / max(count if closed else count - 1, 1)
    viewmats = _turned(start, target, math.radians(degrees) * steps, up)
    return _build(start, viewmats, times)


def arc(
    start: Cameras,
    target: Float[Tensor, 3],
    count: int,
    *,
    degrees: float = 60.0,
    up: Float[Tensor, 3] | None = None,
    times: Float[Tensor, " count"] | None = None,
) -> Cameras:
    """As `orbit`, but from -degrees/2 to +degrees/2, both included: `start` is the middle of the arc."""
    check_int("count", count, low=2)
    angles = math.radians(degrees) * (torch.arange(count, dtype=torch.float64) / (count - 1) - 0.5)
    return _build(start, _turned(start, target, angles, up), times)


def spiral(
    start: Cameras,
    target: Float[Tensor, 3],
    count: int,
    *,
    radius: float = 0.2,
    turns: float = 2.0,
    times: Float[Tensor, " count"] | None = None,
) -> Cameras:
    """`count` cameras at equal steps on a flat spiral out of `start`, turning to keep `target` in place.

    The spiral lies in the start camera's image plane and ends `radius` from its centre, as a fraction of
    the distance to the target, after `turns` rounds.
    """
    check_int("count", count, low=1)
    if not (radius > 0 and turns > 0):
        raise FieldError(f"spiral: radius and turns must be positive, got {radius} and {turns}")
    view = _single(start)
    target = target.detach().cpu().double()
    eye = start.positions[0].detach().cpu().double()
    reach = torch.linspace(0, 1, _DENSE, dtype=torch.float64)
    angle = 2 * math.pi * turns * reach
    flat = torch.stack([angle.cos(), angle.sin()], -1) * reach[:, None] * radius * (target - eye).norm()
    lengths = torch.cat([torch.zeros(1, dtype=torch.float64), (flat[1:] - flat[:-1]).norm(dim=1).cumsum(0)])
    wanted = torch.linspace(0, 1, count, dtype=torch.float64) * lengths[-1]
    eyes = eye + _interpolated(lengths, flat, wanted) @ view[:2, :3]
    # The start camera may hold the target off centre: keep its turn away from a camera looking straight at it.
    own = view @ rigid_inverse(look_at(eye, target, -view[1, :3]))
    return _build(start, own @ look_at(eyes, target, -view[1, :3]), times)


def dolly(start: Cameras, count: int, *, distance: float, times: Float[Tensor, " count"] | None = None) -> Cameras:
    """`count` cameras at equal steps from `start` straight ahead for `distance` world units (or back)."""
    check_int("count", count, low=1)
    viewmats = _single(start).repeat(count, 1, 1)
    viewmats[:, 2, 3] -= torch.linspace(0, 1, count, dtype=torch.float64) * distance
    return _build(start, viewmats, times)


def interpolate(
    cameras: Cameras,
    count: int,
    *,
    closed: bool = False,
    radian_length: float | None = None,
    times: Float[Tensor, " count"] | None = None,
) -> Cameras:
    """`count` cameras through all given poses at constant speed.

    Between two poses the camera follows the SE(3) geodesic (a screw motion: two poses of an orbit are
    joined by the orbit's own arc). Steps are equal in sqrt(|rho|^2 + (radian_length * |phi|)^2) of the
    twist, along the whole curve.

    Args:
        cameras: at least 2 poses; their intrinsics are interpolated too.
        count: at least 2. The first and last given poses are hit exactly, unless `closed`.
        closed: return to the first pose; the step after the last camera would be the first again.
        radian_length: world units that one radian of turning counts as; by default the root mean square
        distance of
            the camera centres from their mean (1 if they coincide).
        times: moments; by default interpolated between those of the given cameras.
    """
    check_int("count", count, low=2)
    if len(cameras) < 2:
        raise FieldError(f"interpolate: at least 2 poses are needed, got {len(cameras)}")
    order = [*range(len(cameras)), *([0] if closed else [])]
    views = cameras.viewmats.detach().cpu().double()[order]
    twists = se3_log(views[:-1] @ rigid_inverse(views[1:]))
    if radian_length is None:
        centres = cameras.positions.detach().cpu().double()
        radian_length = float((centres - centres.mean(0)).square().sum(1).mean().sqrt()) or 1.0
    speed = twists[:, :3].square().sum(1) + (radian_length * twists[:, 3:]).square().sum(1)
    knots = torch.cat([speed.new_zeros(1), speed.sqrt().cumsum(0)])
    wanted = torch.arange(count, dtype=torch.float64) / (count if closed else count - 1) * knots[-1]
    segment, fraction = _locate(knots, wanted)
    viewmats = se3_exp(-fraction[:, None] * twists[segment]) @ views[segment]
    own = torch.cat([cameras.Ks.detach().cpu().flatten(1), cameras.moments.detach().cpu()[:, None]], 1).double()[order]
    mixed = (own[segment] + fraction[:, None] * (own[segment + 1] - own[segment])).float()
    moments = mixed[:, 9] if times is None else _moments(times, count)
    return Cameras(viewmats.float(), mixed[:, :9].view(-1, 3, 3), cameras.width, cameras.height, moments)


def study_path(
    start: Cameras,
    target: Float[Tensor, 3],
    n_times: int,
    *,
    degrees: float = 360.0,
    stops: int = 4,
    leg: int = 8,
    frozen_time: float = 0.0,
    up: Float[Tensor, 3] | None = None,
) -> Cameras:
    """The path of the paper's user study: circle the scene and stop at fixed poses to show the motion.

    At each of the `stops` the camera rests for `n_times` frames while time runs 0, 1, ..., n_times - 1;
    between two stops it moves for `leg` frames, at equal steps along the `orbit`, while time is frozen at
    `frozen_time`. A full turn spaces the stops evenly on the circle and ends with the leg back to the
    first; fewer `degrees` put the last stop that far from the first (4Real, arXiv 2406.07472, section "User
    study"; how many frames the legs have, and when time is frozen, is not stated there).
    """
    for name, value, low in (("n_times", n_times, 1), ("stops", stops, 1), ("leg", leg, 0)):
        check_int(name, value, low=low)
    closed = abs(abs(degrees) - 360.0) < 1e-9
    step = math.radians(degrees) / max(stops if closed else stops - 1, 1)
    angles: list[float] = []
    moments: list[float] = []
    for stop in range(stops):
        angles += [stop * step] * n_times
        moments += range(n_times)
        if closed or stop < stops - 1:
            angles += [(stop + (i + 1) / (leg + 1)) * step for i in range(leg)]
            moments += [frozen_time] * leg
    viewmats = _turned(start, target, torch.tensor(angles, dtype=torch.float64), up)
    return _build(start, viewmats, torch.tensor(moments, dtype=torch.float32))


def world_up(cameras: Cameras) -> Float[Tensor, 3]:
    """The unit world direction at a right angle to the horizontal axes of all cameras: "up", if held level.

    Where those axes do not differ (one camera, or a straight walk), the mean of the cameras' own up
    directions.
    """
    right, up = (cameras.viewmats[:, row, :3].detach().cpu().double() for row in (0, 1))
    mean = torch.nn.functional.normalize(-up.mean(0), dim=0)
    _, spread, axes = torch.linalg.svd(right)
    if len(cameras) > 1 and spread[1] > 0.1 * spread[0]:
        level = axes[2] * torch.sign(axes[2] @ mean)
        if level @ mean > 0.5:  # otherwise the cameras roll, and "level" says nothing
            mean = level
    return mean.float()


def look_target(cameras: Cameras) -> Float[Tensor, 3]:
    """The world point nearest (least squares) to all optical axes: what an orbit looks at.

    Raises `FieldError` if the axes are parallel, or if the point lies behind more than half of the cameras.
    """
    axes = cameras.viewmats[:, 2, :3].detach().cpu().double()
    centres = cameras.positions.detach().cpu().double()
    across = torch.eye(3, dtype=torch.float64) - axes[:, :, None] * axes[:, None, :]
    normal = across.sum(0)
    if torch.linalg.eigvalsh(normal)[0] < 1e-6 * len(cameras):
        raise FieldError(f"look_target: the optical axes of the {len(cameras)} cameras are parallel; give a target")
    point = torch.linalg.solve(normal, (across @ centres[:, :, None]).sum(0)).squeeze(-1)
    behind = int((((point - centres) * axes).sum(1) <= 0).sum())
    if 2 * behind > len(cameras):
        raise FieldError(f"look_target: the axes meet behind {behind} of {len(cameras)} cameras; give a target")
    return point.float()


def _single(start: Cameras) -> Tensor:
    if len(start) != 1:
        raise FieldError(f"the path starts from exactly one camera, got {len(start)}; select one, as in cameras[0]")
    return start.viewmats[0].detach().cpu().double()


def _turned(start: Cameras, target: Tensor, angles: Tensor, up: Tensor | None) -> Tensor:
    """[count, 4, 4] the start camera turned by `angles` about the axis `up` through `target`."""
    view = _single(start)
    target = target.detach().cpu().double()
    axis = -view[1, :3] if up is None else up.detach().cpu().double()
    if axis.norm() < 1e-12:
        raise FieldError("`up` is zero; give a world direction such as (0, 0, 1)")
    axis = axis / axis.norm()
    arm = start.positions[0].detach().cpu().double() - target
    if torch.linalg.cross(arm, axis).norm() <= 1e-4 * arm.norm().clamp_min(1e-12):
        raise FieldError("the camera lies on the axis `up` through the target, so it has no circle to move on")
    turn = quat_to_matrix(quat_exp(angles[:, None] * axis))
    return view @ rigid_inverse(rigid(turn, target - turn @ target))


def _locate(knots: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Segment index and fraction within it, for values along increasing `knots`; empty segments are harmless."""
    segment = (torch.searchsorted(knots, wanted.contiguous(), right=True) - 1).clamp(0, len(knots) - 2)
    width = (knots[segment + 1] - knots[segment]).clamp_min(1e-300)
    return segment, ((wanted - knots[segment]) / width).clamp(0, 1)


def _interpolated(knots: Tensor, values: Tensor, wanted: Tensor) -> Tensor:
    segment, fraction = _locate(knots, wanted)
    return values[segment] + fraction[:, None] * (values[segment + 1] - values[segment])


def _moments(times: Tensor, count: int) -> Tensor:
    if len(times) != count:
        raise FieldError(f"times must name one moment a camera: wanted {count}, got {len(times)}")
    return times.detach().cpu().float()


def _build(start: Cameras, viewmats: Tensor, times: Tensor | None) -> Cameras:
    count = len(viewmats)
    frozen = start.moments.detach().cpu().expand(count).clone()
    moments = frozen if times is None else _moments(times, count)
    Ks = start.Ks.detach().cpu().repeat(count, 1, 1)
    return Cameras(viewmats.float(), Ks, start.width, start.height, moments)
