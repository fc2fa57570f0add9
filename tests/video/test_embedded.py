"""The embedded model's parts: what it learns from, how it samples, what it refuses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fourreal.video.base import CameraPath, KnownFrames, ModelSourceError, SizeError, UnsupportedConditionError
from fourreal.video.embedded.casting import Casting
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.network import Conditions, rays
from fourreal.video.embedded.objective import (
    draw_known,
    draw_levels,
    guided,
    noised,
    stress,
    training_loss,
    velocity_loss,
)
from fourreal.video.embedded.sampling import FROZEN_GUIDANCE, GUIDANCE, noises_of
from fourreal.video.embedded.solver import levels, solve, solve_afresh
from fourreal.video.embedded.stream import ClipStream, StreamConfig, draw_path, shoot
from fourreal.video.embedded.tokens import encode_captions, vocabulary_of
from fourreal.video.embedded.upsampling import shrunk, upsample
from fourreal.video.embedded.weights import BASE, CRITIC, FOLDER, UPSAMPLER, WORDS
from fourreal.worlds import captions, place_cameras, sample_worlds
from fourreal.worlds.words import caption_words, split_words
from video.tiny import CPU, tiny_model, tiny_weights


def some(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestObjective:
    def test_known_frames_stay_clean(self) -> None:
        clean, noise = torch.rand(2, 4, 3, 5, 6), torch.randn(2, 4, 3, 5, 6)
        known = torch.tensor([[True, False, False, True], [False, False, True, False]])
        mixed = noised(clean, noise, torch.tensor([0.5, 1.0]), known)
        assert torch.equal(mixed[known], clean[known])
        torch.testing.assert_close(mixed[1, 0], noise[1, 0])
        torch.testing.assert_close(mixed[0, 1], 0.5 * clean[0, 1] + 0.5 * noise[0, 1])

    def test_every_strategy_of_known_frames_occurs_in_its_share(self) -> None:
        known = draw_known(torch.ones(20_000, dtype=torch.long), 16, some())
        first = torch.arange(16) == 0
        eight = torch.arange(16) < 8
        assert (~known.any(1)).float().mean() == pytest.approx(0.2 + 0.04 * (15 / 16) ** 16, abs=0.015)
        assert (known == first).all(1).float().mean() == pytest.approx(0.35 + 0.04 / 15 + 0.05 / 16, abs=0.02)
        assert (known == eight).all(1).float().mean() == pytest.approx(0.22 + 0.04 / 15, abs=0.015)
        assert not known.all(1).any()

    def test_the_loss_counts_unknown_frames_by_velocity(self) -> None:
        target = torch.zeros(1, 4, 3, 2, 2)
        known = torch.tensor([[True, False, False, False]])
        off = torch.full_like(target, 0.1)
        assert float(velocity_loss(off, target, torch.tensor([0.5]), known)) == pytest.approx(0.04)
        assert float(velocity_loss(off, target, torch.tensor([1.0]), known)) == pytest.approx(0.01)
        off[:, 1:] = 0
        assert float(velocity_loss(off, target, torch.tensor([0.5]), known)) == 0

    def test_levels_cover_the_range(self) -> None:
        drawn = draw_levels(20_000, some(), CPU)
        assert 0 <= float(drawn.min()) < 0.02
        assert 0.98 < float(drawn.max()) <= 1
        assert 0.6 < float(drawn.median()) < 0.75

    def test_half_of_the_levels_lie_where_a_clip_is_decided(self) -> None:
        drawn = draw_levels(20_000, some(), CPU, early=0.5)
        assert 0.45 < float((drawn > 0.85).float().mean()) < 0.55
        assert float((draw_levels(20_000, some(), CPU) > 0.85).float().mean()) < 0.2
        assert float((drawn < 0.3).float().mean()) > 0.03  # and none is rare

    def test_the_middle_of_the_picture_weighs_more(self) -> None:
        weight = stress(36, 64, CPU)
        assert float(weight.mean()) == pytest.approx(1)
        assert float(weight[18, 32] / weight[0, 0]) == pytest.approx(4, rel=0.1)
        torch.testing.assert_close(weight, weight.flip(0, 1))
        target, known = torch.zeros(1, 2, 3, 36, 64), torch.zeros(1, 2, dtype=torch.bool)
        losses = []
        for row, column in ((18, 32), (0, 0)):
            off = target.clone()
            off[..., row, column] = 0.1
            losses.append(float(velocity_loss(off, target, torch.ones(1), known)))
        assert losses[0] == pytest.approx(losses[1] * 4, rel=0.1)

    def test_guidance_extrapolates_from_no_text(self) -> None:
        words = torch.tensor([[3, 0]])
        given_ = Conditions(words, words[:, 0], words == 9, torch.zeros(1, 2, 3), words[:, 0] > 0, torch.ones(1))

        def denoise(x: torch.Tensor, level: torch.Tensor, c: Conditions) -> torch.Tensor:
            return x + c.words.sum(1).view(-1, 1, 1, 1, 1)

        out = guided(denoise, torch.zeros(1, 2, 3, 1, 1), torch.ones(1), given_, torch.tensor([2.5]))
        assert float(out.mean()) == pytest.approx(7.5)

    def test_a_weaker_network_is_stepped_away_from(self) -> None:
        def denoise(x: torch.Tensor, level: torch.Tensor, c: Conditions) -> torch.Tensor:
            return x + torch.where((c.words > 0).any(1), 1.0, 0.5).view(-1, 1, 1, 1, 1)

        def weaker(x: torch.Tensor, level: torch.Tensor, c: Conditions) -> torch.Tensor:
            return torch.full_like(x, 0.8)

        x, level = torch.zeros(2, 2, 3, 1, 1), torch.ones(2)
        given_ = Conditions(
            torch.ones(2, 4, dtype=torch.int64), torch.zeros(2, dtype=torch.int64), torch.zeros(2, 2, dtype=torch.bool),
            torch.zeros(2, 2, 3), torch.zeros(2, dtype=torch.bool), torch.ones(2),
        )  # fmt: skip
        out = guided(denoise, x, level, given_, torch.tensor([1.0, 3.0]), weaker)
        assert out[0].unique().tolist() == pytest.approx([1.0])  # weight 1 is no guidance of either kind
        assert out[1].unique().tolist() == pytest.approx([0.5 + 3 * 0.5 + 1.0 * (1.0 - 0.8)])

    def test_a_student_of_guidance_that_answers_as_the_guided_teacher_has_no_loss(self) -> None:
        stream = ClipStream(StreamConfig(3, 8, 8, pool=4, samples=1), vocabulary_of(caption_words()), CPU)

        def teacher(x: torch.Tensor, level: torch.Tensor, c: Conditions) -> torch.Tensor:
            return x + c.words.float().mean(1).view(-1, 1, 1, 1, 1)

        def student(x: torch.Tensor, level: torch.Tensor, c: Conditions) -> torch.Tensor:
            assert (c.guidance >= 1).all()
            return x + (c.words.float().mean(1) * c.guidance).view(-1, 1, 1, 1, 1)

        clips = stream.draw(8)
        assert float(training_loss(student, clips, some(), teacher)) == pytest.approx(0, abs=1e-6)
        assert float(training_loss(teacher, clips, some(), teacher)) > 1


class TestSolver:
    @settings(deadline=None)
    @given(steps=st.integers(1, 40), shift=st.floats(1, 6))
    def test_levels_fall_from_one_to_zero(self, steps: int, shift: float) -> None:
        times = levels(steps, shift)
        assert times[0] == 1
        assert times[-1] == 0
        assert all(a > b for a, b in pairwise(times))

    def test_a_perfect_denoiser_ends_at_its_clip(self) -> None:
        clip = torch.rand(4, 3, 5, 6) * 2 - 1
        out = solve(lambda x, t: clip, torch.randn(4, 3, 5, 6, generator=some()), 5)
        torch.testing.assert_close(out, clip)

    def test_more_steps_come_closer_to_the_true_distribution(self) -> None:
        """Pixels are normal with deviation 0.3; the best denoiser is known, and the deviation must come out."""
        noise = torch.randn(1, 3, 60, 60, generator=some())

        def clean_of(x: torch.Tensor, t: float) -> torch.Tensor:
            return x * (1 - t) * 0.09 / ((1 - t) ** 2 * 0.09 + t**2)

        exact = 0.3 * noise
        errors = [float((solve(clean_of, noise, n, shift=1.0) - exact).std()) for n in (4, 8, 16)]
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 0.02

    def test_new_noise_takes_every_prediction_to_the_next_level(self) -> None:
        seen: list[tuple[float, torch.Tensor]] = []

        def clean_of(x: torch.Tensor, t: float) -> torch.Tensor:
            seen.append((t, x))
            return torch.full_like(x, -0.5 if t > 0.6 else 0.5)

        def noises() -> Iterator[torch.Tensor]:
            return noises_of([7], (2, 3, 4, 5), CPU)

        out = solve_afresh(clean_of, noises(), 4)
        torch.testing.assert_close(out, torch.full_like(out, 0.5))
        before = torch.zeros(())
        for (t, x), fresh in zip(seen, noises(), strict=False):
            torch.testing.assert_close(x, (1 - t) * before + t * fresh)
            before = torch.tensor(-0.5 if t > 0.6 else 0.5)
        assert [t for t, _ in seen] == levels(4, 2.5)[:-1]

    def test_a_clip_is_the_same_whichever_are_drawn_beside_it(self) -> None:
        alone, both = noises_of([4], (1, 3, 2, 2), CPU), noises_of([9, 4], (1, 3, 2, 2), CPU)
        assert all(torch.equal(next(alone)[0], next(both)[1]) for _ in range(2))
        assert not torch.equal(next(alone), next(alone))


class TestStream:
    def test_clips_carry_their_words_cameras_and_worlds(self) -> None:
        vocabulary = vocabulary_of(caption_words())
        config = StreamConfig(frames=3, height=12, width=16, pool=6, chunk=3)
        stream = ClipStream(config, vocabulary, CPU, first_seed=7)
        assert stream.pool.seeds.tolist() == [7, 8, 9, 10, 11, 12]
        drawn = stream.draw(4)
        assert drawn.frames.shape == (4, 3, 3, 12, 16)
        assert not drawn.camera[:, 0].any()
        assert (drawn.words[:, 0] > 0).all()
        still = (drawn.context == 0) & (drawn.camera.abs().amax((1, 2)) == 0)
        assert drawn.camera[still].abs().sum() == 0

    def test_the_pool_is_renewed_as_often_as_asked(self) -> None:
        config = StreamConfig(frames=2, height=8, width=8, pool=4, chunk=2, reuse=2.0, samples=1)
        stream = ClipStream(config, vocabulary_of(caption_words()), CPU)
        before = stream.position
        for _ in range(4):
            stream.draw(4)
        assert stream.position - before == 8
        assert sorted(stream.pool.seeds.tolist()) == [8, 9, 10, 11]

    def test_subjects_that_read_badly_may_be_drawn_more_often(self) -> None:
        vocabulary = vocabulary_of(caption_words())

        def share(favour: tuple[str, ...] = (), *words: str) -> float:
            config = StreamConfig(frames=2, height=4, width=8, pool=160, chunk=160, samples=1)
            config = replace(config, casting=Casting(favour, favoured=0.25))
            pool = ClipStream(config, vocabulary, CPU).pool.words
            return float((pool[..., None] == torch.tensor([vocabulary[w] for w in words])).any((1, 2)).float().mean())

        assert 0.17 < share(("elephant",), "elephant") - share((), "elephant") < 0.35
        turning = ("spinning", "twirling", "turning")
        assert 0.17 < share(("cat spinning",), *turning) - share((), *turning) < 0.35

    def test_processes_draw_different_worlds(self) -> None:
        config = StreamConfig(frames=2, height=8, width=8, pool=4, chunk=4, samples=1)
        words = vocabulary_of(caption_words())
        pools = [ClipStream(config, words, CPU, first_seed=r, stride=2).pool.seeds.tolist() for r in (0, 1)]
        assert not set(pools[0]) & set(pools[1])

    def test_paths_are_about_the_first_frame_and_frozen_clips_stand_still(self) -> None:
        worlds = sample_worlds(range(64))
        path, times, context = draw_path(64, 5, some(), CPU)
        shots, camera = shoot(worlds, path, times, 8, 12)
        assert not camera[:, 0].any()
        frozen = context == 1
        assert 10 < int(frozen.sum()) < 45
        assert (times[frozen] == times[frozen][:, :1]).all()
        assert camera[frozen].abs().amax((1, 2)).min() > math.radians(9)
        moved = (shots.viewmats[:, -1] - shots.viewmats[:, 0]).abs().amax((1, 2)) > 1e-4
        assert torch.equal(moved, camera[:, -1].abs().amax(1) > 0)

    def test_captions_become_ids_of_the_vocabulary(self) -> None:
        words = caption_words()
        sentence = captions(sample_worlds([5]))[0]
        ids = encode_captions([sentence, ""], vocabulary_of(words), 40)
        assert [words[i - 1] for i in ids[0] if i > 0] == split_words(sentence)
        assert not ids[1].any()


class TestUpsampler:
    def test_untrained_it_is_bicubic(self) -> None:
        model = tiny_model()
        low = torch.rand(10, 3, 12, 16)
        out = upsample(model.upsampler, low, steps=1)
        want = F.interpolate(2 * low - 1, scale_factor=4, mode="bicubic")
        torch.testing.assert_close(out, ((want + 1) / 2).clamp(0, 1), atol=1e-5, rtol=0)

    def test_given_frames_pass_through(self) -> None:
        model = tiny_model()
        full, mask = torch.rand(10, 3, 48, 64), torch.arange(10) < 3
        out = upsample(model.upsampler, shrunk(full), known=full, is_known=mask)
        torch.testing.assert_close(out[:3], full[:3], atol=1e-5, rtol=0)


class TestModel:
    def test_sizes_that_it_does_not_make(self) -> None:
        model = tiny_model()
        with pytest.raises(SizeError, match="12x16 or 48x64"):
            model.generate(model.encode_text("a fox"), size=(100, 100))

    def test_the_text_of_another_model(self) -> None:
        model = tiny_model()
        text = tiny_model().encode_text("a fox")
        other = type(text)(text.prompt, text.context, "", None)
        with pytest.raises(UnsupportedConditionError, match="encode_text"):
            model.generate(other, size=(12, 16))

    def test_the_understanding_is_told(self) -> None:
        text = tiny_model().encode_text("A fox JUMPING on grass!")
        assert text.understood == 'understood as "a fox jumping on grass"'

    def test_guidance_by_two_evaluations_or_none(self) -> None:
        model = tiny_model()
        text = model.encode_text("a red car on a road")
        x = torch.randn(10, 3, 12, 16, generator=some())
        one, same, three = (model.denoise(x, 1.0, text, guidance=g) for g in (1.0, 1.0, 3.0))
        assert torch.equal(one, same)
        assert not torch.equal(one, three)

    def test_frozen_clips_of_a_known_frame_follow_the_words_less(self) -> None:
        model, known = tiny_model(), KnownFrames((0,), torch.rand(1, 3, 12, 16, generator=some()))
        for context, first, weight in (
            ("freeze", known, FROZEN_GUIDANCE),
            ("freeze", None, GUIDANCE),
            ("dynamic", known, GUIDANCE),
        ):
            text = model.encode_text("a red car on a road", context=context)
            own, same, other = (
                model.generate(text, size=(12, 16), known=first, steps=2, guidance=g) for g in (None, weight, 6.0)
            )
            assert torch.equal(own, same)
            assert not torch.equal(own, other)

    def test_a_camera_counts_from_frame_0(self) -> None:
        model = tiny_model()
        text = model.encode_text("a fox", context="freeze")
        path = torch.zeros(10, 3)
        path[:, 0] = torch.linspace(0, 1, 10)
        a = model.generate(text, size=(12, 16), camera=CameraPath(path), steps=2)
        b = model.generate(text, size=(12, 16), camera=CameraPath(path + 0.4), steps=2)
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)

    def test_a_given_frame_larger_than_the_clip(self) -> None:
        model = tiny_model()
        known = KnownFrames((0,), torch.rand(1, 3, 90, 160))
        clip = model.generate(model.encode_text("a fox"), known=known, steps=1)
        assert clip.shape == (10, 3, 48, 64)

    @pytest.mark.parametrize("name", [BASE, UPSAMPLER])
    @pytest.mark.parametrize("fault", ["missing", "cut", "other"])
    def test_missing_and_damaged_weights(self, tmp_path: Path, name: str, fault: str) -> None:
        for file in (BASE, UPSAMPLER):
            (tmp_path / file).write_bytes((tiny_weights()[0] / file).read_bytes())
        bad = tmp_path / name
        if fault == "missing":
            bad.unlink()
        elif fault == "cut":
            bad.write_bytes(bad.read_bytes()[:-100])
        else:
            bad.write_bytes((tmp_path / (UPSAMPLER if name == BASE else BASE)).read_bytes())
        with pytest.raises(ModelSourceError, match=name):
            EmbeddedVideoModel.load(tmp_path)


def test_what_ships_is_small_and_loads() -> None:
    assert sum((FOLDER / name).stat().st_size for name in (BASE, UPSAMPLER, CRITIC, WORDS)) <= 40e6
    model = EmbeddedVideoModel.load()
    assert model.spec.size == (144, 256)
    assert model.spec.frames == 16
    assert model.history.clips >= 1_000_000
    assert model.vocabulary == caption_words()


def test_the_shipped_model_beats_repeating_the_first_frame() -> None:
    """One step at noise as strong as the signal, the first frame known: the model must know how it goes on."""
    from fourreal.metrics import psnr
    from fourreal.video.embedded.casting import EVALUATION_SEED
    from fourreal.worlds import reference_cameras, render

    worlds = sample_worlds([EVALUATION_SEED + 3], labels={"action": "running", "subject": "fox", "second": "none"})
    clip = render(worlds, reference_cameras(worlds, 16, 64, 36), geometry=False).rgb[0]
    model = EmbeddedVideoModel.load()
    text = model.encode_text(captions(worlds)[0])
    x = model.encode(clip)
    x = x + torch.randn(x.shape, generator=some())
    known = KnownFrames((0,), clip[:1])
    clean = ((model.denoise(x, 1.0, text, known=known) + 1) / 2).clamp(0, 1)
    repeat = clip[:1].expand_as(clip)
    assert float(psnr(clean[1:], clip[1:]).mean()) > float(psnr(repeat[1:], clip[1:]).mean()) + 3


class TestRays:
    """What the network is told of where its pictures look."""

    def test_rays_of_a_picture_leave_one_eye_that_walks_as_the_path_says(self) -> None:
        path = torch.tensor([[[0.0, 0.0, 0.0], [0.6, 0.1, 0.3]]], dtype=torch.float64)
        found = rays(path, 9, 16)[0]
        directions, moments = found[..., :3], found[..., 3:]
        assert torch.allclose(directions.norm(dim=-1), torch.ones(()).double())
        eyes = torch.stack([eye_of(d, m) for d, m in zip(directions.flatten(1, 2), moments.flatten(1, 2), strict=True)])
        assert torch.allclose(eyes.norm(dim=-1), torch.tensor([1.0, math.exp(0.3)]).double())
        turn = torch.atan2(eyes[:, 0], eyes[:, 2])
        assert torch.allclose(turn[1] - turn[0], torch.tensor(0.6).double())
        rise = torch.asin(eyes[:, 1] / eyes.norm(dim=-1))
        assert torch.allclose(rise[1] - rise[0], torch.tensor(0.1).double())

    def test_they_are_those_of_the_cameras_that_film_the_worlds(self) -> None:
        path = torch.tensor([[[0.0, 0.0, 0.0], [-0.4, 0.2, 0.1]]])
        worlds = sample_worlds(torch.tensor([5]), torch.device("cpu"))
        elevation, fov = torch.tensor([math.radians(13)]), torch.tensor([math.radians(37)])
        view = replace(worlds.view, azimuth=torch.zeros(1), elevation=elevation, fov=fov)
        shots = place_cameras(replace(worlds, view=view), path, torch.zeros(1, 2), 16, 9)
        pixels = torch.stack(
            [*torch.meshgrid(torch.arange(16) + 0.5, torch.arange(9) + 0.5, indexing="xy"), torch.ones(9, 16)], -1
        )
        c2w = torch.linalg.inv(shots.viewmats[0])
        for found, K, camera in zip(rays(path, 9, 16)[0], shots.Ks[0], c2w, strict=True):
            wanted = F.normalize(pixels @ torch.linalg.inv(K).T @ camera[:3, :3].T, dim=-1)
            assert torch.allclose(found[..., :3], wanted, atol=1e-4)


def eye_of(directions: Tensor, moments: Tensor) -> Tensor:
    """The point that lies on all lines: eye x direction = moment."""
    zero = torch.zeros_like(directions[:, 0])
    x, y, z = directions.unbind(-1)
    cross = torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).view(-1, 3, 3)
    return torch.linalg.lstsq(cross.reshape(-1, 3), moments.reshape(-1, 1)).solution[:, 0]
