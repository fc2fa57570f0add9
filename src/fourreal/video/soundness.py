"""Is a clip of frozen time any good? Truth-free signs of an extension gone bad, and the frame best frozen.

All of it looks at small pictures (36 rows). The subject is what differs from its surroundings in the middle half of
the picture; it needs no network, and where a scene has nothing in its middle it says little.

The limits were set on true clips of 48 worlds turning by 90 degrees (36x64): none drifted by more than 0.06, none
became more than 1.8 times as lively in its second half, one lost more than 0.85 of its subject (seen end on).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_ROWS = 36
DRIFT = 0.10  # of RGB in [0, 1]: change of the mean colour
LIVELY = 2.0  # times the change between frames that the known ones have
LEFT = 0.15  # of the subject's area
_STILL = 0.003  # change between frames below which nothing moves anyway
_APART = 0.10  # of RGB: from the surroundings' colour in the same row, beside twice their own spread


@dataclass(frozen=True)
class Soundness:
    """How new frames compare with known ones.

    Attributes:
        drift: largest change of the mean colour, 0..1.
        liveliness: change between new frames over that between known ones; nan where too few are known.
        subject: least area of the subject in a new frame over its area in the known ones; nan where none is seen.
    """

    drift: float
    liveliness: float
    subject: float

    @property
    def findings(self) -> list[str]:
        """What is wrong, in words; empty if nothing is."""
        out = []
        if self.drift > DRIFT:
            out.append(f"the colours drift by {self.drift:.2f} (at most {DRIFT:g} is usual)")
        if self.liveliness > LIVELY:
            out.append(f"frozen time moves: {self.liveliness:.1f} times as lively as before (at most {LIVELY:g})")
        if self.subject < LEFT:
            out.append(f"the subject is lost: {self.subject:.0%} of its area is left (at least {LEFT:.0%})")
        return out

    @property
    def badness(self) -> float:
        """How far beyond the limits, 0 within them; the smallest of several tries is the best."""
        lively = max(self.liveliness / LIVELY - 1, 0.0) if self.liveliness == self.liveliness else 0.0
        lost = max(LEFT - self.subject, 0.0) / LEFT if self.subject == self.subject else 0.0
        return max(self.drift / DRIFT - 1, 0.0) + lively + lost


def examine(known: Float[Tensor, "K 3 H W"], fresh: Float[Tensor, "N 3 H W"]) -> Soundness:
    """Compare new frames of a walk with those they go on from, both in the order of the clip."""
    before, after = _small(known), _small(fresh)
    drift = (before.mean((0, 2, 3)) - after.mean((2, 3))).abs().max()
    joined = torch.cat((before[-1:], after))
    was, now = _activity(before), _activity(joined)
    lively = now / max(was, _STILL) if len(before) > 2 else float("nan")
    area = float(subject_share(known).mean())
    left = float(subject_share(fresh).min()) / area if area > 0.01 else float("nan")
    return Soundness(float(drift), lively, left)


def frame_scores(frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, " F"]:
    """How well each frame suits to be frozen, at most 1: sharp, and its subject in full view.

    The product of contrast between neighbouring pixels and of the subject's area, each relative to the clip's best.
    """
    gray = frames.mean(1)
    fine = (gray[:, 1:] - gray[:, :-1]).square().mean((1, 2)) + (gray[..., 1:] - gray[..., :-1]).square().mean((1, 2))
    area = subject_share(frames)
    return (fine / fine.max().clamp_min(1e-9)) * ((area + 0.01) / (area.max() + 0.01))


def choose_frame(frames: Float[Tensor, "F 3 H W"]) -> int:
    """The frame to freeze; see `frame_scores`."""
    return int(frame_scores(frames).argmax())


def subject_share(frames: Float[Tensor, "F 3 H W"]) -> Float[Tensor, " F"]:
    """Share of the middle half of each frame that looks unlike the outer quarters of the same rows."""
    small = _small(frames)
    quarter = small.shape[3] // 4
    sides = torch.cat((small[..., :quarter], small[..., -quarter:]), -1)
    usual = sides.median(-1).values  # [F, 3, H]
    spread = (sides - usual[..., None]).abs().mean((1, 3))  # [F, H]
    apart = (small - usual[..., None]).abs().amax(1)  # [F, H, W]
    seen = apart > _APART + 2 * spread[..., None]
    return seen[..., quarter:-quarter].float().mean((1, 2))


def _activity(frames: Tensor) -> float:
    """Mean change of the middle of the picture from one frame to the next."""
    quarter = frames.shape[3] // 4
    middle = frames[..., quarter:-quarter]
    return float((middle[1:] - middle[:-1]).abs().mean()) if len(frames) > 1 else 0.0


def _small(frames: Tensor) -> Tensor:
    height, width = frames.shape[2:]
    if height <= _ROWS:
        return frames
    return F.interpolate(frames, (_ROWS, max(8, round(_ROWS * width / height))), mode="area")
