"""The upsampler, sheets for eyes, and time and memory."""

from __future__ import annotations

import resource
import statistics
import sys
import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from _video_fidelity import said
from _video_setting import Setting, all_said, frame_psnr, signs, sync, table
from torch import Tensor

from fourreal.core.storage import atomic_path
from fourreal.io.images import to_bytes
from fourreal.video.embedded.stream import draw_path
from fourreal.video.embedded.upsampler import SCALE, UpsamplerConfig, UpsamplerNetwork
from fourreal.video.embedded.upsampling import shrunk
from fourreal.video.embedded.upsampling import upsample as enlarge
from fourreal.video.embedded.weights import WORDS

if TYPE_CHECKING:
    from fourreal.video.embedded.model import EmbeddedVideoModel

_WIN = 2.5  # dB over bicubic interpolation, wanted
_ORBIT = 70.0  # degrees of the frozen rows of sheets
_SHOWN = 6  # frames of a clip that a sheet shows
_ON_PAGE = 6  # captions
_LINE = 16  # pixels of text above a row
_STRANGERS = (
    "a corgi puppy zooming across the beach at dusk",
    "an old wizard's owl reading a huge spell book in the snow",
    "Two pandas having a picnic",
    "my cat playing the piano like a rock star",
    "purple T-Rex skateboarding downtown, rainy night",
    "astronaut doing ballet on the lunar surface",
    "a happy piglet splashing around in a pond",
    "cinematic shot of a red sports car racing through autumn leaves",
    "a knight in shining armor riding a horse",
    "baby elephant blowing out candles, party hat on",
    "a lone penguin strolls past a campfire under the stars",
    "robot waiter serving drinks in a cozy wooden cabin",
)


def enlarged(setting: Setting, network: UpsamplerNetwork, clip: Tensor, steps: int = 2) -> Tensor:
    """A clip [F, 3, h, w] in [0, 1] four times as large, in bf16 on a GPU."""
    with torch.autocast(setting.device.type, torch.bfloat16, enabled=setting.device.type == "cuda"):
        return enlarge(network, clip, steps=steps).float()


def upsample(setting: Setting, network: UpsamplerNetwork) -> dict[str, object]:
    """The upsampler against bicubic interpolation, on true clips made small by averaging."""
    count = setting.options.many(16)
    worlds = setting.worlds("upsample", count)
    path, times, _ = draw_path(count, setting.frames, setting.generator("upsample"), setting.device)
    truth, _, _ = setting.film(worlds, path, times, SCALE)
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "bicubic": lambda low: F.interpolate(low, scale_factor=SCALE, mode="bicubic").clamp(0, 1),
        "1 step": lambda low: enlarged(setting, network, low, 1),
        "2 steps": lambda low: enlarged(setting, network, low, 2),
    }
    made = {name: torch.stack([way(shrunk(clip)) for clip in truth]) for name, way in ways.items()}
    quality = {name: float(frame_psnr(clips, truth).mean()) for name, clips in made.items()}
    restless = {name: _flicker(clips) for name, clips in {**made, "truth": truth}.items()}
    base = quality["bicubic"]
    rows = [(k, f"{v:.2f}", f"{v - base:+.2f}", restless[k]) for k, v in quality.items()]
    rows.append(("truth", "", "", restless["truth"]))
    table(f"upsample: mean of {count} clips", ("clips", "PSNR", "over bicubic", "flicker"), rows)
    print(f"wanted >= {_WIN} dB over bicubic in one step: {said(quality['1 step'] - base >= _WIN)}")
    return {"psnr": quality, "flicker": restless}


def _flicker(clips: Tensor) -> float:
    """Mean absolute second difference over time."""
    return float((clips[:, 2:] - 2 * clips[:, 1:-1] + clips[:, :-2]).abs().mean())


def protocol_model(setting: Setting) -> EmbeddedVideoModel:
    """The networks behind the video model protocol; only its reading of prompts is used, which needs no upsampler."""
    from fourreal.video.embedded.model import EmbeddedVideoModel
    from fourreal.video.embedded.understand import WordTable

    stand_in = UpsamplerNetwork(UpsamplerConfig(frames=setting.frames, channels=32, depth=1))
    own = setting.options.weights / WORDS
    words = WordTable.load(own if own.exists() else None)
    return EmbeddedVideoModel(setting.base, setting.upsampler or stand_in, setting.vocabulary, words, setting.history)


def sheet(setting: Setting, pictures: Path) -> dict[str, object]:
    """Rows of frames for captions of worlds and of strangers: time running, then frozen in the middle of it."""
    count, model = setting.options.many(2 * len(_STRANGERS)), protocol_model(setting)
    drawn = all_said(setting.worlds("sheet", (count + 1) // 2))
    prompts = [*drawn, *_STRANGERS[: count // 2]]
    read = [model.encode_complete(prompt) for prompt in prompts]
    words = torch.stack([text.payload for text in read]).to(setting.device)
    told = setting.best(setting.given_words(words, "dynamic"))
    camera = torch.zeros(count, setting.frames, 3, device=setting.device)
    sweep = torch.deg2rad(_ORBIT * signs(count)).to(setting.device)
    camera[..., 0] = sweep[:, None] * torch.linspace(0, 1, setting.frames, device=setting.device)
    middle = told[:, setting.frames // 2]
    clear = torch.cat((middle[:, None], torch.zeros_like(told[:, 1:])), 1)
    given = setting.given_words(words, "freeze", known=setting.first_known(), camera=camera)
    frozen = setting.best(given, clear)
    lines = [f"{prompt}   [{text.understood}]" for prompt, text in zip(prompts, read, strict=True)]
    print("\nsheet:", *lines, sep="\n  ")
    for page, first in enumerate(range(0, count, _ON_PAGE)):
        part = slice(first, first + _ON_PAGE)
        rows = [(_large(setting, a), _large(setting, b)) for a, b in zip(told[part], frozen[part], strict=True)]
        _write_page(pictures / f"sheet_{page}.png", lines[part], rows)
    return {"prompts": lines}


def _large(setting: Setting, clip: Tensor) -> Tensor:
    """Some frames side by side, by the upsampler if there is one."""
    if setting.upsampler is None:
        big = F.interpolate(clip, scale_factor=float(SCALE), mode="bicubic")
    else:
        big = enlarged(setting, setting.upsampler, clip)
    chosen = torch.linspace(0, len(clip) - 1, min(_SHOWN, len(clip))).round().long()
    return torch.cat(list(big[chosen.to(big.device)]), -1).clamp(0, 1).cpu()


def _write_page(path: Path, lines: list[str], rows: list[tuple[Tensor, Tensor]]) -> None:
    from PIL import Image, ImageDraw

    height, width = rows[0][0].shape[-2:]
    page = Image.new("RGB", (width, len(rows) * (2 * height + _LINE)), "white")
    pen = ImageDraw.Draw(page)
    for i, (line, pictures) in enumerate(zip(lines, rows, strict=True)):
        top = i * (2 * height + _LINE)
        pen.text((4, top + 2), line, fill="black", font_size=11)
        for j, picture in enumerate(pictures):
            page.paste(Image.fromarray(to_bytes(picture[None])[0]), (0, top + _LINE + j * height))
    with atomic_path(path) as temporary:
        page.save(temporary)
    print(f"drawn: {path}")


def time(setting: Setting) -> dict[str, float]:
    """Seconds of one clip, one guided prediction and one enlargement, each the median of five; and memory."""
    device, o = setting.device, setting.options
    world = setting.worlds("sheet", 1)
    given = setting.given(all_said(world), "dynamic", known=setting.first_known())
    truth = setting.dynamic(world, setting.generator("sheet"))
    x = 2 * truth - 1
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    found = {
        "load the weights, s": setting.load_seconds,
        f"a clip of {o.steps} steps, s": _median(lambda: setting.generate(given, truth), device),
        "a guided prediction, s": _median(lambda: setting.denoise(x, 1.0, given, x, o.score_guidance), device),
    }
    network = setting.upsampler
    if network is not None:
        for steps in (1, 2):
            taken = _median(lambda n=steps: enlarged(setting, network, truth[0], n), device)
            found[f"upsampling in {steps}, s"] = taken
    # Linux counts in KiB, macOS in bytes.
    unit = 2**30 if sys.platform == "darwin" else 2**20
    found["most memory of the process, GiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    if device.type == "cuda":
        found["most memory of the GPU, GiB"] = torch.cuda.max_memory_allocated() / 2**30
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    table(f"time: {name}, torch {torch.__version__}", ("what", "value"), list(found.items()))
    return found


def _median(action: Callable[[], object], device: torch.device) -> float:
    """Seconds of five runs after one to warm up."""
    taken = []
    for _ in range(6):
        sync(device)
        begun = clock.perf_counter()
        action()
        sync(device)
        taken.append(clock.perf_counter() - begun)
    return statistics.median(taken[1:])
