"""What drawing costs is known before it begins: the time left is right from the first minute."""

from __future__ import annotations

import pytest

from fourreal.stages.work import expected_seconds, planned


def test_a_run_draws_drafts_walks_that_are_tried_and_frozen_clips() -> None:
    work = planned(4, 5, 3, dynamic=True, chooses=True)
    assert work.tries == 5
    assert work.reference > 4
    assert 2 < work.frozen < work.reference, "frozen clips are chosen from half as many drafts"
    assert work.total == pytest.approx(work.reference + work.tries + 3 * work.frozen)


def test_a_model_without_a_critic_draws_each_clip_once() -> None:
    work = planned(4, 0, 3, dynamic=False, chooses=False)
    assert work.reference == work.tries == 0
    assert work.total == pytest.approx(3 * planned(1, 0, 1, dynamic=True, chooses=True).reference)


def test_more_coverage_and_more_takes_take_longer_and_half_a_run_less() -> None:
    whole = expected_seconds(4, 5, 180.0, 1, "both")
    assert expected_seconds(4, 5, 360.0, 1, "both") > whole < expected_seconds(4, 5, 180.0, 3, "both")
    assert expected_seconds(4, 0, 180.0, 1, "dynamic") < 0.5 * whole
    assert expected_seconds(4, 0, 180.0, 1, "freeze") < whole
