"""How far a clip turns of what it was told to, as far as points followed through it tell.

They err on smooth subjects, along whose outlines they slide: `stages.turning` asks the pictures before it believes.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

from fourreal.core.cameras import Cameras
from fourreal.core.video import Video

from .base import FOCAL_PRIOR, pinhole
from .orbit import orbit_viewmats
from .tracks import Trail, follow, residuals, triangulate

_SHARES = (1.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1)  # of the turning that was asked for, tried
_ELEVATIONS = (0.0, 7.0, 14.0, 21.0)  # degrees of the first view, which no path tells
_CLEAR = 0.9  # another share counts if its error is below this share of that of the path as it is
_SAME = 1.03  # errors up to this factor above the least are alike; the share nearest to 1 is then taken
_FEWEST = 60  # followed points, or nothing is said
_FAR = 12.0  # pixels at 256 columns: errors count no more than this


def turned_share(video: Video, path: Float[torch.Tensor, "F 3"]) -> float:
    """The share of the asked turning at which points followed through the clip fit a circle about the subject best.

    1 unless another fits clearly better; of those that fit alike, the one nearest to 1. Cameras stay on the path, so
    that bends of the clip are not fitted along: true clips of worlds have their minimum at 1, of clips that the
    embedded model drew it lies at 0.4 to 1.

    Args:
        video: the clip.
        path: azimuth and elevation in radians and log distance that it was asked to follow, one row a frame.
    """
    trail = follow(video.frames)
    if trail.size < _FEWEST:
        return 1.0
    errors = [_error(video, trail, path.double() * path.new_tensor([s, s, 1.0]).double()) for s in _SHARES]
    alike = [share for share, error in zip(_SHARES, errors, strict=True) if error <= _SAME * min(errors)]
    return min(alike, key=lambda share: abs(share - 1)) if min(errors) < _CLEAR * errors[0] else 1.0


def _error(video: Video, trail: Trail, path: Float[torch.Tensor, "F 3"]) -> float:
    """Mean distance in pixels of the points from where they were seen, for the best elevation."""
    Ks = pinhole(FOCAL_PRIOR * video.width, video.width, video.height, len(video))
    found = []
    for elevation in _ELEVATIONS:
        cameras = Cameras(orbit_viewmats(path, elevation).float(), Ks, video.width, video.height)
        error = residuals(cameras, trail, triangulate(cameras, trail))
        found.append(float(error.clamp(max=_FAR * video.width / 256).mean()))
    return min(found)
