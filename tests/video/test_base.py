"""The nouns of the video model protocol refuse what makes no sense, and say what would."""

from __future__ import annotations

import math

import pytest
import torch

from fourreal.core.errors import FourRealError
from fourreal.video import (
    CameraPath,
    FrameCountError,
    KnownFrames,
    KnownFramesError,
    ModelSourceError,
    PromptError,
    SizeError,
    UnsupportedConditionError,
    VideoModelError,
    VideoModelSpec,
)
from fourreal.video.base import MAX_PROMPT, check_camera, check_clip, check_known, check_prompt

SPEC = VideoModelSpec("tiny", frozenset({"text", "camera"}), 4, (18, 32), (9, 16), 3, 8.0, "Apache-2.0")
STILL = VideoModelSpec("still", frozenset({"text"}), 4, (18, 32), (9, 16), 3, 8.0, "Apache-2.0")


@pytest.mark.parametrize(
    "error",
    [FrameCountError, SizeError, KnownFramesError, UnsupportedConditionError, PromptError, ModelSourceError],
)
def test_one_family_of_errors(error: type[Exception]) -> None:
    assert issubclass(error, VideoModelError)
    assert issubclass(error, FourRealError)
    assert issubclass(error, ValueError)


class TestKnownFrames:
    @pytest.mark.parametrize("indices", [(), (-1,), (1, 0), (2, 2)])
    def test_positions_must_rise_from_zero(self, indices: tuple[int, ...]) -> None:
        with pytest.raises(KnownFramesError, match="strictly increasing"):
            KnownFrames(indices, torch.rand(max(len(indices), 1), 3, 4, 4))

    def test_one_frame_for_each_position(self) -> None:
        with pytest.raises(KnownFramesError, match=r"\[2, 3, H, W\].*\[3, 3, 4, 4\]"):
            KnownFrames((0, 1), torch.rand(3, 3, 4, 4))

    @pytest.mark.parametrize("value", [-0.01, 1.01, 255.0, math.nan, math.inf])
    def test_values_must_be_colours(self, value: float) -> None:
        frames = torch.rand(1, 3, 4, 4)
        frames[0, 1, 2, 3] = value
        with pytest.raises(KnownFramesError, match=r"RGB in \[0, 1\]"):
            KnownFrames((0,), frames)

    def test_no_pixels(self) -> None:
        with pytest.raises(KnownFramesError):
            KnownFrames((0,), torch.rand(1, 3, 0, 4))

    def test_they_must_lie_in_the_clip(self) -> None:
        check_known(KnownFrames((0, 3), torch.rand(2, 3, 4, 4)), SPEC)
        with pytest.raises(KnownFramesError, match=r"known frame 4 .* tiny makes frames 0 to 3"):
            check_known(KnownFrames((0, 4), torch.rand(2, 3, 4, 4)), SPEC)


class TestCameraPath:
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_it_must_be_finite(self, value: float) -> None:
        with pytest.raises(UnsupportedConditionError, match="finite"):
            CameraPath(torch.full((4, 3), value))

    def test_it_must_fit_the_model(self) -> None:
        check_camera(CameraPath(torch.zeros(4, 3)), SPEC)
        with pytest.raises(FrameCountError, match="4 poses, one a frame, got 5"):
            check_camera(CameraPath(torch.zeros(5, 3)), SPEC)
        with pytest.raises(UnsupportedConditionError, match="still takes no camera path"):
            check_camera(CameraPath(torch.zeros(4, 3)), STILL)


class TestClip:
    def test_length_and_size(self) -> None:
        check_clip(torch.zeros(4, 3, 50, 50), SPEC)
        check_clip(torch.zeros(4, 3, 9, 16), SPEC, SPEC.score_size)
        with pytest.raises(FrameCountError, match=r"4 frames, got shape \[3, 3, 9, 16\]"):
            check_clip(torch.zeros(3, 3, 9, 16), SPEC)
        with pytest.raises(FrameCountError):
            check_clip(torch.zeros(4, 9, 16), SPEC)
        with pytest.raises(SizeError, match=r"9x16 here, got \[18, 32\]"):
            check_clip(torch.zeros(4, 3, 18, 32), SPEC, SPEC.score_size)


class TestPrompt:
    @pytest.mark.parametrize("prompt", ["fox", "f" * MAX_PROMPT, "  ein Fuchs, 狐  "])
    def test_anything_that_says_something(self, prompt: str) -> None:
        check_prompt(prompt)

    @pytest.mark.parametrize("prompt", ["", " \t\n ", " " * 10_000])
    def test_nothing(self, prompt: str) -> None:
        with pytest.raises(PromptError, match="the prompt is empty") as caught:
            check_prompt(prompt)
        assert len(str(caught.value)) < 200

    def test_too_much(self) -> None:
        with pytest.raises(PromptError, match="2001 characters; at most 2000") as caught:
            check_prompt("f" * (MAX_PROMPT + 1))
        assert len(str(caught.value)) < 200
