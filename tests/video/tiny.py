"""A tiny embedded model, trained once for all tests that need one."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import torch

from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.network import BaseConfig
from fourreal.video.embedded.training import TrainConfig, TrainNews
from fourreal.video.embedded.training_run import RunConfig, train
from fourreal.video.embedded.upsampler import UpsamplerConfig, UpsamplerNetwork
from fourreal.video.embedded.weights import UPSAMPLER, History, save_upsampler

CPU = torch.device("cpu")
BASE = BaseConfig(frames=10, height=12, width=16, channels=32, dim=64, depth=1, head=32, text_dim=64, text_depth=1)
SMALL = UpsamplerConfig(10, 32, 1, 32)


def tiny_run(out: Path, clips: int, **changes: object) -> RunConfig:
    """A training of the tiny base network."""
    settings = TrainConfig(clips=clips, batch=8, rate=3e-3, warmup=10, average=0.9)
    return RunConfig("base", out, train=settings, base=BASE, upsampler=SMALL, pool=16, **changes)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def tiny_weights() -> tuple[Path, tuple[TrainNews, ...]]:
    """A folder with the tiny networks, and the news of the base network's training."""
    out, news = Path(tempfile.mkdtemp(prefix="tiny-video-model-")), []
    torch.manual_seed(0)
    train(tiny_run(out, 240), CPU, on_news=news.append, every=10)
    save_upsampler(out / UPSAMPLER, UpsamplerNetwork(SMALL).state_dict(), SMALL, History(0))
    return out, tuple(news)


def tiny_model() -> EmbeddedVideoModel:
    """The tiny model."""
    return EmbeddedVideoModel.load(tiny_weights()[0])
