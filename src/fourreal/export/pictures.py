"""Pictures and clips inside a page, as data URIs."""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.video import Video
from fourreal.io.images import to_bytes
from fourreal.io.video import write_video


def picture_uri(image: Float[Tensor, "3 H W"], *, quality: int = 88) -> str:
    """A JPEG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(to_bytes(image[None])[0]).save(buffer, "JPEG", quality=quality, subsampling=0)
    return _uri("image/jpeg", buffer.getvalue())


def clip_uri(frames: Float[Tensor, "F 3 H W"], fps: float, *, crf: int = 21) -> str:
    """An mp4 that every browser plays."""
    with tempfile.TemporaryDirectory(prefix="fourreal-") as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, Video(frames, fps), crf=crf)
        return _uri("video/mp4", path.read_bytes())


def side_by_side(*clips: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "F 3 H W2"]:
    """Clips of one size and length in a row, a dark gap of two pixels between them."""
    gap = torch.full((*clips[0].shape[:3], 2), 0.05)
    parts = [part for clip in clips for part in (gap, clip)][1:]
    return torch.cat(parts, -1)


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
