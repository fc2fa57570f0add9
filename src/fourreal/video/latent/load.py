"""From a checked folder to a model: what is loaded when, in which dtype, and where it rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fourreal.core.errors import MissingDependencyError
from fourreal.video.base import FrameCountError, ModelSourceError

from .codec import Codec
from .condition import FamilyCode
from .ltx import Ltx, ltx_facts
from .memory import check_memory, estimate, free_memory
from .model import LatentVideoModel, check_multiple
from .sana_wm import SanaWm, sana_wm_facts
from .settings import Facts, ModelSettings, torch_dtype
from .source import Source, find_source, weight_files
from .text import TextEncoder
from .wan import Wan, wan_facts

_FACTS: dict[str, Callable[[Source], Facts]] = {"wan": wan_facts, "ltx": ltx_facts, "sana-wm": sana_wm_facts}
_CODE: dict[str, Callable[..., FamilyCode]] = {"wan": Wan, "ltx": Ltx, "sana-wm": SanaWm}
_FAILURES = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class _Dtypes:
    network: torch.dtype
    vae: torch.dtype


def load_latent_model(
    name: str,
    device: torch.device | str = "cpu",
    settings: ModelSettings | None = None,
    *,
    cache: Path | None = None,
    share: LatentVideoModel | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> LatentVideoModel:
    """Open a diffusers folder or hub id: its files are checked and its autoencoder is loaded; networks come when used.

    Args:
        name: folder or hub id.
        device: where it works.
        settings: the user's choices.
        cache: folder of the run, for text embeddings.
        share: a model whose autoencoder is taken over if it is the same (Wan 2.1 of all sizes has one).
        tell: told lines for the user: memory needed, what is being loaded.

    Raises:
        ModelSourceError: if files are missing, damaged, unsupported or too large for the device.
        FrameCountError, SizeError: if a setting does not fit the model.
        MissingDependencyError: if an optional library is missing.
    """
    source, device = find_source(name, tell), torch.device(device)
    settings = settings or ModelSettings()
    if settings.offload != "none" and device.type == "cpu":
        raise ModelSourceError(f"--offload {settings.offload} moves networks off a GPU; on the CPU leave it out")
    facts = _FACTS[source.family](source)
    dtypes = _dtypes(source, settings, device)
    size = settings.size or facts.size
    need = estimate(source, {"vae": dtypes.vae, "others": dtypes.network}, size, settings.offload)
    tell(f"{source.name} {check_memory(need, *free_memory(device))}")
    codec = _shared_codec(share, source, dtypes.vae) or Codec.of(_load_vae(source, dtypes.vae, device))
    facts = _fitting(facts, settings, source, codec)
    reading = torch.device("cpu") if settings.offload == "group" else device
    texts = TextEncoder(source, reading, dtypes.network, facts.max_tokens, cache, tell)

    def networks() -> FamilyCode:
        tell(f"loading the networks of {source.name}")
        pipe = _load_pipe(source, settings, codec, dtypes.network, device)
        return _CODE[source.family](pipe, codec, facts, source)

    return LatentVideoModel(source, settings, facts, codec, texts, networks, device)


def _dtypes(source: Source, settings: ModelSettings, device: torch.device) -> _Dtypes:
    network = torch_dtype(settings.dtype, device)
    # Wan's autoencoder loses detail in half precision, say its makers; the others were trained in bfloat16.
    usual = torch.float32 if source.family == "wan" else network
    return _Dtypes(network, torch_dtype(settings.vae_dtype, device, usual))


def _fitting(facts: Facts, settings: ModelSettings, source: Source, codec: Codec) -> Facts:
    """The facts with the user's number of frames, after the sizes were checked."""
    frames = settings.frames or facts.frames
    if frames < 1 + codec.stride or (frames - 1) % codec.stride:
        up = codec.stride * max(1, -(-(frames - 1) // codec.stride)) + 1
        raise FrameCountError(
            f"{source.name} makes clips of {codec.stride} k + 1 frames, not {frames}; --frames {up} is the next"
        )
    for size in (settings.size or facts.size, settings.score_size or facts.score_size):
        check_multiple(size, source, codec)
    return replace(facts, frames=frames)


def _shared_codec(share: LatentVideoModel | None, source: Source, dtype: torch.dtype) -> Codec | None:
    if share is None or share.codec.vae.dtype != dtype:
        return None

    def about(some: Source) -> Any:
        sizes = [p.stat().st_size for p in weight_files(some.folder / "vae")]
        config = {k: v for k, v in some.config("vae").items() if not k.startswith("_")}
        return some.index["vae"], config, sizes

    return share.codec if about(share.source) == about(source) else None


def _load_vae(source: Source, dtype: torch.dtype, device: torch.device) -> Any:
    try:
        vae = source.class_of("vae").from_pretrained(
            source.folder, subfolder="vae", dtype=dtype, use_safetensors=True, local_files_only=True
        )
    except _FAILURES as error:
        raise _unreadable(source, "autoencoder", error) from None
    return vae.to(device)


def _load_pipe(source: Source, settings: ModelSettings, codec: Codec, dtype: torch.dtype, device: torch.device) -> Any:
    """The pipeline without its text encoder, placed and styled."""
    try:
        pipe = source.pipeline().from_pretrained(
            source.folder,
            vae=codec.vae,
            text_encoder=None,
            tokenizer=None,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
        )
    except _FAILURES as error:
        raise _unreadable(source, "networks", error) from None
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    if settings.lora is not None:
        _load_lora(pipe, settings.lora, settings.lora_scale)
    _place(pipe, settings, device)
    if settings.compile:
        for part in (pipe.transformer, getattr(pipe, "transformer_2", None)):
            if part is not None:  # one block of each kind, which serves for all: whole networks take minutes
                part.compile_repeated_blocks(dynamic=False)
    return pipe


def _place(pipe: Any, settings: ModelSettings, device: torch.device) -> None:
    """On the device, or resting in main memory; the autoencoder always stays, since scores go back through it."""
    if settings.offload == "model":
        pipe.model_cpu_offload_seq = pipe.model_cpu_offload_seq.replace("->vae", "")
        pipe._exclude_from_cpu_offload = [*pipe._exclude_from_cpu_offload, "vae"]
        pipe.enable_model_cpu_offload(device=device)
    elif settings.offload == "group":
        pipe.enable_group_offload(device, offload_type="leaf_level", use_stream=True, exclude_modules=["vae"])
        pipe.vae.to(device)
    else:
        pipe.to(device)


def _load_lora(pipe: Any, path: Path, scale: float) -> None:
    """LoRA weights for frozen time; of a pair for two experts each goes to its own.

    Raises:
        ModelSourceError: if there are no weights, or they do not fit.
        MissingDependencyError: if peft is missing.
    """
    import importlib.util

    if importlib.util.find_spec("peft") is None:
        raise MissingDependencyError("--lora needs peft, which is not installed; run: pip install 'fourreal[models]'")
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if not files or not all(f.is_file() and f.suffix == ".safetensors" for f in files):
        raise ModelSourceError(f"--lora {path} holds no .safetensors file of LoRA weights; give the file or its folder")
    second = getattr(pipe, "transformer_2", None) is not None
    low = [f for f in files if second and "low" in f.stem.lower()]
    if len(files) > 1 and not (low and len(files) == 2):
        names = ", ".join(f.name for f in files)
        raise ModelSourceError(f"--lora {path} holds {len(files)} files ({names}); name one of them")
    try:
        for file in files:
            more = {"load_into_transformer_2": True} if file in low else {}
            pipe.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name="freeze", local_files_only=True, **more
            )
        pipe.set_adapters(["freeze"], [scale])
    except _FAILURES as error:
        raise ModelSourceError(f"--lora {path} does not fit {type(pipe).__name__}: {_line(error)}") from None


def _unreadable(source: Source, what: str, error: Exception) -> ModelSourceError:
    return ModelSourceError(
        f"{source.folder}: the {what} cannot be loaded ({_line(error)}); if the files are whole, this version of "
        "diffusers may be too old for them: pip install -U 'fourreal[models]'"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:240] or type(error).__name__
