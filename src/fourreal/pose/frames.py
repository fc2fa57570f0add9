"""Which frames of two clips show the same view, and whether the camera of a clip moves."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.video import Video
from fourreal.io.frames import resize_frames

from .tracks import follow

ALIKE = 0.8  # similarity from which two frames count as one view of one scene
_HEIGHT = 72  # pixels: frames are compared at this height, where small bends and noise no longer matter
_FAINT = 0.02  # of gray in [0, 1]: contrast below which details are noise
_MOVED = 0.004  # image widths by which a resting camera's points may seem to move: 1 px at 256
_RESTING = 0.1  # share of the points that rest at least if the camera does; with a moving one it is below 0.06


class Alike(NamedTuple):
    """The pair of frames that look most alike, and how much: 1 for the same picture, see `likeness`."""

    reference: int
    freeze: int
    similarity: float


def most_alike(reference: Video, freeze: Video) -> Alike:
    """The frame of the reference clip and the frame of the freeze-time clip that show the same view and moment.

    A similarity below `ALIKE` says that the clips do not share a view. Measured: copies that a video model made of its
    conditioning frame 0.86 to 0.99, the same view at another moment 0.64 to 1 (so the maximum tells the moment), views
    4 degrees apart 0.46 to 0.72, other scenes below 0.3.
    """
    table = likeness(reference.frames, freeze.frames)
    best = int(table.argmax())
    return Alike(best // len(freeze), best % len(freeze), float(table.flatten()[best].clamp(0, 1)))


@torch.no_grad()
def likeness(a: Float[Tensor, "A 3 H W"], b: Float[Tensor, "B 3 h w"]) -> Float[Tensor, "A B"]:
    """How alike all pairs of pictures are, at most 1: the correlation of their details, averaged over three scales.

    Details are differences from the blurred surroundings, divided by the local contrast, so that light, tint and
    contrast do not count, nor do large flat areas that many pictures share. `b` is compared at the shape of `a`.
    """
    width = max(8, round(_HEIGHT * a.shape[3] / a.shape[2]))
    return _details(a, width) @ _details(b, width).T


def _details(frames: Tensor, width: int) -> Tensor:
    """[F, D] unit vectors whose products are similarities."""
    gray = (frames * frames.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True).cpu()
    gray = resize_frames(gray.expand(-1, 3, -1, -1), _HEIGHT, width)[:, :1]
    parts = []
    for _ in range(3):
        detail = gray - _surroundings(gray)
        contrast = _surroundings(detail.square()).sqrt()
        flat = (detail / (contrast + _FAINT)).flatten(1)
        parts.append(F.normalize(flat - flat.mean(1, keepdim=True), dim=1))
        gray = F.avg_pool2d(gray, 2)
    return torch.cat(parts, 1) / 3**0.5


def _surroundings(images: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(images, (4, 4, 4, 4), mode="reflect"), 9, 1)


def camera_moves(video: Video) -> bool:
    """Whether the camera moves over the clip: hardly any of the followed points stays where it is.

    A moving subject does not count, as long as a tenth of the textured picture belongs to the resting rest.
    """
    return resting_share(video) < _RESTING


def resting_share(video: Video) -> float:
    """Share of the points seen for at least half the clip that do not move; 1 if there are too few to tell."""
    if len(video) < 2:
        return 1.0
    trail = follow(video.frames, shortest=max(2, len(video) // 2))
    if trail.size < 10:
        return 1.0
    low, high = (torch.full((trail.size, 2), fill) for fill in (torch.inf, -torch.inf))
    index = trail.point[:, None].expand(-1, 2)
    low = low.scatter_reduce(0, index, trail.xy, "amin")
    high = high.scatter_reduce(0, index, trail.xy, "amax")
    return float(((high - low).amax(1) < _MOVED * video.width).float().mean())
