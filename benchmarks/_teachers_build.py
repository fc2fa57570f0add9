"""Video models of true architecture and random weights, behind the protocol as the loader would have put them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fourreal.video import TextCondition
from fourreal.video.latent.causal import Way
from fourreal.video.latent.codec import Codec
from fourreal.video.latent.condition import FamilyCode
from fourreal.video.latent.ltx import Ltx, ltx_facts
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.latent.settings import Facts, ModelSettings
from fourreal.video.latent.source import Source
from fourreal.video.latent.text import EncodedText, TextEncoder
from fourreal.video.latent.wan import Wan, wan_facts

WAN = {
    "patch_size": (1, 2, 2), "num_attention_heads": 12, "attention_head_dim": 128, "in_channels": 16,
    "out_channels": 16, "text_dim": 4096, "freq_dim": 256, "ffn_dim": 8960, "num_layers": 30, "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads", "eps": 1e-6, "rope_max_seq_len": 1024,
}  # fmt: skip
VACE = {**WAN, "vace_layers": list(range(0, 30, 2)), "vace_in_channels": 96}
TINY_WAN = {**WAN, "num_attention_heads": 2, "attention_head_dim": 12, "text_dim": 32, "ffn_dim": 32, "num_layers": 2}
TINY_VAE = {"base_dim": 3, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
TINY_LTX = {"num_attention_heads": 2, "attention_head_dim": 8, "cross_attention_dim": 16, "num_layers": 1}
TINY_LTX_VAE = {
    "latent_channels": 128, "block_out_channels": (8, 8, 8, 8), "layers_per_block": (1, 1, 1, 1, 1),
    "decoder_block_out_channels": (8, 8, 8, 8), "decoder_layers_per_block": (1, 1, 1, 1, 1),
}  # fmt: skip


@dataclass(frozen=True)
class Architecture:
    """A pipeline's networks: classes of diffusers, their configurations, and tiny ones of the same kind."""

    pipeline: str
    network: str
    config: dict[str, Any]
    tiny: dict[str, Any]
    vae: str
    vae_config: dict[str, Any]
    tiny_vae: dict[str, Any]
    text: int = 4096


ARCHITECTURES = {
    "Wan2.1-1.3B": Architecture(
        "WanPipeline", "WanTransformer3DModel", WAN, TINY_WAN, "AutoencoderKLWan", {}, TINY_VAE,
    ),
    "VACE-1.3B": Architecture(
        "WanVACEPipeline", "WanVACETransformer3DModel", VACE,
        {**TINY_WAN, "vace_layers": [0, 1], "vace_in_channels": 96}, "AutoencoderKLWan", {}, TINY_VAE,
    ),
    "LTX-2B": Architecture(
        "LTXConditionPipeline", "LTXVideoTransformer3DModel", {}, {**TINY_LTX, "caption_channels": 32},
        "AutoencoderKLLTXVideo", {}, TINY_LTX_VAE,
    ),
}  # fmt: skip


class _Nobody(TextEncoder):
    """Who wrote the random embeddings."""

    @property
    def identity(self) -> str:
        return "random"


@dataclass(frozen=True, eq=False)
class Built:
    """Networks on a device.

    Attributes:
        name: of the architecture.
        pipe: of diffusers.
        source, facts, code: of the family.
        device: where they are.
        text: embeddings of a prompt that nobody wrote, of full length.
    """

    name: str
    pipe: Any
    source: Source
    facts: Facts
    code: type
    device: torch.device
    text: TextCondition

    def model(self, size: tuple[int, int], way: Way | None, *, eager: bool = False) -> LatentVideoModel:
        """With nothing recorded yet, for scores at a size and an autoencoder that works this way (None: diffusers')."""
        codec = Codec.of(self.pipe.vae, way)
        if eager:
            codec.replays.run = lambda _, function, **inputs: function(**inputs)  # type: ignore[method-assign]
            codec._recorder.run = lambda _, function, __, *inputs: function(*inputs)  # type: ignore[method-assign]
        settings = ModelSettings(score_size=size, size=size)
        texts = _Nobody(self.source, self.device, torch.float32, self.facts.max_tokens)

        def networks() -> FamilyCode:
            return self.code(self.pipe, codec, self.facts, self.source)

        return LatentVideoModel(self.source, settings, self.facts, codec, texts, networks, self.device)


def build(name: str, args: argparse.Namespace) -> Built:
    """Random weights, made on the device."""
    import diffusers
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    about, device = ARCHITECTURES[name], torch.device(args.device)
    network_dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    with torch.device(device):
        network = getattr(diffusers, about.network)(**(about.tiny if args.tiny else about.config))
        vae = getattr(diffusers, about.vae)(**(about.tiny_vae if args.tiny else about.vae_config))
    _cast(network, network_dtype)
    _cast(vae, getattr(torch, args.vae_dtype))
    parts = {"vae": vae, "transformer": network, "tokenizer": None, "text_encoder": None}
    pipe = getattr(diffusers, about.pipeline)(**parts, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0))
    source = Source(Path(), about.pipeline, {"transformer": ["diffusers", about.network]})
    facts, code = (ltx_facts(source), Ltx) if source.family == "ltx" else (wan_facts(source), Wan)
    text = _random_text(facts, 32 if args.tiny else about.text)
    return Built(name, pipe, source, replace(facts), code, device, text)


def _cast(network: Any, dtype: torch.dtype) -> None:
    """To a dtype and frozen; modules that diffusers keeps in float32 when it loads weights stay so here too."""
    kept = set(network._keep_in_fp32_modules or ())
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(torch.float32 if kept & set(name.split(".")) else dtype)
    network.requires_grad_(False).eval()


def _random_text(facts: Facts, width: int) -> TextCondition:
    one, other = torch.randn(2, 1, facts.max_tokens, width, generator=torch.Generator().manual_seed(0))
    masks = (torch.ones(1, facts.max_tokens),) * 2 if facts.family == "ltx" else (None, None)
    return TextCondition("random", "dynamic", "random", EncodedText("random", one, other, *masks))


def fitting(size: tuple[int, int], built: Built) -> tuple[int, int]:
    """The next size that the model takes."""
    patch, codec = built.pipe.transformer.config.patch_size, Codec.of(built.pipe.vae)
    multiple = codec.cell * (patch if isinstance(patch, int) else int(patch[-1]))
    height, width = (multiple * -(-side // multiple) for side in size)
    return height, width


def compiled(network: Any, on: bool) -> None:
    """Compile one block of each kind, or go back to what was."""
    if on:
        network.compile_repeated_blocks(dynamic=False)
        return
    for module in network.modules():
        module._compiled_call_impl = None
