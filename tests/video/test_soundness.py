"""Bad clips of frozen time are found without truth, good ones pass, and the frame to freeze is a good one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fourreal.video.oracle import OracleVideoModel
from fourreal.video.soundness import choose_frame, examine, frame_scores, subject_share


@pytest.fixture(scope="module")
def orbit() -> Tensor:
    """A true clip of frozen time, [16, 3, 36, 64]."""
    model = OracleVideoModel(3, size=(36, 64), score_size=(36, 64))
    return model.generate(model.encode_text("x", context="freeze"))


def test_true_frozen_time_is_sound(orbit: Tensor) -> None:
    sound = examine(orbit[:8], orbit[8:])
    assert not sound.findings
    assert sound.badness == 0


def test_colours_that_drift_are_found(orbit: Tensor) -> None:
    tint = torch.linspace(0, 0.25, 8)[:, None, None] * torch.ones(8, 36, 64)
    spoiled = orbit[8:].clone()
    spoiled[:, 0] = (spoiled[:, 0] + tint).clamp(0, 1)
    sound = examine(orbit[:8], spoiled)
    assert ["drift" in words for words in sound.findings] == [True]
    assert sound.badness > 0


def test_motion_in_frozen_time_is_found(orbit: Tensor) -> None:
    restless = orbit[8:].clone()
    restless[::2] = restless[::2].roll(6, -1)
    assert any("frozen time moves" in words for words in examine(orbit[:8], restless).findings)


def test_a_lost_subject_is_found(orbit: Tensor) -> None:
    gone = orbit[8:].clone()
    gone[-1] = gone[-1, :, :, :4].mean(-1, keepdim=True)  # rows of the background's colours
    assert any("subject is lost" in words for words in examine(orbit[:8], gone).findings)


def test_worse_clips_have_more_badness(orbit: Tensor) -> None:
    worst, bad = ((orbit[8:] + tint).clamp(0, 1) for tint in (0.5, 0.2))
    assert examine(orbit[:8], worst).badness > examine(orbit[:8], bad).badness > 0


def test_a_single_known_frame_says_nothing_about_motion(orbit: Tensor) -> None:
    sound = examine(orbit[:1], orbit[1:])
    assert sound.liveliness != sound.liveliness
    assert not sound.findings


def test_a_sharp_frame_with_its_subject_in_view_is_frozen(orbit: Tensor) -> None:
    clip = orbit[:1].repeat(5, 1, 1, 1)
    blurred = F.avg_pool2d(clip, 5, 1, 2, count_include_pad=False)
    hidden = clip.clone()
    hidden[..., 16:48] = hidden[..., :4].mean(-1, keepdim=True)
    frames = torch.stack([blurred[0], hidden[1], clip[2], blurred[3], hidden[4]])
    assert choose_frame(frames) == 2
    assert frame_scores(frames).argmax() == 2


def test_the_share_of_the_subject_falls_with_its_size() -> None:
    frames = torch.full((3, 3, 36, 64), 0.5)
    for i, half in enumerate((2, 5, 9)):
        frames[i, 0, 18 - half : 18 + half, 32 - half : 32 + half] = 1.0
    share = subject_share(frames)
    expected = torch.tensor([(2.0 * h) ** 2 / (36 * 32) for h in (2, 5, 9)])
    torch.testing.assert_close(share, expected)
    assert float(subject_share(torch.rand(1, 3, 8, 8))) >= 0, "tiny pictures pass"
