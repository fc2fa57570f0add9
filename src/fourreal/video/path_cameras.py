"""A camera path as exact cameras, for models that are told poses and for the pose stage afterwards."""

from __future__ import annotations

import math

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import look_at

from .base import CameraPath


def cameras_of_path(path: CameraPath, size: tuple[int, int], *, distance: float, fov: float) -> Cameras:
    """Cameras that look at a subject straight ahead of frame 0 and move about it as the path says.

    The world is frame 0's camera (OpenCV axes); the subject is at (0, 0, distance), and "up" is frame 0's.

    Args:
        path: F poses; taken relative to frame 0.
        size: (height, width) of the pictures in pixels.
        distance: of frame 0 from the subject, in units of the world.
        fov: horizontal field of view in degrees.
    """
    values = path.values.detach().cpu().double()
    azimuth, elevation, log_distance = (values - values[:1]).unbind(1)
    radius = distance * log_distance.exp()
    flat = radius * elevation.cos()
    subject = torch.tensor([0.0, 0.0, distance], dtype=torch.float64)
    offset = torch.stack([flat * azimuth.sin(), -radius * elevation.sin(), -flat * azimuth.cos()], 1)
    up = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
    count = len(values)
    viewmats = look_at(subject + offset, subject.expand(count, 3), up.expand(count, 3))
    height, width = size
    focal = width / 2 / math.tan(math.radians(fov) / 2)
    K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Cameras(viewmats.float(), K.expand(count, 3, 3).contiguous(), width, height)
