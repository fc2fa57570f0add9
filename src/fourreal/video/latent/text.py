"""Text embeddings: made once, kept on disk, and the text encoder freed at once.

The text encoders of video models are several times as large as their small denoisers (UMT5-XXL: 11 GB in bfloat16),
and a run needs three or four sentences of them.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourreal.core.errors import FileFormatError
from fourreal.core.storage import load_tensors, save_tensors
from fourreal.video.base import ModelSourceError

from .source import Source, weight_files

_KIND = "fourreal.text-embedding"
FOLDER = "text"


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A prompt and a negative prompt as embeddings.

    Attributes:
        encoder: which text encoder made them; embeddings of another are refused.
        prompt, negative: [1, ..., L, C] embeddings.
        prompt_mask, negative_mask: [1, L] which tokens count; None where padding is zeros.
    """

    encoder: str
    prompt: Tensor
    negative: Tensor
    prompt_mask: Tensor | None = None
    negative_mask: Tensor | None = None
    _moved: dict[Any, tuple[Tensor, Tensor | None]] = field(default_factory=dict, init=False, repr=False)

    def both(self, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """Negative and positive embeddings as a batch of two, and their masks; moved to a device once."""
        if (device, dtype) not in self._moved:
            embeddings = torch.cat([self.negative, self.prompt]).to(device, dtype)
            masks = None
            if self.prompt_mask is not None and self.negative_mask is not None:
                masks = torch.cat([self.negative_mask, self.prompt_mask]).to(device)
            self._moved[device, dtype] = embeddings, masks
        return self._moved[device, dtype]


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """Encodes prompts with a source's text encoder, which is in memory only meanwhile.

    Attributes:
        source: the model.
        device: where to encode.
        dtype: of the text encoder.
        tokens: of a prompt that are read.
        cache: folder for embeddings; None keeps none on disk.
        tell: told when the encoder is loaded, which takes time.
    """

    source: Source
    device: torch.device
    dtype: torch.dtype
    tokens: int
    cache: Path | None = None
    tell: Callable[[str], None] = lambda _: None
    _kept: dict[tuple[str, str], EncodedText] = field(default_factory=dict, repr=False)

    @property
    def identity(self) -> str:
        """Text encoders of the same identity make the same embeddings, whatever models they came with."""
        files = weight_files(self.source.folder / "text_encoder")
        about = [
            self.source.family, self.tokens, str(self.dtype), self.source.config("text_encoder"),
            [p.stat().st_size for p in files],
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[EncodedText]:
        """Embeddings of (prompt, negative prompt) pairs, from memory, from disk or else from the text encoder.

        The text encoder is loaded once for all that are missing: so ask for everything a run will need before the
        networks fill the device.

        Raises:
            ModelSourceError: if the tokenizer or the text encoder cannot be loaded.
        """
        for pair in pairs:
            if pair not in self._kept and (found := self._read(*pair)):
                self._kept[pair] = found
        if missing := [pair for pair in dict.fromkeys(pairs) if pair not in self._kept]:
            self._kept.update(zip(missing, self._made(missing), strict=True))
        return [self._kept[pair] for pair in pairs]

    def _path(self, prompt: str, negative: str) -> Path | None:
        if self.cache is None:
            return None
        name = hashlib.sha256(json.dumps([self.identity, prompt, negative]).encode()).hexdigest()[:24]
        return self.cache / FOLDER / f"{name}.safetensors"

    def _read(self, prompt: str, negative: str) -> EncodedText | None:
        path = self._path(prompt, negative)
        if path is None or not path.is_file():
            return None
        try:
            tensors, meta = load_tensors(path, kind=_KIND)
        except FileFormatError:
            return None  # damaged: it is made again
        if (meta.get("prompt"), meta.get("negative"), meta.get("encoder")) != (prompt, negative, self.identity):
            return None
        if not {"prompt", "negative"} <= set(tensors):
            return None
        return _text(self.identity, tensors)

    def _made(self, pairs: list[tuple[str, str]]) -> list[EncodedText]:
        self.tell(f"reading the prompt with the text encoder of {self.source.name}")
        made = []
        for (prompt, negative), found in zip(pairs, _with_encoder(self, pairs), strict=True):
            names = (
                ("prompt", "prompt_mask", "negative", "negative_mask") if len(found) == 4 else ("prompt", "negative")
            )
            tensors = {name: value.cpu() for name, value in zip(names, found, strict=True)}
            if path := self._path(prompt, negative):
                about = {"prompt": prompt, "negative": negative, "encoder": self.identity}
                save_tensors(path, tensors, about, kind=_KIND)
            made.append(_text(self.identity, tensors))
        return made


def _text(identity: str, tensors: dict[str, Tensor]) -> EncodedText:
    masks = tensors.get("prompt_mask"), tensors.get("negative_mask")
    return EncodedText(identity, tensors["prompt"], tensors["negative"], *masks)


@torch.no_grad()
def _with_encoder(about: TextEncoder, pairs: list[tuple[str, str]]) -> list[tuple[Tensor, ...]]:
    """Load the text encoder, encode, and let go of it."""
    source = about.source
    others = dict.fromkeys(("transformer", "transformer_2", "vae", "image_encoder", "image_processor"))
    absent = {name: None for name in others if name in source.index}
    try:
        pipe: Any = source.pipeline().from_pretrained(
            source.folder, **absent, dtype=about.dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ModelSourceError(
            f"{source.folder}: the text encoder or tokenizer cannot be loaded ({_line(error)})"
        ) from None
    pipe.to(about.device)
    more = {"device": about.device, "max_sequence_length": about.tokens, **_family_arguments(source)}
    found = [tuple(pipe.encode_prompt(prompt=said, negative_prompt=avoided, **more)) for said, avoided in pairs]
    del pipe
    gc.collect()
    if about.device.type == "cuda":
        torch.cuda.empty_cache()
    return found


def _family_arguments(source: Source) -> dict[str, Any]:
    """SANA-WM was trained with an instruction before the prompt; its pipeline passes it, so does this."""
    if source.family != "sana-wm":
        return {}
    from diffusers.pipelines.sana_wm.pipeline_sana_wm import DEFAULT_CHI_PROMPT

    return {"chi_prompt": DEFAULT_CHI_PROMPT}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
