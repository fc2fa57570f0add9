"""Video diffusion models behind one protocol."""

from __future__ import annotations

from .base import (
    CameraPath,
    Chooses,
    Completes,
    FrameCountError,
    KnownFrames,
    KnownFramesError,
    ModelSourceError,
    PromptError,
    SizeError,
    TextCondition,
    UnsupportedConditionError,
    Upsamples,
    VideoModel,
    VideoModelError,
    VideoModelSpec,
)

__all__ = [
    "CameraPath",
    "Chooses",
    "Completes",
    "FrameCountError",
    "KnownFrames",
    "KnownFramesError",
    "ModelSourceError",
    "PromptError",
    "SizeError",
    "TextCondition",
    "UnsupportedConditionError",
    "Upsamples",
    "VideoModel",
    "VideoModelError",
    "VideoModelSpec",
]
