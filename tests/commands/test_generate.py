"""`4real generate`, `video`, `lift` and `resume`, with a model that knows one small world instead of a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from commands.painter import FITTED, PROMPT, QUIET, TINY, TWO_LINKS, Painter, log_of
from fourreal.commands.generate import drawn_settings, generate, resume
from fourreal.commands.lift import OwnClips, lift
from fourreal.commands.models import ModelOptions
from fourreal.commands.running import Drawing, Fitting, Showing
from fourreal.commands.settings import RecipeName
from fourreal.commands.video import video
from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.core.storage import read_json
from fourreal.core.video import Video
from fourreal.export.notes import making_of
from fourreal.export.outputs import OUTPUTS
from fourreal.io.video import read_video, write_video
from fourreal.run import RunError, open_run
from fourreal.video.choose import Models


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    model = Painter()
    monkeypatch.setattr(ModelOptions, "open", lambda *_, **__: Models(model, None))
    return model


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from a prompt to its page; tests take a copy."""
    run, model = tmp_path_factory.mktemp("generate") / "run", Painter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelOptions, "open", lambda *_, **__: Models(model, None))
        assert generate(PROMPT, run, None, TWO_LINKS, TINY, showing=QUIET) == 0
    assert len(model.seeds) == 3
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def stages_done(run: Path, since: int) -> list[str]:
    """Stages that worked, by the log from line `since` on."""
    return [row["stage"] for row in log_of(run)[since:] if row.get("doing") in ("starting", "going on")]


def log_length(run: Path) -> int:
    return len((run / "log.jsonl").read_text().splitlines())


def test_a_sentence_becomes_a_scene_and_a_page(run: Path) -> None:
    for name in (*OUTPUTS, "scene.safetensors", "motion.safetensors", "warp.safetensors", "videos/clips.png"):
        assert (run / name).stat().st_size > 0, name
    notes = read_json(run / "videos" / "videos.json")
    assert notes["prompt"] == PROMPT
    assert 0 <= notes["frozen_frame"] < 8
    freeze = read_video(run / "videos" / "freeze.mp4")
    assert len(freeze) == len(notes["camera_path"]) == 12
    report = read_json(run / "poses" / "report.json")
    assert (report["freeze_frame"], report["reference_frame"]) == (notes["canonical"], notes["frozen_frame"])
    assert "orbit" in report["freeze"]["method"]
    assert stages_done(run, 0) == ["videos", "poses", "canonical", "temporal", "detail", "outputs"]
    assert not (run / ".desk").exists()


def test_the_frozen_clip_turns_about_the_frozen_frame(run: Path) -> None:
    notes = read_json(run / "videos" / "videos.json")
    freeze, reference = (read_video(run / "videos" / f"{name}.mp4").frames for name in ("freeze", "reference"))
    same = (freeze - reference[notes["frozen_frame"]]).abs().mean((1, 2, 3))
    assert int(same.argmin()) == notes["canonical"]
    azimuth = [row[0] for row in notes["camera_path"]]
    assert azimuth[notes["canonical"]] == 0
    assert azimuth[0] < 0 < azimuth[-1]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ((), []),
        (("temporal.phases.motion.steps=7",), ["temporal", "detail"]),
        (("canonical.phases.coarse.steps=7",), ["canonical", "temporal", "detail"]),
    ],
)
def test_a_setting_redoes_only_what_depends_on_it(
    run: Path, painter: Painter, change: tuple[str, ...], again: list[str]
) -> None:
    before = log_length(run)
    generate(PROMPT, run, None, TWO_LINKS, Fitting(effort=0.004, set=(*FITTED.set, *change)), showing=QUIET)
    assert stages_done(run, before) == again
    assert painter.seeds == []


def test_the_stored_settings_repeat_the_run_bit_for_bit(run: Path, painter: Painter, tmp_path: Path) -> None:
    other = tmp_path / "again"
    assert generate(config=run / "config.json", out=other, fitting=Fitting(set=("until=detail",)), showing=QUIET) == 0
    for name in ("videos/freeze.mp4", "poses/cameras.json", "scene.safetensors", "motion.safetensors"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert read_json(run / "config.json") == read_json(other / "config.json") | {"until": "outputs"}


def test_a_stopped_run_goes_on_clip_by_clip_and_ends_alike(run: Path, painter: Painter, tmp_path: Path) -> None:
    def stop(number: int, clip: Tensor) -> Tensor:
        if number == 3:
            raise KeyboardInterrupt
        return clip

    painter.trick = stop
    half = tmp_path / "half"
    with pytest.raises(KeyboardInterrupt, match=f"go on with: 4real resume {half}"):
        generate(PROMPT, half, None, TWO_LINKS, FITTED, showing=QUIET)
    assert not (half / "videos" / "freeze.mp4").exists()
    assert resume(half, QUIET) == 0
    assert painter.seeds == [0, 1, 2, 2], "only the clip that was stopped is drawn again"
    assert (half / "scene.safetensors").read_bytes() == (run / "scene.safetensors").read_bytes()


def test_a_bad_clip_is_drawn_again_with_another_seed_and_the_notes_say_so(painter: Painter, tmp_path: Path) -> None:
    painter.trick = lambda number, clip: (clip + 0.4).clamp(0, 1) if number == 3 else clip
    assert video(PROMPT, tmp_path / "run", "both", TWO_LINKS, TINY, showing=QUIET) == 0
    assert painter.seeds == [0, 1, 2, 1002]
    first, second = read_json(tmp_path / "run" / "videos" / "videos.json")["links"]
    assert [bool(t["findings"]) for t in second["tries"]] == [True, False]
    assert second["seed"] == 1002
    assert [bool(t["findings"]) for t in first["tries"]] == [False]


def test_of_bad_tries_the_best_is_kept(painter: Painter, tmp_path: Path) -> None:
    tints = {3: 0.4, 4: 0.2, 5: 0.3}
    painter.trick = lambda number, clip: (clip + tints.get(number, 0.0)).clamp(0, 1)
    video(PROMPT, tmp_path / "run", "both", TWO_LINKS, TINY, showing=QUIET)
    assert read_json(tmp_path / "run" / "videos" / "videos.json")["links"][1]["seed"] == 1002


def test_of_several_takes_the_one_whose_frames_agree_is_kept_and_a_stopped_one_is_gone_on_with(
    painter: Painter, tmp_path: Path
) -> None:
    def torn(number: int, clip: Tensor) -> Tensor:
        if number == 5:  # the second clip of the second take
            raise KeyboardInterrupt
        apart = clip.clone()
        apart[1::2] = apart[1::2].roll(9, -1)  # every other frame has seen the subject elsewhere
        return clip if number in (1, 4, 6) else apart  # only the second take holds together

    painter.trick = torn
    run, often = tmp_path / "run", replace(TWO_LINKS, takes=3)
    fitting = replace(TINY, set=(*TINY.set, "videos.retries=0"))
    with pytest.raises(KeyboardInterrupt, match="4real resume"):
        video(PROMPT, run, "both", often, fitting, showing=QUIET)
    assert resume(run, QUIET) == 0
    assert painter.seeds == [0, 1, 2, 100_001, 100_002, 100_002, 200_001, 200_002]
    notes = read_json(run / "videos" / "videos.json")
    assert [take["kept"] for take in notes["takes"]] == [False, True, False]
    assert [link["seed"] for link in notes["links"]] == [100_001, 100_002]
    worth = [take["explained_db"] for take in notes["takes"]]
    assert worth[1] > 1 + max(worth[0], worth[2])
    with pytest.raises(FourRealError, match=r"--takes must lie in 1\.\.20, got 0"):
        video(PROMPT, tmp_path / "none", "both", replace(TWO_LINKS, takes=0), TINY, showing=QUIET)


def test_every_clip_is_drawn_from_the_seed_that_the_critic_likes_best(painter: Painter, tmp_path: Path) -> None:
    class Choosy(Painter):
        def likeness(self, text: Any, seeds: Sequence[int], **conditions: Any) -> list[float]:
            asked.append((text.context, list(seeds), conditions["known"] is not None, conditions["camera"] is not None))
            return [float(s // 10_000_000 == len(asked) % 2) for s in seeds]  # the second, then the first, ...

    asked: list[tuple[str, list[int], bool, bool]] = []
    painter.__class__ = Choosy
    painter.spec = replace(painter.spec, features=painter.spec.features | {"likeness"})
    sharpest = replace(TINY, set=(*TINY.set, "videos.candidates=1"))
    video(PROMPT, tmp_path / "run", "both", TWO_LINKS, sharpest, showing=QUIET)
    assert painter.seeds == [10_000_000, 1, 10_000_002]
    four = [0, 10_000_000, 20_000_000, 30_000_000]
    assert asked[0] == ("dynamic", four, False, False)
    assert asked[1] == ("freeze", [1, 10_000_001], True, True), "the frozen frame says more than noise does"
    notes = read_json(tmp_path / "run" / "videos" / "videos.json")
    assert [draft["kept"] for draft in notes["drafts"]] == [False, True, False, False]
    assert [d["kept"] for d in notes["links"][1]["tries"][0]["drafts"]] == [False, True]
    assert any("number 2 of 4 drafts" in words for _, words in making_of(notes))
    video(PROMPT, tmp_path / "one", "both", replace(TWO_LINKS, drafts=1), sharpest, showing=QUIET)
    assert painter.seeds[3:] == [0, 1, 2]
    assert len(asked) == 3
    with pytest.raises(FourRealError, match=r"--drafts must lie in 1\.\.100, got 0"):
        video(PROMPT, tmp_path / "none", "both", replace(TWO_LINKS, drafts=0), TINY, showing=QUIET)


def test_clips_may_be_replaced_between_drawing_and_lifting(painter: Painter, tmp_path: Path) -> None:
    run = tmp_path / "run"
    video(PROMPT, run, "both", TWO_LINKS, TINY, showing=QUIET)
    assert not (run / "poses").exists()
    drawn = read_video(run / "videos" / "freeze.mp4")
    write_video(run / "videos" / "freeze.mp4", Video(drawn.frames.flip(0), drawn.fps), crf=10)
    before = log_length(run)
    assert lift(run, fitting=FITTED, showing=QUIET) == 0
    assert stages_done(run, before) == ["poses", "canonical", "temporal", "detail"]
    report = read_json(run / "poses" / "report.json")
    notes = read_json(run / "videos" / "videos.json")
    assert report["freeze_frame"] == len(drawn) - 1 - notes["canonical"], "found by its looks, not by the notes"
    assert report["prior"] is None


def test_clips_of_ones_own_are_lifted(run: Path, tmp_path: Path) -> None:
    own = OwnClips(run / "videos" / "freeze.mp4", run / "videos" / "reference.mp4")
    assert lift(None, own, tmp_path / "lift", FITTED, QUIET) == 0
    assert (tmp_path / "lift" / "scene.safetensors").exists()
    assert resume(tmp_path / "lift", QUIET) == 0


def test_news_as_lines_of_json(run: Path, painter: Painter, capsys: pytest.CaptureFixture[str]) -> None:
    generate(PROMPT, run, None, TWO_LINKS, TINY, showing=Showing("cpu", json=True))
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows.pop()["run"] == str(run)
    assert [row["stage"] for row in rows] == ["videos", "poses", "canonical", "temporal", "detail", "outputs"]
    generate(PROMPT, run, None, TWO_LINKS, TINY, showing=QUIET)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": None}, "what shall it show"),
        ({"prompt": "  "}, "the prompt is empty"),
        ({"drawing": Drawing(coverage=400.0)}, r"--coverage must lie in 20..360 degrees, got 400"),
        ({"drawing": Drawing(coverage=90.0, camera="orbit 60 left")}, "--camera and --coverage"),
        ({"drawing": Drawing(camera="fly to the moon")}, "cannot read the camera move"),
        ({"drawing": Drawing(frame=99)}, r"--frame must lie in 0..7"),
        ({"drawing": Drawing(from_frame=Path("/nowhere/fox.png"))}, "fox.png does not exist; --from-frame"),
        ({"fitting": Fitting(effort=0.0)}, r"--effort must lie in \(0, 100\]"),
        ({"fitting": Fitting(set=("canonical.sedds=3",))}, r'no .sedds., only phases, seeds.*did you mean "seeds"'),
        ({"fitting": Fitting(set=("canonical.seeds=many",))}, r"canonical.seeds must be a whole number"),
        ({"fitting": Fitting(set=("canonical.seeds=0",))}, r"canonical.seeds must be at least 1"),
        ({"fitting": Fitting(set=("canonical",))}, "takes stage.field=value"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    painter: Painter, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    out = tmp_path / "run"
    with pytest.raises(FourRealError, match=words):
        generate(options.get("prompt", PROMPT), out, None, options.get("drawing", Drawing()),
                 options.get("fitting", Fitting()), showing=QUIET)  # fmt: skip
    assert not out.exists()
    assert painter.seeds == []


def test_a_repeated_run_takes_changes_by_name_only(run: Path, tmp_path: Path) -> None:
    for options in ({"prompt": PROMPT}, {"drawing": Drawing(seed=1)}, {"fitting": Fitting(effort=2.0)}):
        with pytest.raises(FourRealError, match=r"--set videos.seed=1"):
            generate(config=run / "config.json", out=tmp_path / "again", showing=QUIET, **options)
    assert not (tmp_path / "again").exists()


def test_lift_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(FourRealError, match="give the folder of a run"):
        lift()
    with pytest.raises(FourRealError, match=r"freeze.mp4 does not exist.*4real video"):
        lift(tmp_path)
    with pytest.raises(FourRealError, match=r"nothing.mp4 does not exist"):
        lift(clips=OwnClips(tmp_path / "nothing.mp4"), out=tmp_path / "out", showing=QUIET)
    assert not (tmp_path / "out").exists()


def test_a_run_in_use_is_refused(run: Path, painter: Painter) -> None:
    with open_run(run), pytest.raises(RunError, match="in use by process"):
        resume(run, QUIET)


def test_a_config_of_another_version_is_refused(run: Path) -> None:
    data = read_json(run / "config.json") | {"colour": "blue"}
    (run / "config.json").write_text(json.dumps(data))
    with pytest.raises(FourRealError, match=r"no 'colour'.*start a new one"):
        resume(run, QUIET)


def test_without_a_reference_the_scene_stands_still(run: Path, tmp_path: Path) -> None:
    assert lift(None, OwnClips(run / "videos" / "freeze.mp4"), tmp_path / "lift", FITTED, QUIET) == 0
    assert not (tmp_path / "lift" / "motion.safetensors").exists()
    assert Scene.load(tmp_path / "lift" / "scene.safetensors").n_times == 1


def test_a_preview_draws_fewer_drafts_unless_told() -> None:
    def drafts(recipe: RecipeName, drawing: Drawing) -> int:
        videos = drawn_settings(PROMPT, drawing, Fitting(recipe=recipe), ModelOptions()).videos
        assert videos is not None
        return videos.drafts

    assert [drafts(recipe, Drawing()) for recipe in ("preview", "default", "paper")] == [2, 4, 4]
    assert drafts("preview", Drawing(drafts=6)) == 6
