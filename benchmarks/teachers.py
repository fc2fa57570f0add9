"""What one score distillation step costs with the true architectures of video models, and what the paper's recipe
would cost with them.

Weights are random, so nothing is downloaded and no picture means anything; milliseconds and memory are those of the
real models. Table of docs/models.md:

    python benchmarks/teachers.py --device cuda --compile --out teachers.json

On a CPU only `--tiny` makes sense: the same code with networks of a few thousand parameters.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from fourreal.guidance import Known, sds_loss
from fourreal.video import TextCondition
from fourreal.video.latent.codec import Codec
from fourreal.video.latent.ltx import Ltx, ltx_facts
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.latent.settings import ModelSettings
from fourreal.video.latent.source import Source
from fourreal.video.latent.text import EncodedText
from fourreal.video.latent.wan import Wan, wan_facts
from fourreal.video.teach import Gradient, teacher

SIZES = ((144, 256), (240, 416), (288, 512))
TINY_SIZES = ((32, 32), (32, 64))
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
    "VACE-1.3B": Architecture(
        "WanVACEPipeline", "WanVACETransformer3DModel", VACE,
        {**TINY_WAN, "vace_layers": [0, 1], "vace_in_channels": 96}, "AutoencoderKLWan", {}, TINY_VAE,
    ),
    "Wan2.1-1.3B": Architecture(
        "WanPipeline", "WanTransformer3DModel", WAN, TINY_WAN, "AutoencoderKLWan", {}, TINY_VAE,
    ),
    "LTX-2B": Architecture(
        "LTXConditionPipeline", "LTXVideoTransformer3DModel", {}, {**TINY_LTX, "caption_channels": 32},
        "AutoencoderKLLTXVideo", {}, TINY_LTX_VAE,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measurement; milliseconds are medians."""

    model: str
    size: str
    gradient: str
    vae: str
    compiled: bool
    recorded: bool
    ms: float
    peak_gb: float


@dataclass(frozen=True)
class PaperRecipe:
    """4Real's schedule (arXiv 2406.07472, supplement): iterations of both stages, and those with score distillation."""

    canonical: int = 23_000
    temporal: int = 20_000
    guided: int = 10_000
    clips: int = 6  # the reference clip and the walk of 180 degrees at 4 degrees a frame: 17 frames, then 8 at a time
    sampling_steps: int = 40


def build(name: str, size: tuple[int, int], args: argparse.Namespace) -> LatentVideoModel:
    """A model of random weights behind the protocol, as the loader would have made it."""
    import diffusers
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    about, device = ARCHITECTURES[name], torch.device(args.device)
    network_dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    vae_dtype = getattr(torch, args.vae_dtype)
    with torch.device(device):
        network = getattr(diffusers, about.network)(**(about.tiny if args.tiny else about.config))
        vae = getattr(diffusers, about.vae)(**(about.tiny_vae if args.tiny else about.vae_config))
    cast(network, network_dtype)
    cast(vae, vae_dtype)
    parts = {"vae": vae, "transformer": network, "tokenizer": None, "text_encoder": None}
    pipe = getattr(diffusers, about.pipeline)(**parts, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0))
    if args.compile:
        network.compile()
    source = Source(Path(), about.pipeline, {"transformer": ["diffusers", about.network]})
    codec = Codec.of(vae)
    if args.eager:
        codec.replays.run = lambda _, function, **inputs: function(**inputs)  # type: ignore[method-assign]
    facts, code = (ltx_facts(source), Ltx) if source.family == "ltx" else (wan_facts(source), Wan)
    settings = ModelSettings(score_size=size, size=size)
    texts = SimpleNamespace(identity="random")
    return LatentVideoModel(source, settings, facts, codec, texts, lambda: code(pipe, codec, facts, source), device)  # type: ignore[arg-type]


def cast(network: Any, dtype: torch.dtype) -> None:
    """To a dtype and frozen; modules that diffusers keeps in float32 when it loads weights stay so here too."""
    kept = set(network._keep_in_fp32_modules or ())
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(torch.float32 if kept & set(name.split(".")) else dtype)
    network.requires_grad_(False).eval()


def random_text(model: LatentVideoModel, width: int) -> TextCondition:
    """Embeddings of a prompt that nobody wrote, of full length."""
    tokens = model.facts.max_tokens
    g = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 1, tokens, width, generator=g)
    masks = (torch.ones(1, tokens),) * 2 if model.source.family == "ltx" else (None, None)
    return TextCondition("random", "dynamic", "random", EncodedText("random", one, other, *masks))


def rounded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The next size that the model takes."""
    height, width = (multiple * -(-side // multiple) for side in size)
    return height, width


def timed(step: Callable[[], Any], args: argparse.Namespace) -> tuple[float, float]:
    """(median milliseconds, peak gigabytes) of a step after warming up."""
    gpu = args.device.startswith("cuda")
    for _ in range(args.warmup):
        step()
    if gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(args.repeat):
        begun = time.perf_counter()
        step()
        if gpu:
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - begun))
    peak = torch.cuda.max_memory_allocated() / 1e9 if gpu else 0.0
    return sorted(times)[len(times) // 2], peak


def sds_step(model: LatentVideoModel, text: TextCondition, gradient: Gradient) -> Callable[[], None]:
    """One guided step as the fit takes it: a rendered clip with a known first frame, loss and gradient."""
    functions = teacher(model, text, gradient=gradient)
    frames = torch.rand(17, 3, *functions.size, device=model.device, requires_grad=True)
    known = Known((0,), frames[:1].detach())
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        frames.grad = None
        loss = sds_loss(
            frames, functions.encode, functions.denoise, sigma=1.0, generator=generator, known=known,
            decode=functions.decode,
        )  # fmt: skip
        loss.backward()

    return step


def measured(name: str, size: tuple[int, int], args: argparse.Namespace) -> list[Row]:
    """Both ways of one model at one size (rounded up to what it takes)."""
    width = 32 if args.tiny else ARCHITECTURES[name].text
    probe = build(name, size, args)
    size = rounded(size, probe.codec.cell * max(1, _patch(probe)))
    model = probe if probe.settings.score_size == size else build(name, size, args)
    text, rows = random_text(model, width), []
    for gradient in ("pixel", "latent"):
        ms, peak = timed(sds_step(model, text, gradient), args)
        rows.append(
            Row(
                name,
                f"{size[0]}x{size[1]}",
                gradient,
                args.vae_dtype,
                args.compile,
                not args.eager,
                round(ms, 1),
                round(peak, 2),
            )
        )
        print(line(rows[-1]), flush=True)
    return rows


def _patch(model: LatentVideoModel) -> int:
    patch = model.family.pipe.transformer.config.patch_size  # type: ignore[attr-defined]
    return patch if isinstance(patch, int) else int(patch[-1])


def drawing_seconds(name: str, size: tuple[int, int], args: argparse.Namespace) -> tuple[float, float]:
    """Seconds of one evaluation of the sampler, and of decoding: from clips of two and of four steps."""
    model = build(name, size, args)
    text = random_text(model, 32 if args.tiny else ARCHITECTURES[name].text)
    few, _ = timed(lambda: model.generate(text, steps=2), args)
    more, _ = timed(lambda: model.generate(text, steps=4), args)
    one = max(more - few, 0.0) / 2000
    return one, max(few / 1000 - 2 * one, 0.0)


def extrapolated(sds_ms: float, evaluation: float, decoding: float, args: argparse.Namespace) -> list[str]:
    """The paper's complete recipe from the parts, with the arithmetic."""
    r = PaperRecipe()
    fit = (r.canonical + r.temporal) * args.fit_ms / 1000
    guided = r.guided * (sds_ms + args.render_ms) / 1000
    drawn = r.clips * (r.sampling_steps * evaluation + decoding)
    total = fit + guided + drawn
    return [
        f"clips:     {r.clips} x ({r.sampling_steps} x {evaluation:.3f} s + {decoding:.2f} s) = {drawn:.0f} s",
        f"fitting:   ({r.canonical} + {r.temporal}) x {args.fit_ms:g} ms = {fit:.0f} s (--fit-ms)",
        f"guidance:  {r.guided} x ({sds_ms:g} ms + {args.render_ms:g} ms of rendering) = {guided:.0f} s (--render-ms)",
        f"in all:    {total:.0f} s = {total / 60:.1f} minutes (4Real: 90 minutes of an A100)",
    ]


def recipe(rows: list[Row], args: argparse.Namespace) -> list[str]:
    """The paper's recipe with the quickest Wan of those measured, at the largest size, in pixels."""
    wan = [row for row in rows if row.model in ("VACE-1.3B", "Wan2.1-1.3B")] or rows
    chosen = min((row for row in wan if row.gradient == "pixel" and row.size == wan[-1].size), key=lambda row: row.ms)
    evaluation, decoding = drawing_seconds(chosen.model, (32, 64) if args.tiny else (480, 832), args)
    said = f"\nThe paper's recipe with {chosen.model} as generator and teacher, {chosen.size}, in pixels:"
    return [said, *extrapolated(chosen.ms, evaluation, decoding, args)]


def line(row: Row) -> str:
    """A row of the table."""
    how = f"{row.vae} autoencoder{', compiled' if row.compiled else ''}{', recorded' if row.recorded else ''}"
    return f"| {row.model} | {row.size} | {row.gradient} | {how} | {row.ms:g} | {row.peak_gb:g} |"


def main() -> None:
    """Measure, print the table, extrapolate."""
    parser = argparse.ArgumentParser(
        description="Cost of score distillation with true architectures of random weights."
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="*", default=list(ARCHITECTURES), choices=list(ARCHITECTURES))
    parser.add_argument("--tiny", action="store_true", help="networks of a few thousand parameters, to try the script")
    parser.add_argument("--sizes", nargs="*", type=int, choices=[h for h, _ in SIZES], help="heights; all by default")
    parser.add_argument("--compile", action="store_true", help="the networks, which takes minutes")
    parser.add_argument("--eager", action="store_true", help="launch every kernel instead of replaying recordings")
    parser.add_argument("--no-recipe", action="store_true", help="without what the paper's recipe would take")
    parser.add_argument("--vae-dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--fit-ms", type=float, default=6.5, help="one fitting iteration, from benchmarks/lift.py")
    parser.add_argument("--render-ms", type=float, default=14.0, help="17 views rendered and differentiated")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")
        machine = torch.cuda.get_device_name()
    else:
        machine = f"{platform.processor() or platform.machine()}, a CPU"
    sizes = TINY_SIZES if args.tiny else [s for s in SIZES if not args.sizes or s[0] in args.sizes]
    print(
        f"torch {torch.__version__}, {machine}\n\n| model | size | gradient | how | ms | peak GB |\n| --- " * 1, end=""
    )
    print("| --- | --- | --- | --- | --- |")
    rows = [row for name in args.models for size in sizes for row in measured(name, size, args)]
    words = [] if args.no_recipe else recipe(rows, args)
    print("\n".join(words))
    if args.out is not None:
        about = {"machine": machine, "torch": torch.__version__, "rows": [asdict(row) for row in rows], "recipe": words}
        args.out.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
