"""`4real train-video-model`: train the embedded video model on procedural worlds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Literal, Self

import tyro

from fourreal.core.errors import FourRealError

from .device import torch_device
from .display import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from fourreal.video.embedded.training import TrainNews
    from fourreal.video.embedded.training_run import RunConfig


@dataclass(frozen=True)
class Tuning:
    """How it is trained.

    Attributes:
        clips: training clips in all; by default 4 million, a quarter of that for guidance and upsampler,
            120 000 for the critic.
        batch: clips a step and process.
        rate: peak learning rate.
        decay: share of the training, at its end, over which the rate falls to zero; 1 to round a stopped training off.
        muon: use the Muon optimiser for matrices; AdamW otherwise.
        favour: subjects that read badly, drawn more often: cat, or with what they do, "cat spinning".
        favoured: share of the worlds, 0 to 1, that is made of them.
        company: share of the worlds, 0 to 1, that are chosen for having two subjects; chance gives them to a quarter.
    """

    clips: int | None = None
    batch: int | None = None
    rate: float | None = None
    decay: float | None = None
    muon: bool = True
    favour: tuple[str, ...] = ()
    favoured: float = 0.1
    company: float = 0.0


def train_video_model(
    out: Path = Path("out/video_model"),
    part: Literal["base", "guidance", "critic", "upsampler"] = "base",
    minutes: float = 1e9,
    start_from: Path | None = None,
    weaker: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    tiny: bool = False,
    tuning: Annotated[Tuning, tyro.conf.arg(name="")] = Tuning(),
) -> int:
    """Train the embedded video model; run the same command again to go on where it stopped.

    Streams freshly rendered worlds. In the folder: averaged weights (fp16 safetensors), a log, a sheet of samples, and
    what is needed to go on. Start it with `torchrun --nproc-per-node N -m fourreal train-video-model` for several GPUs.

    Args:
        out: folder of this training.
        part: the base network; guidance, distilled into a trained base network; a critic of what a base network draws;
            or the upsampler.
        minutes: stop after so long; what was learned is kept.
        start_from: weights to begin with.
        weaker: when guidance is distilled, weights of the base network after less training: what the trained one does
            better is done more.
        device: auto takes a CUDA GPU if there is one.
        tiny: a small network and little data, to try the training on a CPU in a minute.
        tuning: clips, batch, rate, optimiser, subjects.
    """
    numbers = (minutes, tuning.clips, tuning.batch, tuning.rate)
    if any(n is not None and n <= 0 for n in numbers):
        raise FourRealError("--minutes, --clips, --batch and --rate must be positive")
    if tuning.decay is not None and not 0 <= tuning.decay <= 1:
        raise FourRealError(f"--decay {tuning.decay} must be a share of the training, 0 to 1")
    from rich.console import Console

    from fourreal.video.embedded.casting import Casting
    from fourreal.video.embedded.training_run import RunConfig, train

    if weaker is not None and part != "guidance":
        raise FourRealError(f"--weaker guides the distillation of guidance (--part guidance), not --part {part}")
    chosen = asdict(tuning)
    casting = Casting(*(chosen.pop(name) for name in ("favour", "favoured", "company")))
    casting.check()
    config = RunConfig(part, out, start_from=start_from, weaker=weaker, casting=casting, minutes=minutes)
    if part != "base":
        config = replace(config, train=replace(config.train, clips=1_000_000))
    if part == "guidance":
        config = replace(config, train=replace(config.train, rate=2e-4))
    if part == "critic":
        usual = replace(config.train, clips=120_000, batch=96, decay=0.5, average=0.99, muon=False)
        config = replace(config, pool=12_288, train=usual)
    if part == "upsampler":
        config = replace(config, pool=4096, train=replace(config.train, batch=64, muon=False))
    if tiny:
        config = _tiny(config)
    chosen["muon"] &= config.train.muon
    settings = replace(config.train, **{k: v for k, v in chosen.items() if v is not None})
    config = replace(config, train=settings)
    console = Console()
    begun = time.monotonic()
    with TrainDisplay(console) as display:
        done = train(config, torch_device(device), on_news=display, on_ready=console.print)
    state = "done" if done else "stopped; run the same command again to go on"
    console.print(f"{state}: {out} after {(time.monotonic() - begun) / 60:.1f} minutes")
    _sheet(config.out, part, console)
    return 0


def _tiny(config: RunConfig) -> RunConfig:
    from fourreal.video.embedded.network import BaseConfig
    from fourreal.video.embedded.upsampler import UpsamplerConfig

    base = BaseConfig(frames=10, height=12, width=16, channels=32, dim=64, depth=2, head=32, text_dim=64, text_depth=1)
    train = replace(config.train, clips=480, batch=8, rate=3e-3, warmup=10, average=0.95)
    return replace(config, base=base, upsampler=UpsamplerConfig(10, 32, 2, 32), pool=32, train=train)


def _sheet(out: Path, part: str, console: Console) -> None:
    """Draw samples of the averaged weights; only the first of several processes does."""
    import os

    if int(os.environ.get("RANK", "0")) != 0:
        return
    from fourreal.video.embedded.sheet import base_sheet, upsampler_sheet
    from fourreal.video.embedded.weights import BASE, UPSAMPLER, load_base, load_upsampler

    device = torch_device("auto")
    if part == "critic":
        return  # it draws nothing
    if part == "upsampler":
        network, _ = load_upsampler(out / UPSAMPLER)
        upsampler_sheet(out / "samples.png", network.to(device), device)
    else:
        base, words, history = load_base(out / BASE)
        for line in base_sheet(out / "samples.png", base.to(device), words, history.guided, device):
            console.print(f"  {line}", markup=False)
    console.print(f"samples: {out / 'samples.png'}")


class TrainDisplay:
    """A bar in a terminal, a line every minute elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console, self._said = console, 0.0
        self._bar = progress_bar(console)
        self._task = self._bar.add_task("training", total=None, news="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, news: TrainNews) -> None:
        """Show `news`."""
        text = f"loss {news.loss:.4f}  {news.speed:.0f} clips/s"
        self._bar.update(self._task, completed=news.clips, total=news.total, news=text)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said > 20:
            self._said = now
            self._console.print(f"{news.clips:>10} of {news.total} clips  {text}")
