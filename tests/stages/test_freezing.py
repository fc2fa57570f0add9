"""Which frame is frozen: of a few sharp ones that whose walk a static scene explains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourreal.export.notes import making_of
from fourreal.stages.freezing import candidates, tries_frames, try_frames
from fourreal.video.oracle import OracleVideoModel
from fourreal.video.soundness import frame_scores


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 8))
def test_the_frames_tried_are_the_best_that_lie_apart(scores: list[float], count: int) -> None:
    found = candidates(torch.tensor(scores), count)
    assert found[0] == max(range(len(scores)), key=lambda i: torch.tensor(scores)[i])
    assert 1 <= len(found) <= count
    assert all(abs(a - b) >= 3 for i, a in enumerate(found) for b in found[:i])
    if len(found) < count:  # nothing was left that lies apart from all
        assert all(min(abs(i - f) for f in found) < 3 for i in range(len(scores)))


class _Torn(OracleVideoModel):
    """Of all frames but one it draws walks that do not hold together: every second picture is a negative."""

    whole: torch.Tensor
    walks: list[dict[str, Any]]

    def generate(self, text: Any, **options: Any) -> torch.Tensor:
        clip = super().generate(text, **options)
        if options.get("known") is None:
            return clip
        self.walks.append(options)
        if torch.equal(options["known"].frames[0], self.whole):
            return clip
        return torch.where((torch.arange(len(clip)) % 2 == 0)[:, None, None, None], clip, 1 - clip)


@pytest.fixture
def torn() -> _Torn:
    return _Torn(5, frames=10, size=(72, 128), score_size=(36, 64))


def test_the_frame_is_frozen_whose_walk_holds_together(torn: _Torn) -> None:
    torn.walks = []
    clip = torn.generate(torn.encode_text("anything"))
    torn.whole = clip[candidates_of(clip)[2]]
    told: list[tuple[int, int]] = []
    text = torn.encode_text("anything", context="freeze")
    tried = try_frames(torn, text, clip, candidates_of(clip), seed=8, on_try=lambda *v: told.append(v))
    assert [one["frame"] for one in tried] == candidates_of(clip)
    assert [one["kept"] for one in tried] == [False, False, True]
    assert tried[2]["explained_db"] > 2 + max(tried[0]["explained_db"], tried[1]["explained_db"])
    assert told == [(1, 3), (2, 3), (3, 3)]
    walk = torn.walks[0]
    azimuth = walk["camera"].values[:, 0] - walk["camera"].values[walk["known"].indices[0], 0]
    assert walk["size"] == (36, 64)
    assert azimuth[0] < -1 < 0.9 < azimuth[-1], "to both sides of the frame"
    words = [line for _, line in making_of({"prompt": "a fox", "frames_tried": tried})]
    assert any(f"round frame {tried[0]['frame']} ({tried[0]['explained_db']:.1f} dB)" in line for line in words)


def test_frames_that_are_as_good_are_taken_by_sharpness(torn: _Torn) -> None:
    model = OracleVideoModel(torn.worlds, frames=10, size=(72, 128), score_size=(36, 64))
    clip = model.generate(model.encode_text("anything"))
    still = clip[candidates_of(clip)[0]].expand_as(clip) * torch.linspace(0.999, 1, 10)[:, None, None, None]
    tried = try_frames(model, model.encode_text("anything", context="freeze"), still, candidates_of(still))
    assert [one["kept"] for one in tried] == [True, False, False]


def test_only_models_that_draw_small_are_asked(torn: _Torn) -> None:
    assert not tries_frames(torn.spec)
    assert tries_frames(replace(torn.spec, features=torn.spec.features | {"likeness"}))


def candidates_of(clip: torch.Tensor) -> list[int]:
    return candidates(frame_scores(clip), 3)
