"""The critic: it learns to tell drawn clips from true ones, and says which of several seeds to draw."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fourreal.core.errors import FourRealError
from fourreal.video.base import CameraPath, Chooses, KnownFrames, ModelSourceError, VideoModelError
from fourreal.video.embedded.casting import EVALUATION_SEED
from fourreal.video.embedded.critic import likeness
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.network import CONTEXTS
from fourreal.video.embedded.pairs import PairStream
from fourreal.video.embedded.sampling import conditions
from fourreal.video.embedded.stream import ClipStream, StreamConfig, shoot
from fourreal.video.embedded.tokens import vocabulary_of
from fourreal.video.embedded.training_run import train
from fourreal.video.embedded.weights import BASE, CRITIC, load_base, load_critic
from fourreal.worlds import captions, clip_times, reference_cameras, render, sample_worlds
from video.tiny import CPU, tiny_model, tiny_run, tiny_weights


def pairs_of(base: Path) -> PairStream:
    network, words, history = load_base(base)
    c = network.config
    config = StreamConfig(c.frames, c.height, c.width, c.words, pool=32, chunk=32, reuse=2.0)
    stream = ClipStream(config, vocabulary_of(words), CPU, first_seed=EVALUATION_SEED // 2)
    return PairStream(stream, (network, history.guided), 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny networks with a critic."""
    out = tmp_path_factory.mktemp("critic")
    shutil.copytree(tiny_weights()[0], out, dirs_exist_ok=True)
    run = replace(tiny_run(out / "training", 640), part="critic", start_from=out / BASE, pool=64)
    assert train(replace(run, train=replace(run.train, rate=3e-3, batch=16)), CPU)
    shutil.copy(out / "training" / CRITIC, out / CRITIC)
    return out


def test_it_tells_true_clips_from_drawn_ones_that_it_never_saw(folder: Path) -> None:
    network, _, _ = load_base(folder / BASE)
    critic, pairs = load_critic(folder / CRITIC, folder / BASE), pairs_of(folder / BASE).draw(32)
    true, drawn = (likeness(critic, network, clips, pairs.given) for clips in (pairs.true, pairs.drawn))
    assert (true > drawn).float().mean() > 0.8
    assert true.mean() > drawn.mean() + 0.5


def test_pairs_are_conditioned_as_runs_draw_them(folder: Path) -> None:
    true, drawn, given = pairs_of(folder / BASE).draw(64)
    frozen = given.context == CONTEXTS.index("freeze")
    assert 16 < int(frozen.sum()) < 48
    assert not given.known[~frozen].any()
    assert set(given.known[frozen].sum(1).tolist()) == {1, true.shape[1] // 2}
    assert given.has_camera[frozen].all(), "frozen clips are told their path"
    torch.testing.assert_close(drawn[given.known], true[given.known])
    assert not torch.equal(drawn[~given.known], true[~given.known])


def test_the_model_offers_it_and_what_it_says_depends_on_the_seed_alone(folder: Path) -> None:
    model = EmbeddedVideoModel.load(folder)
    assert "likeness" in model.spec.features
    assert isinstance(model, Chooses)
    text, told = model.encode_text("a fox jumping"), []
    values = model.likeness(text, [3, 4, 5], on_step=lambda done, total: told.append((done, total)))
    assert len(set(values)) == 3
    assert model.likeness(text, [5, 3]) == [values[2], values[0]]
    assert told == [(i + 1, 30) for i in range(30)]
    worlds = sample_worlds([EVALUATION_SEED])
    clip = render(worlds, reference_cameras(worlds, 10, 16, 12), geometry=False).rgb[0]
    frozen = model.encode_text(captions(worlds)[0], context="freeze")
    path = torch.zeros(10, 3)
    path[:, 0] = torch.linspace(0, 1, 10)
    known = KnownFrames((0,), clip[:1])
    assert model.likeness(frozen, [3], known=known, camera=CameraPath(path)) != model.likeness(frozen, [3], known=known)


def test_the_draft_that_is_taken_is_not_drawn_again(folder: Path) -> None:
    model, fresh = EmbeddedVideoModel.load(folder), EmbeddedVideoModel.load(folder)
    text = model.encode_text("a fox jumping")
    model.likeness(text, [3, 4])
    evaluations: list[int] = []
    told: list[tuple[int, int]] = []
    model.base.register_forward_hook(lambda *_: evaluations.append(1))
    clip = model.generate(text, seed=4, on_step=lambda done, total: told.append((done, total)))
    assert not evaluations
    assert told == [(10, 11), (11, 11)]
    torch.testing.assert_close(clip, fresh.generate(text, seed=4), atol=0, rtol=0)
    others: list[dict[str, Any]] = [{"seed": 4}, {"seed": 3, "steps": 9}, {"seed": 3, "guidance": 1.0}]
    for other in others:  # it is taken once; other steps or guidance draw another clip
        evaluations.clear()
        model.generate(text, **other)
        assert evaluations


def test_what_the_base_network_sees_is_what_its_blocks_hold() -> None:
    network = tiny_model().base
    held: list[torch.Tensor] = []
    handle = network.blocks[0].register_forward_hook(lambda _, __, out: held.append(out))
    noisy = torch.randn(2, 10, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    words = torch.zeros(2, network.config.words, dtype=torch.long)
    given = conditions(words, torch.zeros(2, dtype=torch.long), 10)
    network(noisy, torch.full((2,), 0.3), given)
    (seen,) = network.features(noisy, torch.full((2,), 0.3), given, (1,))
    handle.remove()
    assert torch.equal(seen, held[0][:, network.config.words :])


def test_weights_without_a_critic_say_so() -> None:
    model = tiny_model()
    assert "likeness" not in model.spec.features
    with pytest.raises(VideoModelError, match="no critic; train one with `4real train-video-model --part critic`"):
        model.likeness(model.encode_text("a fox"), [0, 1])


def test_a_critic_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "other", ignore=shutil.ignore_patterns("training"))
    run = replace(tiny_run(tmp_path / "more", 8), start_from=folder / BASE)
    train(run, CPU)
    shutil.copy(tmp_path / "more" / BASE, tmp_path / "other" / BASE)
    with pytest.raises(
        ModelSourceError, match=r"critic\.safetensors judges clips of other weights than .*--part critic"
    ):
        EmbeddedVideoModel.load(tmp_path / "other")
    (tmp_path / "other" / CRITIC).write_bytes(b"nothing")
    with pytest.raises(ModelSourceError, match="cannot be read"):
        EmbeddedVideoModel.load(tmp_path / "other")


def test_it_needs_the_weights_whose_clips_it_judges(tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match="to train a critic, name the trained base network with --start-from"):
        train(replace(tiny_run(tmp_path, 8), part="critic"), CPU)


def test_the_shipped_critic_prefers_true_clips_and_right_words() -> None:
    model = EmbeddedVideoModel.load()
    assert model.critic is not None
    worlds = sample_worlds([EVALUATION_SEED + 100 + i for i in range(10)], labels={"second": "none"})
    times = clip_times(10, 16, CPU).contiguous()
    shots, _ = shoot(worlds, torch.zeros(10, 16, 3), times, 36, 64)  # framed as what it learned from
    clips = 2 * render(worlds, shots, geometry=False).rgb - 1
    said = captions(worlds)
    words = torch.stack([model.encode_text(s).payload for s in [*said, *said[1:], said[0]]])
    given = conditions(words, torch.zeros(20, dtype=torch.long), 16)
    right, wrong = likeness(model.critic, model.base, clips.repeat(2, 1, 1, 1, 1), given).chunk(2)
    assert right.mean() > 1, "true clips"  # one may pass for drawn: the better the network, the less sure the critic
    # Of 30 clips 28 are liked better with their own words, by 2.8 on average.
    assert (right > wrong).sum() >= 9, "words of another world"
    assert (right - wrong).mean() > 2
