"""Choosing the noise that a clip is drawn from: small drafts of several, judged by the model's critic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fourreal.video.base import DRAFTS_APART, CameraPath, Chooses, KnownFrames, TextCondition, VideoModel

SHARE = 0.9  # of the time of a clip, if it is chosen from drafts: what is left is to enlarge it


@dataclass(frozen=True)
class Chosen:
    """The seed to draw a clip from, and how the critic likes each draft (empty if there was no choice)."""

    seed: int
    drafts: list[dict[str, Any]]


def drafts_for(count: int, *, shown: bool) -> int:
    """How many drafts to draw where `count` are asked for: of frozen time that is shown, half; see `VideosConfig`.

    Args:
        count: of clips that words alone decide.
        shown: whether time is frozen and a frame known, which says more than noise does.
    """
    return max(1, count // 2) if shown else count


def choose_seed(
    model: VideoModel,
    text: TextCondition,
    seed: int,
    count: int,
    *,
    known: KnownFrames | None = None,
    camera: CameraPath | None = None,
    steps: int | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Chosen:
    """The best of `count` seeds, of which the first is `seed`; that one where the model has no critic.

    Args:
        model: which draws the clip.
        text: its prompt.
        seed, count: seeds to try.
        known, camera, steps, on_step: as of `VideoModel.generate`.
    """
    if count == 1 or "likeness" not in model.spec.features or not isinstance(model, Chooses):
        return Chosen(seed, [])
    seeds = [seed + DRAFTS_APART * i for i in range(count)]
    values = model.likeness(text, seeds, known=known, camera=camera, steps=steps, on_step=on_step)
    best = max(range(count), key=lambda i: values[i])
    found = enumerate(zip(seeds, values, strict=True))
    return Chosen(seeds[best], [{"seed": s, "likeness": round(v, 3), "kept": i == best} for i, (s, v) in found])
