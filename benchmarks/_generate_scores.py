"""The figures of `generate.py`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from _generate_runs import Job, stage_seconds
from _generate_views import Seen
from _video_classifier import Classifier, judged
from torch import Tensor

from fourreal.fit.coverage import Coverage
from fourreal.metrics import psnr
from fourreal.stages.lift_views import COVERAGE
from fourreal.video.base import TextCondition
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.worlds import FACTORS

_BEST = 60.0  # dB: pictures that agree even better would rule a mean
_SIGMAS = (0.3, 1.0, 3.0)
_STATIC = 0.04  # of a pixel's blurred colour: it never leaves its median by more
_LEAST = 0.01  # of the picture must be static for a flicker to mean anything


def measured(job: Job, seen: Seen, model: EmbeddedVideoModel, judge: Classifier | None) -> dict[str, Any]:
    """All figures of a finished run."""
    return {
        "psnr": fidelity(seen),
        "denoising": realism(seen, model, job.prompt.text),
        "labels": {} if judge is None or not job.prompt.labels else found_labels(seen, judge, job.prompt.labels),
        "flicker": flicker(seen.reference, seen.seen),
        "detail": detail(seen),
        "coverage": {"arc": seen.arc, **_reach(job.run)},
        "seconds": stage_seconds(job.run),
    }


def fidelity(seen: Seen) -> dict[str, float | None]:
    """PSNR (dB, mean over frames) of renders against the clips."""
    return {
        "reference": _quality(seen.seen, seen.reference),
        "freeze": None if seen.bent is None else _quality(seen.bent, seen.freeze),
        "freeze, no warps": _quality(seen.frozen, seen.freeze),
    }


def _quality(images: Tensor, truth: Tensor) -> float:
    return float(psnr(images, truth).clamp(max=_BEST).mean())


def realism(seen: Seen, model: EmbeddedVideoModel, prompt: str) -> dict[str, float]:
    """`denoising_error` of the reference clip, of its render, and of the renders from elsewhere (mean of both)."""
    text = model.encode_text(prompt, context="dynamic")
    out = {name: denoising_error(clip, model, text) for name, clip in (("clip", seen.reference), ("seen", seen.seen))}
    for name, views in (("side", seen.side), ("beyond", seen.beyond)):
        if views:
            out[name] = statistics.fmean(denoising_error(clip, model, text) for clip in views.values())
    return out


def denoising_error(clip: Tensor, model: EmbeddedVideoModel, text: TextCondition) -> float:
    """How far one denoising step lands from the clip that the noise was added to.

    Root mean square over all pixels, in levels of 255, mean over sigma = 0.3, 1, 3; the prompt is told, no frame is
    known, guidance is 1, and the noise is the same for every clip. It is the model's training loss at these levels. A
    blurred clip scores low as well: read it beside `detail`.

    Args:
        clip: [F, 3, H, W] in [0, 1]; frames are repeated or left out where the model takes another number.
        model: whose error it is.
        text: the prompt, time running.
    """
    frames = clip[torch.linspace(0, len(clip) - 1, model.spec.frames).round().long()]
    clean, generator, errors = model.encode(_enough(frames, model.spec.score_size)), torch.Generator(), []
    for sigma in _SIGMAS:
        noise = torch.randn(clean.shape, generator=generator.manual_seed(0))
        guess = model.denoise(clean + sigma * noise, sigma, text, guidance=1.0)
        errors.append(float((guess.cpu() - clean).square().mean().sqrt()) * 127.5)
    return statistics.fmean(errors)


def _enough(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Frames of at least `size`."""
    if frames.shape[-2] >= size[0] and frames.shape[-1] >= size[1]:
        return frames
    return F.interpolate(frames, size, mode="bilinear", antialias=True)


def found_labels(seen: Seen, judge: Classifier, labels: Mapping[str, str]) -> dict[str, float]:
    """Share of the prompt's labels that the classifier finds in the reference clip, its render, and elsewhere."""
    out = {"clip": accuracy([seen.reference], judge, labels), "seen": accuracy([seen.seen], judge, labels)}
    for name, views in (("side", seen.side), ("beyond", seen.beyond)):
        if views:
            out[name] = accuracy(views.values(), judge, labels)
    return out


def accuracy(clips: Iterable[Tensor], judge: Classifier, labels: Mapping[str, str]) -> float:
    """Share of `labels` (name of the value by factor) found, mean over clips [F, 3, H, W] in [0, 1]."""
    c = judge.config
    batch = torch.stack([
        F.interpolate(clip[torch.linspace(0, len(clip) - 1, c.frames).round().long()], (c.height, c.width), mode="area")
        for clip in clips
    ])  # fmt: skip
    found = judged(judge, batch).labels
    right = [(found[k] == FACTORS[k].index(v)).float().mean() for k, v in labels.items()]
    return float(torch.stack(right).mean())


def static_pixels(clip: Tensor) -> Tensor:
    """[H, W] which pixels of a still camera's clip [F, 3, H, W] show nothing that moves.

    A mean over 5x5 pixels never leaves its own median over time by 0.04: flicker of single pixels, which is to be
    measured, does not decide.
    """
    soft = F.avg_pool2d(F.pad(clip, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return (soft - soft.median(0).values).abs().amax((0, 1)) < _STATIC


def flicker(clip: Tensor, render: Tensor) -> dict[str, float | None]:
    """Mean absolute change between successive frames over the clip's static pixels, in levels of 255, of both.

    None where less than one pixel in a hundred is static.
    """
    still = static_pixels(clip)
    share = float(still.float().mean())
    if share < _LEAST or len(clip) < 2:
        return {"clip": None, "render": None, "static": share}
    changes = [255 * float((v[1:] - v[:-1]).abs()[..., still].mean()) for v in (clip, render)]
    return {"clip": changes[0], "render": changes[1], "static": share}


def detail(seen: Seen) -> dict[str, float]:
    """Mean difference of neighbouring pixels relative to the reference clip's: below 1 is softer, above is rougher."""
    own = max(_roughness(seen.reference), 1e-6)
    out = {"seen": _roughness(seen.seen) / own}
    for name, views in (("side", seen.side), ("beyond", seen.beyond)):
        if views:
            out[name] = statistics.fmean(_roughness(v) for v in views.values()) / own
    return out


def _roughness(clip: Tensor) -> float:
    return float(clip.diff(dim=-1).abs().mean() + clip.diff(dim=-2).abs().mean())


def _reach(run: Path) -> dict[str, float]:
    found = Coverage.load(run / COVERAGE)
    return {"reach": found.degrees, "unseen": found.unseen}
