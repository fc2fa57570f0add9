"""The paper's schedule is the paper's, and parts can be left out one by one."""

from __future__ import annotations

import dataclasses

import pytest

from fourreal.core.errors import FieldError
from fourreal.recipes import Ablations, canonical_default, canonical_paper, temporal_default, temporal_paper


def test_the_papers_numbers() -> None:
    canonical, temporal = canonical_paper(guided=True), temporal_paper(guided=True)
    assert [p.steps * (p.views + p.frames) for p in canonical] == [3000, 15_000, 5000]
    assert [p.steps * (p.views + p.frames) for p in temporal] == [10_000, 5000, 5000]
    assert {p.views + p.frames for p in (*canonical, temporal[0])} == {1}
    assert canonical[0].rates["means"].start == 1.6e-4
    assert canonical[-1].rates["means"].end == pytest.approx(1.6e-6)
    assert canonical[0].rates["means"].end == pytest.approx(canonical[1].rates["means"].start)
    weights = [p.guidance.weight for p in (*canonical, *temporal) if p.guidance is not None]
    assert weights == [5.0, 20.0]
    assert [p.hold for p in temporal] == [False, True, False]


@pytest.mark.parametrize("images", [2, 4, 8, 16])
def test_several_images_a_step_are_as_many_in_all(images: int) -> None:
    """Rates by the root, averages that forget as much by the image, and growth that has seen as many views."""
    for make in (canonical_paper, temporal_paper):
        for one, many in zip(make(), make(images=images), strict=True):
            factor = images / (one.views + one.frames)
            assert many.views + many.frames == images
            assert many.steps * images == pytest.approx(one.steps * (one.views + one.frames), abs=images / 2)
            for name, rate in one.rates.items():
                assert many.rates[name].start == pytest.approx(factor**0.5 * rate.start)
                assert many.rates[name].end == pytest.approx(factor**0.5 * rate.end)
            assert many.betas == pytest.approx([b**factor for b in one.betas])
            assert many.losses == one.losses
            if many.growth is not None and one.growth is not None:
                assert many.growth.every == max(25, 100 // images)
                assert many.growth.grad_threshold == one.growth.grad_threshold


def test_a_phase_of_pairs_has_no_odd_number_of_frames() -> None:
    with pytest.raises(FieldError, match=r"Phase\.frames must be 1 or even"):
        temporal_paper(images=3)


@pytest.mark.parametrize("part", [f.name for f in dataclasses.fields(Ablations)])
def test_every_part_can_be_left_out_by_itself(part: str) -> None:
    less = dataclasses.replace(Ablations(), **{part: False})
    for canonical, temporal in ((canonical_default, temporal_default), (canonical_paper, temporal_paper)):
        whole = (*canonical(guided=True), *temporal(guided=True))
        without = (*canonical(parts=less, guided=True), *temporal(parts=less, guided=True))
        assert without != whole


def test_without_a_teacher_no_phase_is_guided() -> None:
    for phases in (canonical_default(), temporal_default(), canonical_paper(), temporal_paper()):
        assert all(p.guidance is None for p in phases)


def test_small_clips_are_never_shrunk_by_the_limit_and_large_ones_end_at_their_own_size() -> None:
    phases = (*canonical_default(), *temporal_default())
    assert [p.shrink_of(144, 256) for p in phases] == [p.shrink for p in phases]
    large = [p.shrink_of(288, 512) for p in phases]
    assert large[0] == 4
    assert {p.name for p, factor in zip(phases, large, strict=True) if factor == 1} == {"detail", "joint detail"}
    assert all(p.shrink_of(288, 512) == 1 for p in (*canonical_paper(), *temporal_paper()))
