"""What every video model must do, in one body run for each of them.

To add a model, write a function that makes one and name it in `MAKERS`. Make it as small as the protocol allows: the
tests take sizes and frame counts from its spec. A model that lacks a feature must refuse it by name.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from fourreal.video import (
    CameraPath,
    FrameCountError,
    KnownFrames,
    KnownFramesError,
    PromptError,
    SizeError,
    TextCondition,
    UnsupportedConditionError,
    Upsamples,
    VideoModel,
    VideoModelError,
)
from fourreal.video.base import MAX_PROMPT, Feature
from fourreal.video.oracle import OracleVideoModel
from video.tiny import tiny_model
from video.tiny_latent import tiny_latent

PROMPT = "a fox jumping on grass by day"
SIGMAS = (0.01, 0.3, 1.0, 3.0, 80.0)


def make_oracle() -> VideoModel:
    return OracleVideoModel(3, size=(36, 64), score_size=(18, 32), frames=10)


def make_embedded() -> VideoModel:
    return tiny_model()


MAKERS: dict[str, Callable[[], VideoModel]] = {
    "oracle": make_oracle,
    "embedded": make_embedded,
    **{kind: partial(tiny_latent, kind) for kind in ("wan-vace", "ltx", "sana-wm")},
}


@pytest.fixture(params=MAKERS, scope="module")
def model(request: pytest.FixtureRequest) -> VideoModel:
    return MAKERS[request.param]()


@pytest.fixture(scope="module")
def text(model: VideoModel) -> TextCondition:
    return model.encode_text(PROMPT)


@pytest.fixture(scope="module")
def clip(model: VideoModel, text: TextCondition) -> torch.Tensor:
    """What the model makes with seed 0 and nothing given, but what it cannot do without."""
    return model.generate(text, **needed(model)).clone()


def given(indices: tuple[int, ...], size: tuple[int, int], seed: int = 5) -> KnownFrames:
    """Smooth coloured frames, unlike anything a model would make by itself."""
    rough = torch.rand(len(indices), 3, 3, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, size, mode="bilinear", align_corners=False)
    return KnownFrames(indices, smooth.clamp(0, 1))


def needed(model: VideoModel) -> dict[str, Any]:
    """The least that a request must say."""
    return {"known": given((0,), model.spec.size)} if "first_frame" in model.spec.required else {}


def blank(model: VideoModel, **change: int) -> torch.Tensor:
    """An encoded clip of zeros; frames, channels, height or width may be off by some."""
    spec = model.spec
    sizes = {"frames": spec.encoded_frames, "channels": spec.channels} | dict(
        zip(("height", "width"), spec.score_size, strict=True)
    )
    return torch.zeros([size + change.get(name, 0) for name, size in sizes.items()])


def noisy(model: VideoModel, clean: torch.Tensor, sigma: float) -> torch.Tensor:
    return clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))


def turning(model: VideoModel) -> CameraPath:
    values = torch.zeros(model.spec.frames, 3)
    values[:, 0] = torch.linspace(0, math.radians(40), model.spec.frames)
    return CameraPath(values)


def subset(model: VideoModel) -> tuple[int, ...]:
    last = model.spec.frames - 1
    return (1, last // 2, last)


KNOWN: dict[Feature, Callable[[VideoModel], tuple[int, ...]]] = {
    "first_frame": lambda model: (0,),
    "prefix": lambda model: tuple(range(model.spec.prefix_frames(8))),
    "frames": subset,
}


def allowed(model: VideoModel, feature: Feature, request: Callable[[], torch.Tensor]) -> torch.Tensor | None:
    """The request's result; None, after checking that it is refused by name, if the model lacks the feature."""
    if feature in model.spec.features:
        return request()
    with pytest.raises(UnsupportedConditionError):
        request()
    return None


class TestSpec:
    def test_it_makes_sense(self, model: VideoModel) -> None:
        spec = model.spec
        assert spec.name
        assert spec.license
        assert {"text", "score"} <= spec.features
        assert spec.frames > 8, "eight known frames must leave something to make"
        assert min(*spec.size, *spec.score_size, spec.channels) >= 1
        assert 0 < spec.fps < math.inf
        assert all(score <= full for score, full in zip(spec.score_size, spec.size, strict=True))
        assert spec.required <= spec.features
        assert spec.nearest_frames(spec.frames) == spec.frames, "clips must have a number of frames that encodes whole"
        assert spec.encoded_frames == -(-spec.frames // spec.stride)

    def test_it_stays_the_same(self, model: VideoModel) -> None:
        assert model.spec == model.spec


class TestText:
    @pytest.mark.parametrize("context", ["dynamic", "freeze"])
    def test_the_condition_says_what_was_asked_and_understood(self, model: VideoModel, context) -> None:
        condition = model.encode_text(PROMPT, context=context)
        assert (condition.prompt, condition.context) == (PROMPT, context)
        assert condition.understood.strip()
        assert "\n" not in condition.understood

    @pytest.mark.parametrize("prompt", ["", "  \n\t"])
    def test_an_empty_prompt(self, model: VideoModel, prompt: str) -> None:
        with pytest.raises(PromptError, match="empty"):
            model.encode_text(prompt)

    def test_a_prompt_as_long_as_a_book(self, model: VideoModel) -> None:
        with pytest.raises(PromptError, match=rf"10000 characters.*{MAX_PROMPT}"):
            model.encode_text("fox " * 2500)


class TestGenerate:
    def test_shape_range_and_finiteness(self, model: VideoModel, clip: torch.Tensor) -> None:
        assert clip.shape == (model.spec.frames, 3, *model.spec.size)
        assert clip.dtype == torch.float32
        assert not clip.requires_grad
        low, high = (float(v) for v in torch.aminmax(clip))
        assert 0 <= low < high <= 1

    def test_the_seed_decides_and_the_global_state_does_not(self, model, text, clip) -> None:
        torch.manual_seed(99)
        state = torch.get_rng_state()
        assert torch.equal(model.generate(text, seed=0, **needed(model)), clip)
        assert torch.equal(torch.get_rng_state(), state), "the global random state was touched"

    def test_changing_a_result_leaves_the_next_one_alone(self, model, text, clip) -> None:
        model.generate(text, **needed(model)).zero_()
        assert torch.equal(model.generate(text, **needed(model)), clip)

    def test_half_the_size_is_made_or_refused(self, model: VideoModel, text: TextCondition) -> None:
        half = (model.spec.size[0] // 2, model.spec.size[1] // 2)
        with contextlib.suppress(SizeError):
            assert model.generate(text, size=half, **needed(model)).shape == (model.spec.frames, 3, *half)

    @pytest.mark.parametrize("size", [(0, 16), (16, -1)])
    def test_an_impossible_size(self, model: VideoModel, text: TextCondition, size: tuple[int, int]) -> None:
        with pytest.raises(SizeError, match=f"{size[0]}x{size[1]}"):
            model.generate(text, size=size)

    def test_progress_ends_at_the_total(self, model: VideoModel, text: TextCondition) -> None:
        calls: list[tuple[int, int]] = []
        model.generate(text, on_step=lambda done, total: calls.append((done, total)), **needed(model))
        total = len(calls)
        assert total >= 1
        assert calls == [(i + 1, total) for i in range(total)]

    @pytest.mark.parametrize("feature", KNOWN)
    def test_known_frames_come_back_exactly(self, model: VideoModel, text: TextCondition, feature: Feature) -> None:
        known = given(KNOWN[feature](model), model.spec.size)
        made = allowed(model, feature, lambda: model.generate(text, known=known))
        if made is not None:
            assert torch.equal(made[list(known.indices)], known.frames)
            assert made.shape == (model.spec.frames, 3, *model.spec.size)
            assert torch.isfinite(made).all()

    def test_a_first_frame_is_needed_or_not(self, model: VideoModel, text: TextCondition) -> None:
        if "first_frame" in model.spec.required:
            with pytest.raises(UnsupportedConditionError, match=r"needs a first frame .*--from-frame"):
                model.generate(text)
        else:
            assert model.generate(text).shape[0] == model.spec.frames

    @pytest.mark.parametrize("factor", [0.5, 2.0])
    def test_known_frames_of_another_size_are_resized(self, model: VideoModel, text, factor: float) -> None:
        height, width = model.spec.size
        known = given((0,), (round(height * factor), round(width * factor)))
        made = allowed(model, "first_frame", lambda: model.generate(text, known=known))
        if made is not None:
            plain = torch.nn.functional.interpolate(known.frames, model.spec.size, mode="area")[0]
            assert made.shape[-2:] == model.spec.size
            assert float((made[0] - plain).abs().mean()) < 0.02

    def test_a_camera_path_changes_the_clip(self, model: VideoModel, text: TextCondition, clip: torch.Tensor) -> None:
        made = allowed(model, "camera", lambda: model.generate(text, camera=turning(model), **needed(model)))
        if made is not None:
            assert made.shape == clip.shape
            assert float((made[-1] - clip[-1]).abs().mean()) > 1e-3


class TestEncode:
    def test_shape_and_range(self, model: VideoModel, clip: torch.Tensor) -> None:
        made = model.encode(clip)
        assert made.shape == (model.spec.encoded_frames, model.spec.channels, *model.spec.score_size)
        assert torch.isfinite(made).all()
        assert not made.requires_grad

    def test_gradients_reach_every_frame(self, model: VideoModel, clip: torch.Tensor) -> None:
        frames = clip.clone().requires_grad_()
        model.encode(frames).square().sum().backward()
        assert frames.grad is not None
        assert torch.isfinite(frames.grad).all()
        assert frames.grad.flatten(1).any(1).all()

    @pytest.mark.parametrize("change", [-1, 1])
    def test_a_clip_of_the_wrong_length(self, model: VideoModel, change: int) -> None:
        count = model.spec.frames + change
        with pytest.raises(FrameCountError, match=str(model.spec.frames)):
            model.encode(torch.rand(count, 3, *model.spec.size))

    def test_frames_too_small(self, model: VideoModel) -> None:
        height, width = model.spec.picture_size
        with pytest.raises(SizeError):
            model.encode(torch.rand(model.spec.frames, 3, height - 1, width - 1))


class TestDenoise:
    @pytest.mark.parametrize("sigma", SIGMAS)
    def test_any_noise(self, model: VideoModel, text: TextCondition, clip: torch.Tensor, sigma: float) -> None:
        clean = model.encode(clip)
        x = noisy(model, clean, sigma).requires_grad_()
        made = model.denoise(x, sigma, text, **needed(model))
        assert made.shape == clean.shape
        assert made.dtype == x.dtype
        assert torch.isfinite(made).all()
        assert not made.requires_grad

    def test_hardly_any_noise_leaves_the_models_own_clip(self, model, text, clip) -> None:
        """`encode` and `denoise` share one space: same scale, same order of channels."""
        clean = model.encode(clip)
        made = model.denoise(noisy(model, clean, 0.01), 0.01, text, **needed(model))
        assert float((made - clean).abs().mean()) < 0.1

    def test_it_does_not_write_to_its_input_or_to_its_own_past(self, model, text, clip) -> None:
        x = noisy(model, model.encode(clip), 1.0)
        before = x.clone()
        first = model.denoise(x, 1.0, text, **needed(model))
        assert torch.equal(x, before)
        copy = first.clone()
        first.zero_()
        assert torch.equal(model.denoise(x, 1.0, text, **needed(model)), copy)

    @pytest.mark.parametrize("sigma", [0.01, 1.0, 80.0])
    @pytest.mark.parametrize("feature", KNOWN)
    def test_known_frames_come_back_encoded(self, model, text, clip, feature: Feature, sigma: float) -> None:
        known = given(KNOWN[feature](model), model.spec.size)
        where = list(known.indices)
        whole = clip.clone()
        whole[where] = known.frames
        encoded = model.encode(whole)
        x = noisy(model, encoded, sigma)
        made = allowed(model, feature, lambda: model.denoise(x, sigma, text, known=known))
        if made is not None:
            self.assert_given(model, made, encoded, known.indices)
            assert torch.isfinite(made).all()

    def assert_given(self, model, made, encoded, indices) -> None:
        """Exactly; from models that merge frames, those encoded frames that hold known ones only, from the start."""
        if model.spec.stride == 1:
            assert torch.equal(made[list(indices)], encoded[list(indices)])
            return
        leading = sum(1 for i, index in enumerate(indices) if i == index)
        whole = (leading - 1) // model.spec.stride + 1
        torch.testing.assert_close(made[:whole], encoded[:whole], atol=1e-4, rtol=0)

    def test_a_camera_path_changes_the_prediction(self, model, text, clip) -> None:
        x = noisy(model, model.encode(clip), 20.0)
        made = allowed(model, "camera", lambda: model.denoise(x, 20.0, text, camera=turning(model), **needed(model)))
        if made is not None:
            assert float((made[-1] - model.denoise(x, 20.0, text, **needed(model))[-1]).abs().mean()) > 1e-3

    @pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
    def test_a_sigma_that_is_none(self, model: VideoModel, text: TextCondition, sigma: float) -> None:
        x = blank(model)
        with pytest.raises(VideoModelError, match="sigma must be positive and finite"):
            model.denoise(x, sigma, text)

    def test_x_of_the_wrong_shape(self, model: VideoModel, text: TextCondition) -> None:
        spec, (height, width) = model.spec, model.spec.score_size
        with pytest.raises(FrameCountError, match=str(spec.frames)):
            model.denoise(blank(model, frames=-1), 1.0, text)
        with pytest.raises(SizeError, match=f"{height}x{width}"):
            model.denoise(blank(model, width=1), 1.0, text)
        with pytest.raises(SizeError, match="channels"):
            model.denoise(blank(model, channels=1), 1.0, text)


class TestUpsample:
    def test_a_model_that_says_it_can_does(self, model: VideoModel, clip: torch.Tensor) -> None:
        if "upsample" not in model.spec.features:
            assert not isinstance(model, Upsamples)
            return
        assert isinstance(model, Upsamples)
        spec = model.spec
        large = torch.nn.functional.interpolate(clip, scale_factor=2.0)
        for frames in (clip, large):
            again = model.upsample(frames, seed=3)
            assert again.shape == (spec.frames, 3, *spec.size)
            assert 0 <= float(again.min()) <= float(again.max()) <= 1
            small = torch.nn.functional.interpolate(again, spec.score_size, mode="area")
            told = torch.nn.functional.interpolate(frames, spec.score_size, mode="area")
            assert (small - told).abs().mean() < 0.05, "what it was told is still there"
            assert torch.equal(again, model.upsample(frames, seed=3))
        with pytest.raises(FrameCountError, match=str(spec.frames)):
            model.upsample(clip[1:])
        with pytest.raises(SizeError):
            model.upsample(clip[..., : spec.score_size[1] - 1])


class TestConditionsThatDoNotFit:
    """The same for `generate` and `denoise`."""

    @pytest.fixture(params=["generate", "denoise"])
    def request_with(self, request: pytest.FixtureRequest, model, text) -> Callable[..., torch.Tensor]:
        if request.param == "generate":
            return lambda **conditions: model.generate(text, **conditions)
        x = blank(model)
        return lambda **conditions: model.denoise(x, 1.0, text, **conditions)

    @pytest.mark.parametrize("change", [-1, 1])
    def test_a_camera_path_of_the_wrong_length(self, model: VideoModel, request_with, change: int) -> None:
        camera = CameraPath(torch.zeros(model.spec.frames + change, 3))
        expected = FrameCountError if "camera" in model.spec.features else UnsupportedConditionError
        with pytest.raises(expected):
            request_with(camera=camera)

    def test_a_known_frame_beyond_the_end(self, model: VideoModel, request_with) -> None:
        last = model.spec.frames
        with pytest.raises(KnownFramesError, match=f"known frame {last} .* 0 to {last - 1}"):
            request_with(known=given((0, last), model.spec.size))
