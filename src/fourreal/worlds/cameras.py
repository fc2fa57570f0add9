"""Default cameras: the fixed reference view, and walks round the scene."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import look_at

from .model import Worlds
from .render import Shots


def place_cameras(
    worlds: Worlds, path: Float[Tensor, "B F 3"], times: Float[Tensor, "B F"], width: int, height: int
) -> Shots:
    """Cameras on a path about the default view.

    Args:
        worlds: B worlds.
        path: azimuth and elevation (radians) added to the default view's, and natural logarithm of the factor on its
            distance. Zero is the reference view.
        times: moments, 0..1 of the clip.
        width, height: picture size in pixels.
    """
    view = worlds.view
    azimuth = view.azimuth[:, None] + path[..., 0]
    elevation = (view.elevation[:, None] + path[..., 1]).clamp(math.radians(1.5), math.radians(80))
    distance = view.distance[:, None] * path[..., 2].exp()
    toward = outward(azimuth, elevation)
    target = view.target[:, None].expand_as(toward)
    eye = target + distance[..., None] * toward
    eye = torch.cat((eye[..., :1], eye[..., 1:2].clamp(min=0.12), eye[..., 2:]), -1)
    focal = height / 2 / (view.fov / 2).tan()
    K = torch.zeros(*times.shape, 3, 3, device=times.device)
    K[..., 0, 0] = K[..., 1, 1] = focal[:, None]
    K[..., 0, 2], K[..., 1, 2], K[..., 2, 2] = width / 2, height / 2, 1
    up = eye.new_tensor([0.0, 1.0, 0.0])
    return Shots(look_at(eye, target, up), K, times, width, height)


def outward(azimuth: Tensor, elevation: Tensor) -> Tensor:
    """Unit vectors [*N, 3] from what cameras look at to them; angles [*N] in radians."""
    return torch.stack((elevation.cos() * azimuth.sin(), elevation.sin(), elevation.cos() * azimuth.cos()), -1)


def clip_times(count: int, frames: int, device: torch.device) -> Float[Tensor, "B F"]:
    """Evenly spaced moments from 0 to 1 - 1/frames, so that 16 frames are two seconds at 8 frames a second."""
    return (torch.arange(frames, device=device) / frames).expand(count, -1)


def reference_cameras(worlds: Worlds, frames: int = 16, width: int = 256, height: int = 144) -> Shots:
    """The dynamic clip: the default view held still while time runs."""
    times = clip_times(len(worlds), frames, worlds.device)
    return place_cameras(worlds, torch.zeros(*times.shape, 3, device=worlds.device), times, width, height)


def orbit_cameras(
    worlds: Worlds,
    frames: int = 16,
    width: int = 256,
    height: int = 144,
    *,
    degrees: float | Tensor = 60.0,
    rise: float | Tensor = 0.0,
    moment: float | Tensor | None = 0.0,
) -> Shots:
    """The freeze-time clip: from the reference view round the scene.

    Args:
        worlds: B worlds.
        frames, width, height: size of the clip.
        degrees: azimuth travelled over the clip, one number or [B].
        rise: elevation travelled, in degrees.
        moment: the frozen time, 0..1, one number or [B]; None lets time run while the camera moves.
    """
    share = torch.linspace(0, 1, frames, device=worlds.device) if frames > 1 else torch.zeros(1, device=worlds.device)

    def column(value: float | Tensor) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float32, device=worlds.device).expand(len(worlds))[:, None]

    sweep = torch.deg2rad(column(degrees)) * share
    climb = torch.deg2rad(column(rise)) * share
    path = torch.stack((sweep, climb, torch.zeros_like(sweep)), -1)
    times = clip_times(len(worlds), frames, worlds.device) if moment is None else column(moment).expand(-1, frames)
    return place_cameras(worlds, path, times.contiguous(), width, height)


def core_cameras(shots: Shots, index: int, frames_of_clip: int = 16) -> Cameras:
    """The cameras of one world; `Cameras.times` are in frames of a reference clip of `frames_of_clip` frames."""
    return Cameras(
        shots.viewmats[index].contiguous(),
        shots.Ks[index].contiguous(),
        shots.width,
        shots.height,
        shots.times[index] * frames_of_clip,
    )
