"""Which frame of the reference clip to freeze: of the sharpest, the one that a walk round it suits best.

A frame may be sharp and yet show what nobody can walk round: a fox in its leap with its head between its legs, of which
the model makes a body with two tails. So a small walk is drawn round each of a few frames, and a static scene is fitted
to it, as it is to takes: where the model does not know what it sees, its views do not agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.video import Video
from fourreal.video.base import CameraPath, KnownFrames, TextCondition, VideoModel, VideoModelSpec

from .small import CPU, explained

_NEEDED = frozenset({"camera", "frames", "likeness"})  # the last: of a model that draws small and cheaply
_HALF = 65.0  # degrees to either side
_APART = 3  # frames between two that are tried, at least
_STEPS = 40  # of each fit; of three clips tried 120 rank no otherwise
_EVALUATIONS = 6  # of the network for a walk; ten rank alike within the noise of a drawing, and cost two thirds more
# dB: as good as the best, so that the sharpest is taken: the noise of one drawing; and who is seen from behind, without
# a face, is explained a little better than who shows what it is.
_ALIKE = 1.0


def tries_frames(spec: VideoModelSpec) -> bool:
    """Whether walks are tried: with models that draw small, take any known frame and follow a camera."""
    return spec.features >= _NEEDED


def candidates(scores: Float[Tensor, " F"], count: int) -> list[int]:
    """`count` frames of the best scores, best first, no two of them closer than `_APART` frames; fewer if none fits."""
    found: list[int] = []
    for frame in scores.argsort(descending=True, stable=True).tolist():
        if all(abs(frame - other) >= _APART for other in found) and len(found) < count:
            found.append(frame)
    return found


def try_frames(
    model: VideoModel,
    text: TextCondition,
    clip: Float[Tensor, "F 3 H W"],
    tried: Sequence[int],
    *,
    seed: int = 0,
    steps: int | None = None,
    device: torch.device = CPU,
    on_try: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """How well a static scene explains a small walk round each of some frames, and which frame is kept.

    Args:
        model: for which `tries_frames` holds.
        text: the prompt, in the context of frozen time.
        clip: the reference clip.
        tried: its frames that are tried, best score first.
        seed: of the noise, the same for all.
        steps: evaluations of the network a walk; None for few, since nobody looks at it.
        device: where the scenes are fitted.
        on_try: called with frames tried and in all.

    Returns:
        For every frame that was tried, in that order: `frame`, `explained_db`, `kept`.
    """
    frames, middle = model.spec.frames, model.spec.frames // 2
    path = torch.zeros(frames, 3)
    path[:, 0] = torch.linspace(-math.radians(_HALF), math.radians(_HALF), frames)
    path[:, 0] -= path[middle, 0].clone()
    found = []
    for number, frame in enumerate(tried):
        walk = model.generate(
            text,
            size=model.spec.score_size,
            known=KnownFrames((middle,), clip[frame : frame + 1]),
            camera=CameraPath(path - path[:1]),
            seed=seed,
            steps=_EVALUATIONS if steps is None else steps,
        )
        found.append(explained(Video(walk, model.spec.fps), path, 1.0, device, _STEPS))
        if on_try is not None:
            on_try(number + 1, len(tried))
    kept = next(i for i, value in enumerate(found) if value >= max(found) - _ALIKE)
    return [
        {"frame": f, "explained_db": round(v, 2), "kept": i == kept}
        for i, (f, v) in enumerate(zip(tried, found, strict=True))
    ]
