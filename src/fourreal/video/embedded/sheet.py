"""Sheets of samples of a network in training, beside the truth."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fourreal.io.images import write_image
from fourreal.worlds import captions, reference_cameras, render, sample_worlds

from .casting import EVALUATION_SEED
from .network import BaseNetwork
from .sampling import Predictor, conditions, sample
from .stream import shoot
from .tokens import encode_captions, vocabulary_of
from .upsampler import UpsamplerNetwork
from .upsampling import shrunk, upsample

_SHOWN = slice(0, None, 3)  # frames of a clip that a sheet shows


def _row(*clips: Tensor) -> Tensor:
    """Frames of clips [F, 3, H, W] side by side."""
    return torch.cat([frame for clip in clips for frame in clip[_SHOWN]], -1)


def base_sheet(
    path: Path, network: BaseNetwork, vocabulary: tuple[str, ...], distilled: bool, device: torch.device, count: int = 6
) -> list[str]:
    """Draw, for worlds that training never sees, a row each: from text; frozen from the true first frame along a true
    camera path; the truth of the latter. Returns the captions."""
    c = network.config
    worlds = sample_worlds(EVALUATION_SEED + torch.arange(count), device)
    sentences = captions(worlds)
    words = encode_captions(sentences, vocabulary_of(vocabulary), c.words).to(device)
    walk = torch.zeros(count, c.frames, 3, device=device)
    walk[..., 0] = torch.deg2rad(torch.linspace(0, 70.0, c.frames, device=device))
    shots, camera = shoot(worlds, walk, torch.zeros(count, c.frames, device=device), c.height, c.width)
    truth = 2 * render(worlds, shots, geometry=False).rgb - 1
    running = conditions(words, torch.zeros(count, dtype=torch.long, device=device), c.frames)
    known = torch.zeros(count, c.frames, dtype=torch.bool, device=device)
    known[:, 0] = True
    frozen = conditions(words, torch.ones(count, dtype=torch.long, device=device), c.frames, known=known, camera=camera)
    seeds = range(count)
    told = sample(Predictor(network, distilled), running, None, seeds)
    orbit = sample(Predictor(network, distilled), frozen, truth, seeds)
    rows = [_row(a, b, t) for a, b, t in zip(told, orbit, truth, strict=True)]
    picture = ((torch.cat(rows, -2) + 1) / 2).clamp(0, 1).float().cpu()
    write_image(path, torch.nn.functional.interpolate(picture[None], scale_factor=1.5, mode="nearest")[0])
    return sentences


def upsampler_sheet(path: Path, network: UpsamplerNetwork, device: torch.device, count: int = 3) -> None:
    """Draw three frames each of bicubic, upsampled and true clips of worlds that training never sees."""
    worlds = sample_worlds(EVALUATION_SEED + torch.arange(count), device)
    truth = render(worlds, reference_cameras(worlds, network.config.frames), geometry=False).rgb
    rows = []
    for clip in truth:
        low = shrunk(clip)
        smooth = torch.nn.functional.interpolate(low, scale_factor=4, mode="bicubic").clamp(0, 1)
        columns = [
            c[len(c) // 2].cpu() for c in (smooth, upsample(network, low, steps=1), upsample(network, low), clip)
        ]
        rows.append(torch.cat(columns, -1))
    write_image(path, torch.cat(rows, -2).float())
