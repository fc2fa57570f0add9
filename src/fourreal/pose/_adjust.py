"""Bundle adjustment of one clip: poses, points and one focal length from followed points.

Levenberg-Marquardt on the reduced camera system (B. Triggs et al., "Bundle adjustment - a modern synthesis", 1999),
dense in float64: a clip has some tens of cameras, so the reduced system has a few hundred unknowns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import se3_exp

from .base import pinhole
from .tracks import Trail

_LOSS = 1.0  # pixels at 256 columns: larger errors count ever less (Cauchy)
_SETTLED = 1e-5  # relative gain that ends the steps: focal length and turning trade off along a flat valley
_NEAR = 1e-3  # depth below which a point counts as at this depth


class Scene(NamedTuple):
    """The unknowns: world-to-camera [F, 4, 4], points [N, 3] (both float64), logarithm of the focal length."""

    viewmats: Tensor
    points: Tensor
    log_focal: float
    twists: Tensor  # [F, 6] how far each pose has moved from the first guess (rho, phi)

    def cameras(self, width: int, height: int) -> Cameras:
        """As cameras of a size."""
        count = len(self.viewmats)
        return Cameras(self.viewmats.float(), pinhole(math.exp(self.log_focal), width, height, count), width, height)


class Problem(NamedTuple):
    """What is fixed: sightings, image size, the frame that does not move, and how strongly to hold the first guess."""

    trail: Trail
    width: int
    height: int
    fixed: int
    free_focal: bool = False
    hold: float = 0.3  # pixels at 256 columns per degree (or 1/57 of the distance) that a pose leaves its guess
    smooth: float = 0.0  # the same per degree by which that differs from the mean of its neighbours', doubled


class _System(NamedTuple):
    cameras: Tensor  # [P, P]
    points: Tensor  # [N, 3, 3]
    mixed: Tensor  # [P, N, 3]
    right_cameras: Tensor  # [P]
    right_points: Tensor  # [N, 3]


def adjust(scene: Scene, problem: Problem, steps: int) -> tuple[Scene, float]:
    """At most `steps` steps from `scene`; the better scene and its cost (mean robust squared error, pixels^2)."""
    cost, damping = _cost(scene, problem), 1e-3
    for _ in range(steps):
        system = _linearized(scene, problem)
        for _ in range(6):
            trial = _moved(scene, system, damping)
            trial_cost = _cost(trial, problem)
            if trial_cost < cost:
                break
            damping *= 8
        else:
            break
        gain, scene, cost = cost - trial_cost, trial, trial_cost
        damping = max(damping / 6, 1e-9)
        if gain < _SETTLED * cost:
            break
    return scene, cost


def _unit(problem: Problem) -> float:
    return problem.width / 256


def _projected(scene: Scene, problem: Problem) -> tuple[Tensor, Tensor]:
    """[M, 3] points in their cameras' frames (not nearer than a limit) and [M, 2] errors in pixels."""
    trail = problem.trail
    view = scene.viewmats[trail.frame]
    own = (view[:, :3, :3] @ scene.points[trail.point][..., None]).squeeze(-1) + view[:, :3, 3]
    own = torch.cat([own[:, :2], own[:, 2:].clamp_min(_NEAR)], 1)
    centre = torch.tensor([problem.width / 2, problem.height / 2], dtype=torch.float64)
    return own, own[:, :2] / own[:, 2:] * math.exp(scene.log_focal) + centre - trail.xy.double()


def _cost(scene: Scene, problem: Problem) -> float:
    _, error = _projected(scene, problem)
    scale = (_LOSS * _unit(problem)) ** 2
    robust = scale * torch.log1p(error.square().sum(1) / scale)
    prior = (scene.twists * (_prior(problem, len(scene.twists)) @ scene.twists)).sum()
    return float((robust.sum() + prior) / len(error))


def _prior(problem: Problem, frames: int) -> Tensor:
    """[F, F] weights of products of twists: to stay near the guess, and to leave it smoothly."""
    bend = torch.zeros(max(frames - 2, 0), frames, dtype=torch.float64)
    for row in range(len(bend)):
        bend[row, row : row + 3] = torch.tensor([1.0, -2.0, 1.0])
    form = problem.hold**2 * torch.eye(frames, dtype=torch.float64) + problem.smooth**2 * bend.T @ bend
    return form * len(problem.trail.frame) / 1000 * (_unit(problem) * 180 / math.pi) ** 2


def _linearized(scene: Scene, problem: Problem) -> _System:
    """Normal equations in twists applied on the left of each pose, the log focal length, and the points."""
    trail, frames = problem.trail, len(scene.viewmats)
    own, error = _projected(scene, problem)
    scale = (_LOSS * _unit(problem)) ** 2
    weight = 1 / (1 + error.square().sum(1) / scale)
    focal = math.exp(scene.log_focal)
    x, y, z = own.unbind(1)
    zero = torch.zeros_like(x)
    slope = torch.stack([focal / z, zero, -focal * x / z**2, zero, focal / z, -focal * y / z**2], 1).view(-1, 2, 3)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    by_pose = torch.cat([slope, -slope @ cross], 2)  # d(exp(twist) X) = rho + phi x X
    by_point = slope @ scene.viewmats[trail.frame][:, :3, :3]
    by_focal = (own[:, :2] / z[:, None] * focal)[..., None]
    size, count = 6 * frames + 1, trail.size
    weighted = weight[:, None, None]
    poses = torch.zeros(frames, 6, 6, dtype=torch.float64)
    poses.index_add_(0, trail.frame, weighted * by_pose.transpose(1, 2) @ by_pose)
    edge = torch.zeros(frames, 6, dtype=torch.float64)
    edge.index_add_(0, trail.frame, (weighted * by_pose.transpose(1, 2) @ by_focal).squeeze(-1))
    cameras = torch.zeros(size, size, dtype=torch.float64)
    cameras[:-1, :-1] = torch.block_diag(*poses)
    cameras[:-1, -1] = cameras[-1, :-1] = edge.flatten()
    cameras[-1, -1] = (weight[:, None] * by_focal.squeeze(-1).square()).sum()
    right = torch.zeros(frames, 6, dtype=torch.float64)
    right.index_add_(0, trail.frame, (weighted * by_pose.transpose(1, 2) @ error[..., None]).squeeze(-1))
    right_cameras = torch.cat([right.flatten(), (weight[:, None] * by_focal.squeeze(-1) * error).sum()[None]])
    prior = _prior(problem, frames)
    cameras[:-1, :-1] += torch.kron(prior, torch.eye(6, dtype=torch.float64))
    right_cameras[:-1] += (prior @ scene.twists).flatten()
    stiff = [*range(6 * problem.fixed, 6 * problem.fixed + 6), *([] if problem.free_focal else [size - 1])]
    cameras[stiff, stiff] += 1e15
    points = torch.zeros(count, 3, 3, dtype=torch.float64)
    points.index_add_(0, trail.point, weighted * by_point.transpose(1, 2) @ by_point)
    right_points = torch.zeros(count, 3, dtype=torch.float64)
    right_points.index_add_(0, trail.point, (weighted * by_point.transpose(1, 2) @ error[..., None]).squeeze(-1))
    return _System(
        cameras, points, _mixed(trail, weighted, by_pose, by_point, by_focal, frames), right_cameras, right_points
    )


def _mixed(trail: Trail, weighted: Tensor, by_pose: Tensor, by_point: Tensor, by_focal: Tensor, frames: int) -> Tensor:
    """[6 F + 1, N, 3] second derivatives of cameras with points; a point is seen at most once in a frame."""
    blocks = torch.zeros(frames, trail.size, 6, 3, dtype=torch.float64)
    blocks[trail.frame, trail.point] = weighted * by_pose.transpose(1, 2) @ by_point
    last = torch.zeros(trail.size, 3, dtype=torch.float64)
    last.index_add_(0, trail.point, (weighted * by_focal.transpose(1, 2) @ by_point).squeeze(1))
    return torch.cat([blocks.permute(0, 2, 1, 3).reshape(-1, trail.size, 3), last[None]])


def _moved(scene: Scene, system: _System, damping: float) -> Scene:
    """The damped Gauss-Newton step: cameras from the reduced system, then the points."""
    eye = torch.eye(3, dtype=torch.float64)
    diagonal = torch.diag_embed(system.points.diagonal(dim1=1, dim2=2))
    inverse = torch.linalg.inv(system.points + damping * diagonal + 1e-9 * eye)
    size = len(system.cameras)
    reduced = (system.mixed[..., None, :] @ inverse).squeeze(-2)
    flat, mixed = reduced.reshape(size, -1), system.mixed.reshape(size, -1)
    matrix = system.cameras + damping * torch.diag(system.cameras.diagonal()) - flat @ mixed.T
    right = system.right_cameras - flat @ system.right_points.flatten()
    step = torch.linalg.solve(matrix + 1e-9 * torch.eye(size, dtype=torch.float64), -right)
    left = -system.right_points - (mixed.T @ step).view(-1, 3)
    points = scene.points + (inverse @ left[..., None]).squeeze(-1)
    turn = step[:-1].view(-1, 6)
    log_focal = scene.log_focal + float(step[-1].clamp(-0.2, 0.2))
    return Scene(se3_exp(turn) @ scene.viewmats, points, log_focal, scene.twists + turn)
