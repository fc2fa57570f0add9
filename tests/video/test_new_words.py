"""A trained network goes on to captions that say more: which way a subject faces, and where two of them stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.commands.train_video_model import Tuning, train_video_model
from fourreal.core.errors import FourRealError
from fourreal.video.embedded.casting import Casting
from fourreal.video.embedded.network import BaseNetwork, Conditions, grown
from fourreal.video.embedded.stream import ClipStream, StreamConfig
from fourreal.video.embedded.tokens import vocabulary_of
from fourreal.video.embedded.training_run import train
from fourreal.video.embedded.weights import BASE, History, load_base, save_base
from fourreal.worlds import caption_words
from fourreal.worlds.labels import draw_labels
from video.tiny import BASE as TINY
from video.tiny import CPU, tiny_run

WORDS = caption_words()
BEFORE = tuple(word for word in WORDS if word not in {"facing", "behind", "seen"})


def _network() -> BaseNetwork:
    torch.manual_seed(3)
    network = BaseNetwork(replace(TINY, vocabulary=len(BEFORE)))
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.1)
    return network.eval()


def _answer(network: BaseNetwork, words: tuple[str, ...], text: str) -> torch.Tensor:
    ids = vocabulary_of(words)
    row = torch.zeros(1, network.config.words, dtype=torch.int64)
    row[0, : len(text.split())] = torch.tensor([ids[word] for word in text.split()])
    frames = network.config.frames
    noise = torch.randn(1, frames, 3, TINY.height, TINY.width, generator=torch.Generator().manual_seed(1))
    nothing = torch.zeros(1, frames, dtype=torch.bool)
    given = Conditions(
        row, torch.zeros(1, dtype=torch.int64), nothing, torch.zeros(1, frames, 3), nothing[:, 0], torch.ones(1)
    )
    with torch.no_grad():
        return network(noise, torch.tensor([0.5]), given)


def test_known_words_mean_what_they_meant() -> None:
    network = _network()
    more = grown(network, BEFORE, WORDS).eval()
    assert more.config.vocabulary == len(WORDS)
    before, after = _answer(network, BEFORE, "a panda dancing"), _answer(more, WORDS, "a panda dancing")
    torch.testing.assert_close(after, before)
    assert not torch.allclose(after, _answer(more, WORDS, "a panda facing"))
    assert grown(network, BEFORE, BEFORE) is network


def test_training_goes_on_from_weights_that_lack_words_and_parts_that_cannot_learn_them_say_so(tmp_path: Path) -> None:
    network, old = _network(), tmp_path / "old.safetensors"
    save_base(old, network.state_dict(), network.config, BEFORE, History(1000))
    assert train(replace(tiny_run(tmp_path / "on", 16), start_from=old), CPU)
    _, words, history = load_base(tmp_path / "on" / BASE)
    assert words == WORDS
    assert history.clips == 1016
    with pytest.raises(FourRealError, match=r"lacks words.*--part base"):
        train(replace(tiny_run(tmp_path / "critic", 16), part="critic", start_from=old), CPU)
    save_base(old, network.state_dict(), network.config, ("unicorn", *BEFORE[1:]), History(1000))
    with pytest.raises(FourRealError, match="other words"):
        train(replace(tiny_run(tmp_path / "other", 16), start_from=old), CPU)


def test_only_clips_of_running_time_before_a_still_camera_say_how_subjects_are_seen() -> None:
    stream = ClipStream(
        StreamConfig(frames=2, height=4, width=8, pool=200, chunk=200, samples=1), vocabulary_of(WORDS), CPU
    )
    ids = torch.tensor([vocabulary_of(WORDS)[word] for word in ("facing", "seen", "left", "right")])
    told = torch.isin(stream.pool.words, ids).any(1)
    still = (stream.pool.context == 0) & (stream.pool.camera.abs().amax((1, 2)) == 0)
    assert 0.4 < float(told[still].float().mean()) < 0.9
    assert not told[~still].any()


def test_worlds_of_two_subjects_may_be_drawn_more_often() -> None:
    def share(company: float) -> float:
        config = StreamConfig(
            frames=2, height=4, width=8, pool=160, chunk=160, samples=1, casting=Casting(company=company)
        )
        seeds = ClipStream(config, vocabulary_of(WORDS), CPU).pool.seeds
        assert len(set(seeds.tolist())) == 160
        return float((draw_labels(seeds, {})["second"] > 0).float().mean())

    assert share(0.0) < 0.4
    assert share(1.0) > 0.85


@pytest.mark.parametrize("company", [-0.1, 1.5])
def test_an_impossible_share_is_refused(tmp_path: Path, company: float) -> None:
    with pytest.raises(FourRealError, match="--company"):
        train_video_model(tmp_path, tiny=True, tuning=Tuning(company=company))
