"""What drawing costs is known before it begins: the time left is right from the first minute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fourreal.commands.settings import drawing_seconds
from fourreal.stages.videos import VideosConfig, planned_work
from fourreal.stages.work import planned


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
    config = VideosConfig("a fox")

    def seconds(links: int = 3, **changed: Any) -> float:
        return planned_work(replace(config, **changed), links, tries=True, chooses=True).seconds

    whole = seconds()
    assert seconds(7) > whole < seconds(takes=3)
    assert drawing_seconds(replace(config, coverage=360.0)) > drawing_seconds(config) == whole
    assert seconds(which="dynamic") < 0.5 * whole
    assert seconds(which="freeze") < whole
    assert seconds(frame=3) == seconds(candidates=1) < whole, "a frame that is told is not looked for"
