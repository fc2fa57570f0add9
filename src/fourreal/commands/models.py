"""Options about video models that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fourreal.core.errors import FourRealError

if TYPE_CHECKING:
    import torch

    from fourreal.video.choose import Models
    from fourreal.video.latent.settings import ModelSettings


@dataclass(frozen=True)
class ModelOptions:
    """Which video model draws the clips and which one teaches the scene.

    Attributes:
        model: folder or hub id of a diffusers model (Wan, LTX, SANA-WM) for both; without it the embedded model.
        generator: another model that draws; also hf-inference:MODEL for a hosted one.
        teacher: another model that scores renderings; "embedded", or "none" for nobody.
        size: HEIGHTxWIDTH of drawn clips, e.g. 480x832.
        score_size: HEIGHTxWIDTH at which renderings are scored, e.g. 240x416.
        score_gradient: of scores by a model of latents: decoded pixels, or through the encoder (latent; more memory).
        frames: frames of a clip: 4 k + 1 for Wan, 8 k + 1 for LTX and SANA-WM.
        guidance: weight of the text; 1 for distilled models.
        negative: what clips must not show.
        freeze_prefix: words that ask for frozen time, put before the prompt.
        freeze_suffix: the same, put after it.
        lora: file or folder with LoRA weights for frozen time (orbit, bullet time).
        lora_scale: their weight.
        lora_trigger: words that wake them, put first.
        offload: keep resting networks in main memory: whole models, or groups of layers.
        dtype: of the networks; auto is bfloat16 on a GPU.
        vae_dtype: of the autoencoder; auto is float32 for Wan.
        tiling: decode drawn clips in tiles, to save memory.
        compile: compile one block of each kind of the networks; pays off from some hundred steps on.
    """

    model: str | None = None
    generator: str | None = None
    teacher: str | None = None
    size: str | None = None
    score_size: str | None = None
    score_gradient: Literal["pixel", "latent"] = "pixel"
    frames: int | None = None
    guidance: float | None = None
    negative: str | None = None
    freeze_prefix: str | None = None
    freeze_suffix: str | None = None
    lora: Path | None = None
    lora_scale: float = 1.0
    lora_trigger: str | None = None
    offload: Literal["none", "model", "group"] = "none"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    vae_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    tiling: bool = False
    compile: bool = False

    @property
    def is_default(self) -> bool:
        """Nothing but the embedded model is asked for."""
        return self == ModelOptions()

    def settings(self, steps: int | None = None) -> ModelSettings:
        """The choices for the models.

        Raises:
            FourRealError: if a value is out of range or a size cannot be read.
        """
        from fourreal.video.latent.settings import ModelSettings

        return ModelSettings(
            frames=self.frames,
            size=_size("--size", self.size),
            score_size=_size("--score-size", self.score_size),
            guidance=self.guidance,
            steps=steps,
            negative=self.negative,
            prefix=self.freeze_prefix,
            suffix=self.freeze_suffix,
            trigger=self.lora_trigger,
            lora=self.lora,
            lora_scale=self.lora_scale,
            dtype=self.dtype,
            vae_dtype=self.vae_dtype,
            offload=self.offload,
            tiling=self.tiling,
            compile=self.compile,
        )

    def open(
        self,
        device: torch.device,
        *,
        steps: int | None = None,
        weights: Path | None = None,
        cache: Path | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Models:
        """The generator and the teacher.

        Args:
            device: where they work.
            steps: evaluations a clip.
            weights: networks of one's own for the embedded model.
            cache: folder of the run, for text embeddings and hosted clips.
            tell: told lines for the user.

        Raises:
            FourRealError: if a model cannot be opened or a setting does not fit.
        """
        from fourreal.video.choose import open_models

        generator = self.generator or self.model
        teacher = self.teacher or (self.model if self.generator else None)
        self._check_used(generator, teacher)
        settings = self.settings(steps)
        return open_models(generator, teacher, device, settings, weights=weights, cache=cache, tell=tell)

    def _check_used(self, *names: str | None) -> None:
        """Raise `FourRealError` for choices that the embedded model, which nobody replaces, would ignore."""
        if any(name not in (None, "embedded", "none") for name in names):
            return
        chosen = [f for f in fields(self) if f.name not in ("model", "generator", "teacher")]
        ignored = ["--" + f.name.replace("_", "-") for f in chosen if getattr(self, f.name) != f.default]
        if ignored:
            raise FourRealError(
                f"{', '.join(ignored)} would do nothing: the embedded model has no such choice; add --model FOLDER"
            )


def _size(flag: str, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})\s*[xX]\s*(\d{1,5})", text.strip())
    if not found or not (int(found[1]) and int(found[2])):
        raise FourRealError(f"{flag} must be HEIGHTxWIDTH in pixels, as in 480x832, got {text!r}")
    return int(found[1]), int(found[2])
