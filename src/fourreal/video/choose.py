"""Which video models a run uses: the one that draws the clips and the one that teaches the scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from .base import ModelSourceError, VideoModel
from .embedded.model import EmbeddedVideoModel
from .hosted import PREFIX, open_hosted
from .latent.load import load_latent_model
from .latent.model import LatentVideoModel
from .latent.settings import ModelSettings
from .prompts import FreezeTimeRecipe

EMBEDDED, NOBODY = "embedded", "none"


class Models(NamedTuple):
    """generator: draws clips. teacher: scores renderings; None if the run goes without. Often one and the same."""

    generator: VideoModel
    teacher: VideoModel | None


def open_video_model(
    source: str | None,
    device: torch.device | str = "cpu",
    settings: ModelSettings | None = None,
    *,
    weights: Path | None = None,
    cache: Path | None = None,
    share: VideoModel | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> VideoModel:
    """The video model of a name.

    Args:
        source: None or "embedded" for the model that is shipped; a folder or a hub id for a model of diffusers;
            "hf-inference:MODEL" for a hosted one.
        device: where it works.
        settings: the user's choices about models of diffusers and hosted ones.
        weights: folder with networks of one's own for the embedded model.
        cache: folder of the run, where text embeddings and hosted clips are kept.
        share: a model whose autoencoder may be shared.
        tell: told lines for the user.

    Raises:
        ModelSourceError: if there is no such model, or it is damaged, unsupported or too large.
        MissingDependencyError: if an optional library is missing.
    """
    if source is None or source == EMBEDDED:
        return EmbeddedVideoModel.load(weights, device)
    if source.startswith(PREFIX):
        return _hosted(source, settings or ModelSettings(), cache, tell)
    shared = share if isinstance(share, LatentVideoModel) else None
    return load_latent_model(source, device, settings, cache=cache, share=shared, tell=tell)


def open_models(
    generator: str | None,
    teacher: str | None,
    device: torch.device | str = "cpu",
    settings: ModelSettings | None = None,
    *,
    weights: Path | None = None,
    cache: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Models:
    """Generator and teacher, which may be one model, share an autoencoder, or have nothing in common.

    Args:
        generator: name of the model that draws; None for the embedded one.
        teacher: name of the model that scores; None for the generator, or the embedded one if the generator is
            hosted; "none" for nobody.
        device, settings, weights, cache, tell: see `open_video_model`.

    Raises:
        ModelSourceError: if a model cannot be opened, or the teacher cannot score.
        MissingDependencyError: if an optional library is missing.
    """
    settings = settings or ModelSettings()
    both = teacher == (generator or EMBEDDED) or (teacher is None and not (generator or "").startswith(PREFIX))
    own = settings if both else replace(settings, score_size=None)
    drawing = open_video_model(generator, device, own, weights=weights, cache=cache, tell=tell)
    if teacher == NOBODY or both:
        return Models(drawing, None if teacher == NOBODY else drawing)
    # What is said about drawn clips does not concern another teacher.
    other = replace(settings, size=None, steps=None, lora=None)
    scoring = open_video_model(teacher, device, other, weights=weights, cache=cache, share=drawing, tell=tell)
    if "score" not in scoring.spec.features:
        raise ModelSourceError(f"{scoring.spec.name} cannot be a teacher; use --teacher embedded or --teacher none")
    return Models(drawing, scoring)


def _hosted(source: str, settings: ModelSettings, cache: Path | None, tell: Callable[[str], None]) -> VideoModel:
    recipe = settings.recipe(FreezeTimeRecipe())
    named = {"frames": settings.frames, "size": settings.size, "negative": settings.negative}
    chosen = {k: v for k, v in named.items() if v is not None}
    return open_hosted(source, recipe=recipe, cache=cache, tell=tell, **chosen)
