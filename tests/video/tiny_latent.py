"""Tiny random pipelines of every family, built from configurations, saved, and opened by the real loader.

Nothing is fetched: the tokenizer is a byte-level one without merges, weights are random.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from fourreal.video.latent.load import load_latent_model
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.latent.settings import ModelSettings

SIZE = (32, 64)
SCORED: dict[str, tuple[int, int]] = {"sana-wm": (64, 64)}
SIZES: dict[str, tuple[int, int]] = {"sana-wm": (64, 128)}


def _tokenizer(side: str = "right") -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = {"<pad>": 0, "</s>": 1, "<unk>": 2}
    letters = {letter: i + 3 for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    core = Tokenizer(models.BPE(vocab=special | letters, merges=[], unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=4096,
        padding_side=side,
    )  # fmt: skip


def _text_encoder(kind: str) -> Any:
    import transformers

    torch.manual_seed(0)
    if kind == "gemma":
        config = transformers.Gemma2Config(
            vocab_size=300, hidden_size=32, intermediate_size=37, num_hidden_layers=1, num_attention_heads=4,
            num_key_value_heads=2, head_dim=8, pad_token_id=0, eos_token_id=1, bos_token_id=1,
        )  # fmt: skip
        return transformers.Gemma2ForCausalLM(config).eval()
    sizes = {"vocab_size": 300, "d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 1, "num_heads": 4}
    config_class = transformers.UMT5Config if kind == "umt5" else transformers.T5Config
    model = transformers.UMT5EncoderModel if kind == "umt5" else transformers.T5EncoderModel
    return model(config_class(**sizes, feed_forward_proj="gated-gelu", relative_attention_num_buckets=8)).eval()


def _wan_parts(network: Callable[[], Any], vae: dict[str, Any], shift: float = 3.0) -> dict[str, Any]:
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler

    torch.manual_seed(0)
    sizes = {"base_dim": 3, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1, "temperal_downsample": [False, True, True]}
    autoencoder = AutoencoderKLWan(**{**sizes, **vae})
    return {
        "tokenizer": _tokenizer(),
        "text_encoder": _text_encoder("umt5"),
        "vae": autoencoder,
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=shift),
        "transformer": network(),
    }


def _wan_network(seed: int = 0, kind: str = "WanTransformer3DModel", **more: Any) -> Any:
    import diffusers

    torch.manual_seed(seed)
    sizes = {
        "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 16,
        "out_channels": 16, "text_dim": 32, "freq_dim": 32, "ffn_dim": 32, "num_layers": 1, "cross_attn_norm": True,
        "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 32,
    }  # fmt: skip
    return getattr(diffusers, kind)(**{**sizes, **more})


def wan() -> Any:
    """Text to video, with the scheduler that the published weights come with."""
    from diffusers import UniPCMultistepScheduler, WanPipeline

    parts = _wan_parts(_wan_network, {})
    parts["scheduler"] = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
    )
    return WanPipeline(**parts)


def wan_vace() -> Any:
    """VACE: frames anywhere."""
    from diffusers import WanVACEPipeline

    def network() -> Any:
        return _wan_network(kind="WanVACETransformer3DModel", num_layers=2, vace_layers=[0, 1], vace_in_channels=96)

    return WanVACEPipeline(**_wan_parts(network, {}))


def wan_experts() -> Any:
    """Wan 2.2 image to video: two experts, the first frame as extra channels."""
    from diffusers import WanImageToVideoPipeline

    def network(seed: int) -> Any:
        return _wan_network(seed, in_channels=36)

    parts = _wan_parts(lambda: network(0), {})
    return WanImageToVideoPipeline(**parts, transformer_2=network(1), boundary_ratio=0.9)


def wan_clip() -> Any:
    """Wan 2.1 image to video: the first frame as extra channels and as a CLIP embedding."""
    from diffusers import WanImageToVideoPipeline
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    eye = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=8, projection_dim=8, num_hidden_layers=2, num_attention_heads=2, image_size=32,
            intermediate_size=16, patch_size=8,
        )
    ).eval()  # fmt: skip
    parts = _wan_parts(lambda: _wan_network(in_channels=36, image_dim=8, added_kv_proj_dim=24), {})
    return WanImageToVideoPipeline(
        **parts, image_encoder=eye, image_processor=CLIPImageProcessorPil(crop_size=32, size=32)
    )


def wan_ti2v() -> Any:
    """Wan 2.2 5B: one timestep a token, 16x16 pixels a latent pixel."""
    from diffusers import WanImageToVideoPipeline

    vae = {
        "z_dim": 12, "in_channels": 12, "out_channels": 12, "is_residual": True, "patch_size": 2,
        "latents_mean": [0.1] * 12, "latents_std": [1.5] * 12, "scale_factor_spatial": 16, "scale_factor_temporal": 4,
    }  # fmt: skip
    parts = _wan_parts(lambda: _wan_network(in_channels=12, out_channels=12), vae, 5.0)
    return WanImageToVideoPipeline(**parts, expand_timesteps=True)


def ltx() -> Any:
    """LTX 0.9.5 and later."""
    from diffusers import (
        AutoencoderKLLTXVideo,
        FlowMatchEulerDiscreteScheduler,
        LTXConditionPipeline,
        LTXVideoTransformer3DModel,
    )

    torch.manual_seed(0)
    network = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=4, attention_head_dim=8, cross_attention_dim=32,
        num_layers=1, caption_channels=32,
    )  # fmt: skip
    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False), decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5, upsample_residual=(False,) * 4, upsample_factor=(1,) * 4,
        timestep_conditioning=False, patch_size=1, patch_size_t=1, encoder_causal=True, decoder_causal=False,
    )  # fmt: skip
    return LTXConditionPipeline(FlowMatchEulerDiscreteScheduler(), vae, _text_encoder("t5"), _tokenizer(), network)


def ltx_first() -> Any:
    """LTX 0.9.0 and 0.9.1: places told by scale, timesteps shifted by the number of tokens."""
    from diffusers import FlowMatchEulerDiscreteScheduler, LTXPipeline

    parts = {k: v for k, v in ltx().components.items() if k != "scheduler"}
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, base_shift=0.95, max_shift=2.05, base_image_seq_len=1024, max_image_seq_len=4096,
        shift_terminal=0.1,
    )  # fmt: skip
    return LTXPipeline(scheduler=scheduler, **parts)


def sana_wm() -> Any:
    """SANA-WM with the LTX-2 autoencoder."""
    from diffusers import (
        AutoencoderKLLTX2Video,
        FlowMatchEulerDiscreteScheduler,
        SanaWMPipeline,
        SanaWMTransformer3DModel,
    )

    torch.manual_seed(0)
    vae = AutoencoderKLLTX2Video(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, True, True), decoder_spatio_temporal_scaling=(True, True, True),
        decoder_inject_noise=(False,) * 4, upsample_residual=(False,) * 3, upsample_factor=(1,) * 3, patch_size=4,
        spatial_compression_ratio=32, temporal_compression_ratio=8,
    )  # fmt: skip
    network = SanaWMTransformer3DModel(
        in_channels=8, num_layers=2, hidden_size=64, num_attention_heads=4, linear_head_dim=16, softmax_every_n=2,
        caption_channels=32, chunk_plucker_channels=48, mlp_ratio=2.0,
    )  # fmt: skip
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if "cam" in name or "plucker" in name:  # as they come, cameras would hardly be seen
                weights.normal_(std=0.5)
    return SanaWMPipeline(
        tokenizer=_tokenizer(), text_encoder=_text_encoder("gemma"), vae=vae, transformer=network,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


PIPELINES: dict[str, Callable[[], Any]] = {
    "wan": wan,
    "wan-vace": wan_vace,
    "wan-experts": wan_experts,
    "wan-clip": wan_clip,
    "wan-ti2v": wan_ti2v,
    "ltx": ltx,
    "ltx-first": ltx_first,
    "sana-wm": sana_wm,
}


@cache
def tiny_folder(kind: str) -> Path:
    """A saved tiny pipeline."""
    folder = scratch() / f"tiny-{kind}"
    PIPELINES[kind]().save_pretrained(folder)
    return folder


@cache
def scratch() -> Path:
    """A folder for the models, and for text embeddings that tests may share; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-latent-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def tiny_settings(kind: str, **more: Any) -> ModelSettings:
    """Smallest sizes, two steps."""
    size = SIZES.get(kind, SIZE)
    return ModelSettings(**{"size": size, "score_size": SCORED.get(kind, (32, 32)), "steps": 2, **more})


@cache
def tiny_latent(kind: str) -> LatentVideoModel:
    """The tiny model of a kind, opened by the real loader."""
    return load_latent_model(str(tiny_folder(kind)), "cpu", tiny_settings(kind), cache=scratch())
