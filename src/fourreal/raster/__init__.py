"""Differentiable rasterizers of 3D Gaussians: one pure function, three implementations."""

from __future__ import annotations

from .base import Rasterizer, Rendering, Splats, Views
from .choose import select

__all__ = ["Rasterizer", "Rendering", "Splats", "Views", "select"]
