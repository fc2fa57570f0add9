"""A training as users run it: a folder with checkpoint, log, sheets and weights, resumed where it stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from fourreal.core.errors import FourRealError
from fourreal.worlds.words import caption_words

from .casting import Casting
from .network import BaseConfig, grown
from .parts import Part, Placement, base_part, critic_part, upsampler_part
from .training import TrainConfig, Trainer, TrainNews
from .upsampler import UpsamplerConfig
from .weights import (
    BASE,
    CRITIC,
    UPSAMPLER,
    History,
    load_base,
    load_upsampler,
    save_base,
    save_critic,
    save_upsampler,
)

PartName = Literal["base", "guidance", "critic", "upsampler"]
CHECKPOINT, LOG = "training.safetensors", "log.jsonl"


@dataclass(frozen=True)
class RunConfig:
    """A training.

    Attributes:
        part: the base network, guidance distilled into it, a critic of its clips, or the upsampler.
        out: folder of the training.
        train: clips, batch, rates.
        base: size of the base network.
        upsampler: size of the upsampler.
        pool: training clips held at once.
        start_from: weights to begin with; needed to distil guidance, and for the critic those whose clips it judges.
        weaker: weights of a base network trained less, which guides as well when guidance is distilled.
        casting: what is drawn more often.
        minutes: stop (resumably) after so long.
        save_minutes: time between checkpoints.
    """

    part: PartName
    out: Path
    train: TrainConfig = field(default_factory=TrainConfig)
    base: BaseConfig = field(default_factory=BaseConfig)
    upsampler: UpsamplerConfig = field(default_factory=UpsamplerConfig)
    pool: int = 8192
    start_from: Path | None = None
    weaker: Path | None = None
    casting: Casting = field(default_factory=Casting)
    minutes: float = 1e9
    save_minutes: float = 10.0


def join_processes(device: torch.device) -> tuple[torch.device, int, int]:
    """This process's device, rank and number of processes; joins the others if `torchrun` started it."""
    if "RANK" not in os.environ:
        return device, 0, 1
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank)))
        torch.cuda.set_device(device)
    return device, rank, world


def _part(config: RunConfig, place: Placement) -> tuple[Part, int, int]:
    """The part, and the clips that its starting weights have seen, by training and by distillation.

    A training that begins with such weights goes on to worlds after theirs: a stream draws fewer than it gives clips.
    """
    if config.part == "upsampler":
        if config.start_from is None:
            return upsampler_part(config.upsampler, place), 0, 0
        weights, history = load_upsampler(config.start_from)
        part = upsampler_part(weights.config, _after(place, history))
        part.network.load_state_dict(weights.state_dict())
        return part, history.clips, 0
    if config.start_from is None:
        if config.part != "base":
            what = {"guidance": "to distil guidance", "critic": "to train a critic"}[config.part]
            raise FourRealError(f"{what}, name the trained base network with --start-from FILE")
        base = BaseConfig(**{**asdict(config.base), "vocabulary": len(caption_words())})
        return base_part(base, place), 0, 0
    network, words, history = load_base(config.start_from)
    if set(words) - set(caption_words()):
        raise FourRealError(f"{config.start_from} knows other words than today's captions; train from the beginning")
    if config.part == "base":
        network = grown(network, words, caption_words())
    elif words != caption_words():
        raise FourRealError(f"{config.start_from} lacks words of today's captions; train it on (--part base) first")
    if config.part == "critic":
        return critic_part(network, history.guided, _after(place, history)), 0, 0
    teacher = network if config.part == "guidance" else None
    weaker = None if config.weaker is None else load_base(config.weaker)[0]
    part = base_part(network.config, _after(place, history), teacher, weaker)
    part.network.load_state_dict(network.state_dict())
    return part, history.clips, history.distilled


def _after(place: Placement, history: History) -> Placement:
    return replace(place, first_seed=place.first_seed or history.clips + history.distilled)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, or the process asked to end, since this began; a second time, either ends it at once.

    Batch queues and reclaimed cloud machines send SIGTERM and wait a little: what was learned shall not be lost.
    """
    asked = threading.Event()
    before: dict[int, Any] = {}

    def note(number: int, _: object) -> None:
        asked.set()
        signal.signal(number, before[number])

    if threading.current_thread() is threading.main_thread():  # handlers may be set there alone
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:  # as behind `&` or `nohup`: stays ignored
                before[number] = signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train(
    config: RunConfig,
    device: torch.device,
    *,
    on_news: Callable[[TrainNews], None] = lambda _: None,
    on_ready: Callable[[str], None] = lambda _: None,
    every: int = 50,
) -> bool:
    """Train, or go on with the training in `config.out`; True once all clips are seen, False if stopped before.

    Writes `training.safetensors` (everything to go on), `log.jsonl`, and the averaged weights in fp16. News come every
    `every` steps.

    Raises:
        FourRealError: if the folder holds another training, or starting weights do not fit.
        DivergenceError: if the loss is not finite.
    """
    begun = time.monotonic()
    device, rank, world = join_processes(device)
    checkpoint = config.out / CHECKPOINT
    position = _stored_position(config)
    place = Placement(device, rank, world, config.train.batch, config.pool, position, config.casting)
    part, before, distilled = _part(config, place)
    trainer = Trainer(part.network, config.train, device)
    if checkpoint.exists():
        trainer.load(checkpoint)
    on_ready(f"{sum(p.numel() for p in part.network.parameters()) / 1e6:.1f} M parameters on {device}, {world} process")
    saved = begun

    def publish() -> None:
        trainer.save(checkpoint, part.stream.position)
        if rank == 0:
            _save_weights(config, part, trainer, before, distilled)

    def news(report: TrainNews) -> None:
        if rank == 0:
            with (config.out / LOG).open("a") as log:
                log.write(json.dumps({**vars(report), "seconds": round(time.monotonic() - begun, 1)}) + "\n")
            on_news(report)
        nonlocal saved
        if time.monotonic() - saved > 60 * config.save_minutes:
            publish()
            saved = time.monotonic()

    config.out.mkdir(parents=True, exist_ok=True)
    with stop_requests() as stop:
        done = trainer.run(part.loss, until=begun + 60 * config.minutes, stop=stop, every=every, on_news=news)
    publish()
    if world > 1:
        dist.destroy_process_group()
    return done


def _stored_position(config: RunConfig) -> int:
    """The first world that the stored training has not drawn; refuses a folder of another training."""
    note = config.out / "settings.json"
    settings = json.dumps({"part": config.part, "base": asdict(config.base), "upsampler": asdict(config.upsampler)})
    if (config.out / CHECKPOINT).exists():
        if not note.exists() or note.read_text() != settings:
            raise FourRealError(f"{config.out} holds another training; choose another --out or delete it")
        from fourreal.core.storage import load_tensors

        return int(load_tensors(config.out / CHECKPOINT, kind="video model training")[1]["stream"])
    config.out.mkdir(parents=True, exist_ok=True)
    note.write_text(settings)
    return 0


def _save_weights(config: RunConfig, part: Part, trainer: Trainer, before: int, distilled: int) -> None:
    average: dict[str, Tensor] = trainer.average
    if config.part == "upsampler":
        history = History(before + trainer.clips)
        save_upsampler(config.out / UPSAMPLER, average, part.network.config, history)  # type: ignore[arg-type]
        return
    if config.part == "critic":
        assert config.start_from is not None
        save_critic(config.out / CRITIC, average, part.network.config, config.start_from, History(trainer.clips))  # type: ignore[arg-type]
        return
    guidance = config.part == "guidance"
    history = History(before + (0 if guidance else trainer.clips), distilled + (trainer.clips if guidance else 0))
    save_base(config.out / BASE, average, part.network.config, caption_words(), history)  # type: ignore[arg-type]
