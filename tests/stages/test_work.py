"""What drawing costs is known before it begins: the time left is right from the first minute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fourreal.commands.settings import drawing_seconds
from fourreal.stages.videos import VideosConfig, check_videos, planned_work
from fourreal.stages.work import planned
from fourreal.video.base import VideoModelSpec


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
    round_it = planned_work(config, 7, tries=True, chooses=True, circles=True).seconds
    assert seconds(7) < round_it < 4 * seconds(7), "three circles and their fits"
    assert seconds(frame=3) == seconds(candidates=1) < whole, "a frame that is told is not looked for"


def test_who_turns_is_frozen_from_all_sides_unless_told_otherwise() -> None:
    able = VideoModelSpec(
        "a model", frozenset({"text", "first_frame", "frames", "prefix"}), 16, (36, 64), (36, 64), 3, 8.0, ""
    )
    unable = replace(able, features=able.features - {"frames"})

    def degrees(spec: VideoModelSpec = able, turns: bool = True, **changed: Any) -> float:
        return check_videos(replace(VideosConfig("a cat"), **changed), spec, turns=turns).degrees

    assert degrees() == 360
    assert degrees(turns=False) == pytest.approx(180)
    assert degrees(coverage=90.0) == pytest.approx(90)
    assert degrees(camera="orbit 60 left") == pytest.approx(60)
    assert degrees(which="freeze") == pytest.approx(180), "no clip shows the other sides"
    assert degrees(unable) == pytest.approx(180), "the circle cannot be closed"
