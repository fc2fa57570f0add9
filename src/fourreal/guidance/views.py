"""Which cameras and times a guided clip shows (4Real, sections "Multi-view SDS" and "Joint SDS").

Every function is pure: it draws from a CPU generator and returns `Cameras` with their times, in frames of the reference
clip. `focus` is the world point that the scene is about (`core.paths.look_target`); radii are fractions of a camera's
distance from it. The paper states no radius and no distribution within it.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.checks import check_int
from fourreal.core.errors import FieldError
from fourreal.core.geometry import look_at, rigid_inverse
from fourreal.core.paths import interpolate, world_up

RADIUS = 0.1


def perturb(camera: Cameras, focus: Float[Tensor, 3], radius: float, generator: torch.Generator) -> Cameras:
    """One camera, moved to a uniformly random point of the ball of `radius` times its distance from `focus`.

    It turns with the move, so that the focus stays in its pixel. Raises `FieldError` unless there is one camera, off
    the focus, and 0 <= radius <= 0.9 (a camera must not pass the focus).
    """
    if len(camera) != 1:
        raise FieldError(f"perturb takes one camera, got {len(camera)}; select one, as in cameras[0]")
    if not 0 <= radius <= 0.9:
        raise FieldError(f"radius must lie in [0, 0.9] of the distance from the focus, got {radius!r}")
    view, target = camera.viewmats[0].detach().cpu().double(), focus.detach().cpu().double()
    eye = camera.positions[0].detach().cpu().double()
    direction = torch.nn.functional.normalize(torch.randn(3, generator=generator, dtype=torch.float64), dim=0)
    share = float(torch.rand((), generator=generator, dtype=torch.float64)) ** (1 / 3)
    moved = eye + radius * share * (target - eye).norm() * direction
    # What the camera's turn differs from looking straight at the focus is its own, and stays.
    up = -view[1, :3]
    turned = view @ rigid_inverse(look_at(eye, target, up)) @ look_at(moved, target, up)
    return Cameras(turned.float()[None], camera.Ks.cpu(), camera.width, camera.height, camera.moments.cpu())


def multi_view_clip(
    canonical: Cameras,
    cameras: Cameras,
    focus: Float[Tensor, 3],
    generator: torch.Generator,
    *,
    radius: float = RADIUS,
    count: int = 16,
) -> Cameras:
    """`count` poses from the canonical camera to a perturbed one of the freeze-time `cameras`, at the canonical time.

    Between them the camera follows the SE(3) geodesic at constant speed. Frame 0 is the canonical camera.
    """
    end = _drawn(cameras, focus, radius, generator)
    return _path(canonical, end, canonical.moments[:1].cpu().expand(count), count)


def fixed_view_clip(
    cameras: Cameras,
    focus: Float[Tensor, 3],
    n_times: int,
    generator: torch.Generator,
    *,
    radius: float = RADIUS,
    count: int = 16,
) -> Cameras:
    """`count` times from 0 to n_times - 1 at equal steps, all seen from one perturbed camera of `cameras`.

    Raises `FieldError` unless n_times and count are positive.
    """
    check_int("n_times", n_times, low=1)
    check_int("count", count, low=1)
    still = _drawn(cameras, focus, radius, generator)
    times = torch.linspace(0, n_times - 1, count)
    return Cameras(still.viewmats.expand(count, 4, 4), still.Ks.expand(count, 3, 3), still.width, still.height, times)


def freeze_time_clip(
    reference: Cameras,
    cameras: Cameras,
    focus: Float[Tensor, 3],
    generator: torch.Generator,
    *,
    radius: float = RADIUS,
    count: int = 16,
) -> Cameras:
    """`count` poses from one frame of the reference clip, at its time, to a perturbed one of `cameras`.

    Args:
        reference: cameras of the reference clip with their times; one is drawn. Frame 0 of the result is that camera,
            and `result.moments[0]` says which reference frame is known.
        cameras: where the path may end: those of the freeze-time clip.
        focus: what the scene is about, world.
        generator: on the CPU.
        radius: of the perturbation.
        count: poses, at least 2.
    """
    start = reference[_index(reference, generator)]
    end = _drawn(cameras, focus, radius, generator)
    return _path(start, end, start.moments.cpu().expand(count), count)


def camera_path_of(
    cameras: Cameras, focus: Float[Tensor, 3], up: Float[Tensor, 3] | None = None
) -> Float[Tensor, "F 3"]:
    """Azimuth and elevation (radians) and natural logarithm of the distance about `focus`, relative to frame 0.

    Positive azimuth moves the camera to its right, positive elevation up: what video models with a camera condition
    take. Azimuths run on past half a turn. Where the cameras look (off the focus, rolled) is not told.

    Args:
        cameras: the clip's.
        focus: what they circle, world.
        up: world direction; by default `core.paths.world_up`, which for a still camera is the camera's own.

    Raises:
        FieldError: if `up` is zero, a camera is at the focus, or frame 0 is straight above or below it.
    """
    axis = (world_up(cameras) if up is None else up).detach().cpu().double()
    arms = cameras.positions.detach().cpu().double() - focus.detach().cpu().double()
    distance = arms.norm(dim=1)
    if axis.norm() < 1e-12 or bool((distance < 1e-9).any()):
        raise FieldError("`up` is zero, or a camera is at the focus, so it has no direction from there")
    axis = axis / axis.norm()
    height = arms @ axis
    flat = arms - height[:, None] * axis
    if flat[0].norm() < 1e-4 * distance[0]:
        raise FieldError("the first camera is straight above or below the focus, so no azimuth is defined")
    right = torch.linalg.cross(axis, flat[0])
    angle = torch.atan2(flat @ right, flat @ flat[0])  # |right| = |flat[0]|, as the axis is of unit length
    turns = torch.round((angle[1:] - angle[:-1]) / (2 * math.pi)).cumsum(0)
    azimuth = angle - 2 * math.pi * torch.cat([turns.new_zeros(1), turns])
    elevation = torch.atan2(height, flat.norm(dim=1))
    values = torch.stack([azimuth, elevation, distance.log()], 1)
    return (values - values[:1]).float()


def _index(cameras: Cameras, generator: torch.Generator) -> int:
    if len(cameras) == 0:
        raise FieldError("there are no cameras to draw from")
    return int(torch.randint(len(cameras), (), generator=generator))


def _drawn(cameras: Cameras, focus: Tensor, radius: float, generator: torch.Generator) -> Cameras:
    return perturb(cameras[_index(cameras, generator)], focus, radius, generator)


def _path(start: Cameras, end: Cameras, times: Tensor, count: int) -> Cameras:
    """From one camera to another; both of the size of the first."""
    if len(start) != 1:
        raise FieldError(f"a path starts from one camera, got {len(start)}; select one, as in cameras[0]")
    start, end = start.to("cpu"), end.resized(start.width, start.height)
    ends = Cameras(torch.cat([start.viewmats, end.viewmats]), torch.cat([start.Ks, end.Ks]), start.width, start.height)
    return interpolate(ends, count, times=times)
