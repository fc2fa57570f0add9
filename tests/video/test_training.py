"""Training: it learns, survives a kill, and several processes learn as one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from fourreal.commands.train_video_model import Tuning, train_video_model
from fourreal.core.errors import DivergenceError, FileFormatError, FourRealError
from fourreal.core.storage import load_tensors
from fourreal.video.embedded.training import TrainConfig, Trainer, TrainNews, rate_at
from fourreal.video.embedded.training_run import CHECKPOINT, LOG, train
from fourreal.video.embedded.upsampler import UpsamplerNetwork
from fourreal.video.embedded.weights import (
    BASE,
    UPSAMPLER,
    History,
    load_base,
    load_upsampler,
    save_base,
    save_upsampler,
)
from fourreal.worlds import LabelError
from video.tiny import CPU, tiny_run, tiny_weights


def test_a_tiny_training_lowers_the_loss() -> None:
    _, news = tiny_weights()
    assert news[-1].clips == news[-1].total == 240
    first, last = news[0].loss, sum(n.loss for n in news[-2:]) / 2
    assert last < 0.7 * first


def test_the_weights_say_what_they_are() -> None:
    network, words, history = load_base(tiny_weights()[0] / BASE)
    assert history.clips == 240
    assert history.distilled == 0
    assert len(words) == network.config.vocabulary > 300
    assert (tiny_weights()[0] / BASE).stat().st_size < 2.2 * sum(p.numel() for p in network.parameters()) + 20_000


def test_guidance_is_distilled_from_a_trained_network(tmp_path: Path) -> None:
    source = tiny_weights()[0] / BASE
    assert train(replace(tiny_run(tmp_path, 32), part="guidance", start_from=source), CPU)
    student, _, history = load_base(tmp_path / BASE)
    assert history == History(240, 32)
    assert student.guidance.weight.abs().max() > 0  # it was zero, so a weight had no effect
    assert load_base(source)[0].guidance.weight.abs().max() == 0
    _, meta = load_tensors(tmp_path / CHECKPOINT, kind="video model training")
    assert meta["stream"] > 240  # worlds that the teacher was not trained on


def test_a_weaker_network_guides_the_distillation(tmp_path: Path) -> None:
    source = tiny_weights()[0] / BASE
    network, words, _ = load_base(source)
    worse = {k: v * (0.9 if v.is_floating_point() else 1) for k, v in network.state_dict().items()}
    save_base(tmp_path / "worse.safetensors", worse, network.config, words, History(24))
    run = replace(tiny_run(tmp_path, 32), part="guidance", start_from=source)
    losses: dict[str, float] = {}
    for name, weaker in (("alone", None), ("itself", source), ("worse", tmp_path / "worse.safetensors")):
        config = replace(run, out=tmp_path / name, weaker=weaker)
        assert train(config, CPU, on_news=lambda n, name=name: losses.setdefault(name, n.loss), every=1)
    assert losses["itself"] == pytest.approx(losses["alone"], rel=1e-2)  # fp16 weights
    assert losses["worse"] > 1.05 * losses["alone"]  # asked for more than the teacher has


@pytest.mark.parametrize(
    ("favour", "says"),
    [("elefant", "did you mean 'elephant'"), ("cat spining", "did you mean 'spinning'"), ("bus eating", "cannot do")],
)
def test_only_what_worlds_have_is_favoured(favour: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=says):
        train_video_model(tmp_path / "out", tuning=Tuning(favour=(favour,)), tiny=True)
    assert not (tmp_path / "out").exists()


def test_weaker_networks_are_for_guidance(tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match="--part guidance"):
        train_video_model(tmp_path, weaker=tmp_path / "w.safetensors", tiny=True)


def test_the_upsampler_is_trained_on_crops(tmp_path: Path) -> None:
    losses = []
    config = replace(tiny_run(tmp_path, 4), part="upsampler", pool=1)
    config = replace(config, train=replace(config.train, batch=1))
    assert train(config, CPU, on_news=lambda n: losses.append(n.loss), every=2)
    assert len(losses) == 2
    assert all(0 < loss < 1 for loss in losses)
    assert (tmp_path / "upsampler.safetensors").exists()


def test_an_upsampler_of_another_depth_goes_on(tmp_path: Path) -> None:
    """The size is that of the weights it starts from, not of today's default."""
    config = replace(tiny_run(tmp_path / "more", 4), part="upsampler", pool=1, start_from=tmp_path / UPSAMPLER)
    deeper = replace(config.upsampler, depth=config.upsampler.depth + 1)
    save_upsampler(tmp_path / UPSAMPLER, UpsamplerNetwork(deeper).state_dict(), deeper, History(100))
    assert train(replace(config, train=replace(config.train, batch=1)), CPU)
    network, history = load_upsampler(tmp_path / "more" / UPSAMPLER)
    assert network.config == deeper
    assert history.clips == 104


def test_guidance_needs_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match="--start-from"):
        train(replace(tiny_run(tmp_path, 16), part="guidance"), CPU)


def test_the_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, 16)
    train(config, CPU)
    with pytest.raises(FourRealError, match="another training"):
        train(replace(config, base=replace(config.base, depth=2)), CPU)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    config = tiny_run(tmp_path, 16)
    train(config, CPU)
    whole = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match=CHECKPOINT):
        train(config, CPU)


_KILLED = """
from pathlib import Path
from video.tiny import CPU, tiny_run
from fourreal.video.embedded.training_run import train
train(tiny_run(Path({out!r}), 100_000, save_minutes=0.001), CPU, every=2)
"""


def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", _KILLED.format(out=str(tmp_path))], env=environment)
    try:
        end = time.monotonic() + 120
        while not (tmp_path / BASE).exists() and time.monotonic() < end:
            assert process.poll() is None
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    meta = load_tensors(tmp_path / CHECKPOINT, kind="video model training")[1]
    assert meta["clips"] >= 16
    news = []
    assert train(tiny_run(tmp_path, meta["clips"] + 16), CPU, on_news=news.append, every=1)
    assert news[0].clips == meta["clips"] + 8
    assert json.loads((tmp_path / LOG).read_text().splitlines()[-1])["clips"] == meta["clips"] + 16


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_training_asked_to_end_keeps_what_it_learned(tmp_path: Path, sent: signal.Signals) -> None:
    seen = []

    def ask(news: TrainNews) -> None:
        seen.append(news.clips)
        if len(seen) == 2:
            os.kill(os.getpid(), sent)

    def usual(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(sent, usual)
    try:
        assert not train(tiny_run(tmp_path, 100_000), CPU, on_news=ask, every=2)
        assert signal.getsignal(sent) is usual
    finally:
        signal.signal(sent, before)
    assert load_tensors(tmp_path / CHECKPOINT, kind="video model training")[1]["clips"] == seen[-1] < 100
    assert load_base(tmp_path / BASE)[2].clips == seen[-1]


def test_a_training_that_ignores_ctrl_c_goes_on_doing_so(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert train(tiny_run(tmp_path, 32), CPU, on_news=lambda _: os.kill(os.getpid(), signal.SIGINT), every=2)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("decay", [-0.1, 1.5])
def test_an_impossible_decay_is_refused(tmp_path: Path, decay: float) -> None:
    with pytest.raises(FourRealError, match="--decay"):
        train_video_model(tmp_path, tuning=Tuning(decay=decay))
    assert not list(tmp_path.iterdir())


_PAIR = """
import json, sys, torch, torch.distributed as dist
from torch import nn
from fourreal.video.embedded.training import TrainConfig, Trainer
from fourreal.video.embedded.training_run import join_processes
device, rank, world = join_processes(torch.device("cpu"))
torch.manual_seed(rank)
net = nn.Linear(3, 1)
trainer = Trainer(net, TrainConfig(clips=40, batch=2, rate=0.01, warmup=1, decay=0.0, muon=False), device)
goal = torch.tensor([1.0, 2.0, 3.0]) * (rank + 1)
trainer.run(lambda g: (net.weight[0] - goal).square().sum() + net.bias.square().sum(), every=5)
result = {"steps": trainer.steps, "weight": net.weight[0].tolist()}
open(f"{sys.argv[1]}/{rank}.json", "w").write(json.dumps(result))  # a file each: two lines on one pipe can run together
dist.destroy_process_group()
"""


@pytest.mark.slow  # three processes import torch
def test_two_processes_learn_as_one(tmp_path: Path) -> None:
    script = tmp_path / "pair.py"
    script.write_text(_PAIR)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(script), str(tmp_path)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 1)
    trainer = Trainer(net, TrainConfig(clips=20, batch=2, rate=0.01, warmup=1, decay=0.0, muon=False), CPU)
    goals = torch.tensor([1.0, 2.0, 3.0]) * torch.tensor([[1.0], [2.0]])
    trainer.run(lambda g: (net.weight - goals).square().sum(1).mean() + net.bias.square().sum(), every=5)
    assert first["steps"] == trainer.steps == 10
    assert first["weight"] == pytest.approx(net.weight[0].tolist(), abs=2e-5)


def test_a_loss_that_is_not_finite_is_an_error() -> None:
    net = torch.nn.Linear(2, 1)
    trainer = Trainer(net, TrainConfig(clips=100, batch=2, muon=False), CPU)
    with pytest.raises(DivergenceError, match="learning rate"):
        trainer.run(lambda g: net.weight.sum() * float("nan"), every=2)


def test_the_rate_rises_stays_and_falls() -> None:
    config = TrainConfig(rate=1.0, warmup=10, decay=0.25)
    rates = [rate_at(config, step, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[50] == 1.0
    assert rates[-1] == 0.0
    assert all(a >= b for a, b in pairwise(rates[9:]))
