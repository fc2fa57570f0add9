"""The report says what was asked for and what came out, and makes do with what there is."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from fourreal.export import Lifted, read_lifted, write_report
from fourreal.export.advice import Advice, advise
from fourreal.export.charts import bar_chart, camera_plan, line_chart
from fourreal.export.coverage import COVERAGE, find_coverage, seen_share
from fourreal.export.facts import read_facts
from fourreal.export.notes import making_of

from .conftest import CPU


@pytest.fixture(scope="module")
def report(run: Path, lifted: Lifted, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, lifted, run, coverage=find_coverage(run, lifted))
    return path.read_text("utf-8")


def words(report: str) -> str:
    """What a reader reads."""
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", report, flags=re.DOTALL)
    return re.sub(r"\s+", " ", text)


def test_it_tells_the_prompt_the_cameras_the_times_and_the_settings(report: str) -> None:
    text = words(report)
    assert "three balls &lt;swinging&gt; over a floor &amp; a {{ sky }}" in text
    assert "understood as ball, swinging" in text
    assert "orbit, 7 of 7 frames, points fit to 0.40 px" in text
    assert "one step is four times as long as the others" in text
    assert "200.0 s" not in text
    assert "3.3 min" in text
    assert "&#34;recipe&#34;: &#34;preview&#34;" in text
    assert "from 30° on the left to 30° on the right of the reference camera" in text
    assert "The camera may leave the clips" in text


def test_it_compares_the_clips_with_the_scene(report: str) -> None:
    text = words(report)
    found = {name: float(v) for name, v in re.findall(r"(Reference|Freeze-time) clip clip scene ([\d.]+) dB", text)}
    assert set(found) == {"Reference", "Freeze-time"}
    # The clips are renders with a fixed noise of 0.02, which is 34 dB; the freeze-time frames are bent besides.
    assert 32 < found["Reference"] < 36
    (undone,) = re.findall(r"([\d.]+) dB where each frame may bend the scene", text)
    assert 32 < float(undone) < 36
    assert found["Freeze-time"] < float(undone) - 1


def test_it_needs_nothing_but_itself(report: str) -> None:
    assert not re.findall(r"""(?:src)\s*=\s*["'](?!data:)|https?://""", report)
    assert report.count("data:video/mp4") >= 2


def test_it_advises_by_what_went_wrong(report: str) -> None:
    text = words(report)
    assert "The cameras look doubtful: one step is four times as long as the others" in text
    assert "Only 60° are covered" in text


def test_a_bare_scene_gets_a_report_too(still: Path, tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", read_lifted(still, CPU), still)
    text = words((tmp_path / "report.html").read_text("utf-8"))
    for part in ("understood as", "Held-out", "Where the time went", "All settings", "How the cameras were found"):
        assert part not in text
    assert "with a reference clip of the action (--reference) it moves" in text


def test_damaged_notes_are_passed_over(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    for name in ("config.json", "manifest.json", "poses/report.json", "videos/videos.json"):
        (copy / name).write_text("[1, 2")
    (copy / "evaluation.json").write_text('{"heldout0": {"frames": 4, "psnr": 21.5, "ssim": 0.8}}')
    (copy / "videos" / "reference.mp4").write_bytes(b"no clip")
    write_report(tmp_path / "report.html", read_lifted(copy, CPU), copy)
    text = words((tmp_path / "report.html").read_text("utf-8"))
    assert "heldout0 4 21.50 dB 0.800" in text
    assert "Reference clip" not in text


def test_clips_of_ones_own_are_found_by_the_settings(still: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(still, folder)
    clip = run / "videos" / "freeze.mp4"
    (folder / "config.json").write_text(json.dumps({"lift": {"freeze": str(clip), "reference": None}}))
    assert read_facts(folder).clips == {"freeze": clip}


def test_curves_of_a_stage_that_ran_again_begin_anew(tmp_path: Path) -> None:
    rows = [
        {"stage": "a", "terms": {"l2": 1.0}},
        {"stage": "a", "doing": "starting"},
        {"stage": "a", "terms": {"l2": 2.0}},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read_facts(tmp_path).losses == {"a": {"l2": [(0.0, 2.0)]}}


def test_charts_are_empty_without_points_and_hold_what_they_are_given() -> None:
    assert line_chart({}) == ""
    assert line_chart({"a": [(0.0, 1.0)]}) == ""
    assert bar_chart([]) == ""
    drawn = line_chart({"a<b": [(0, 1.0), (1, 0.1)], "c": [(0, 1.0), (1, float("nan")), (2, 0.5), (3, -1.0)]}, log=True)
    assert "a&lt;b" in drawn
    assert "nan" not in drawn
    assert drawn.count("<polyline") == 2


def test_the_plan_shows_every_camera(lifted: Lifted) -> None:
    plan = camera_plan(lifted, [0.5] * 12)
    assert plan.count("freeze frame") == len(lifted.walk)
    assert plan.count("of the picture is filled") == 12


def test_a_stored_coverage_is_taken_and_an_unfit_one_is_not(
    run: Path, lifted: Lifted, still: Path, tmp_path: Path
) -> None:
    found = find_coverage(run, lifted)
    share = seen_share(found)
    assert share.min() >= 0
    assert share.max() == 1
    dataclasses.replace(found, reach=dict.fromkeys(found.reach, 35.0)).save(tmp_path / COVERAGE)
    assert find_coverage(tmp_path, lifted).reach["up"] == 35.0
    few = {name: getattr(found, name)[:5] for name in ("freeze_views", "reference_frames")}
    few |= {name: getattr(found, name)[:5] for name in ("freeze_weight", "reference_weight")}
    dataclasses.replace(found, **few).save(tmp_path / COVERAGE)
    assert len(find_coverage(tmp_path, lifted).freeze_views) == len(lifted.scene.gaussians)
    (tmp_path / COVERAGE).write_bytes(b"damaged")
    assert len(find_coverage(tmp_path, lifted).freeze_views) == len(lifted.scene.gaussians)


def test_nothing_is_wrong_and_yet_there_is_something_to_do() -> None:
    good = Advice(Path("my run"), 180.0, {"ref": 33.0, "freeze": 31.0}, [], "a fox", 180.0, True)
    tips = advise(good)
    assert [tip.command for tip in tips] == ["4real view 'my run'", "4real export 'my run' --to ply"]
    poor = Advice(Path("r"), 60.0, {"ref": 20.0, "freeze": 12.0}, [], "a fox", 60.0, True)
    assert any("--effort 2" in tip.words for tip in advise(poor))
    assert any("disagree" in tip.words for tip in advise(poor))
    assert any(tip.command == "4real generate 'a fox' --coverage 180" for tip in advise(poor))
    short = dataclasses.replace(poor, asked=180.0)
    assert any("asked to go round 180° and went 60°" in tip.words for tip in advise(short))


def test_pieces_that_were_drawn_again_are_told() -> None:
    tries = [{"seed": 1, "findings": ["the colours drift by 0.20"]}, {"seed": 1001, "findings": []}]
    links = [{"frames": [8, 9, 10], "seed": 1001, "tries": tries}, {"frames": [3, 2], "seed": 2, "tries": tries[:1]}]
    lines = making_of({"prompt": "a fox", "model": "m", "seed": 0, "frozen_frame": 4, "links": links})
    assert ("ok", "freeze-time frames 8 to 10: sound; 2 tries, seed 1001 was kept") in lines
    assert ("tried", "seed 1 was dropped: the colours drift by 0.20") in lines
    takes = [{"take": 1, "explained_db": 21.1, "kept": False}, {"take": 2, "explained_db": 24.5, "kept": True}, None]
    told = making_of({"prompt": "a fox", "takes": takes})
    assert [kind for kind, _ in told] == ["head", "tried", "ok"]
    assert "24.5 dB of it; it was kept" in told[2][1]
    assert making_of({}) == []
    assert making_of({"prompt": "a fox", "links": [None, {}, {"frames": [], "tries": 3}]}) == [("head", "Seed None")]


def test_curves_of_the_fits_are_taken_from_their_reports(tmp_path: Path) -> None:
    (tmp_path / "temporal").mkdir()
    curve = [{"phase": "motion", "step": 50, "losses": {"l1": 0.1}}, {"step": "x", "losses": {"l1": 1}}, None]
    (tmp_path / "temporal" / "report.json").write_text(json.dumps({"gaussians": 3, "curve": curve}))
    assert read_facts(tmp_path).losses == {"temporal": {"l1": [(50.0, 0.1)]}}
