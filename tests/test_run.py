"""A run folder: what is done is not done again, what was stopped goes on, and nothing half done looks whole."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fourreal.run import CONFIG, DESK, LOG, MANIFEST, Run, RunError, Stage, open_run, read_config
from fourreal.stages.news import Desk, News, Tell

Work = Callable[[Desk, Tell], None]


class Kitchen:
    """A run of three stages, each of which writes its settings after what it reads, and counts its work."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.worked, self.heard = folder, [], []
        self.settings: dict[str, object] = {"dough": 1, "bake": 1, "serve": 1}

    def stages(self, **works: Work) -> list[Stage]:
        out, before = [], {}
        for name in self.settings:
            out.append(
                Stage(
                    name, {"v": self.settings[name]}, dict(before), (f"{name}.txt",),
                    works.get(name, self._work(name, dict(before))), editable=name == "dough",
                )
            )  # fmt: skip
            before = {name: self.folder / f"{name}.txt"}
        return out

    def _work(self, name: str, inputs: dict[str, Path]) -> Work:
        def work(desk: Desk, tell: Tell) -> None:
            self.worked.append(name)
            read = "".join(path.read_text() for path in inputs.values())
            (desk.out / f"{name}.txt").write_text(f"{read}{name}{self.settings[name]} ")
            tell(News("half way", share=0.5, terms={"l1": 0.25}))

        return work

    def go(self, **works: Work) -> list[str]:
        self.worked = []
        with open_run(self.folder, {"any": "thing"}) as run:
            run.execute(self.stages(**works), lambda stage, news: self.heard.append((stage.name, news)))
        return self.worked


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path / "run")


def stop(error: BaseException) -> Work:
    def work(desk: Desk, tell: Tell) -> None:
        (desk.out / "dough.txt").write_text("half")
        raise error

    return work


def test_what_is_done_is_not_done_again(kitchen: Kitchen) -> None:
    assert kitchen.go() == ["dough", "bake", "serve"]
    assert (kitchen.folder / "serve.txt").read_text() == "dough1 bake1 serve1 "
    assert kitchen.go() == []
    assert any("nothing to do" in news.text for _, news in kitchen.heard)


@pytest.mark.parametrize(("changed", "again"), [("dough", 3), ("bake", 2), ("serve", 1)])
def test_a_setting_redoes_only_what_depends_on_it(kitchen: Kitchen, changed: str, again: int) -> None:
    kitchen.go()
    kitchen.settings[changed] = 2
    assert kitchen.go() == ["dough", "bake", "serve"][-again:]
    assert kitchen.go() == []


def test_a_change_without_effect_is_not_passed_on(kitchen: Kitchen) -> None:
    kitchen.go()
    kitchen.settings["bake"] = 2

    def same(desk: Desk, tell: Tell) -> None:
        kitchen.worked.append("bake")
        (desk.out / "bake.txt").write_text("dough1 bake1 ")

    assert kitchen.go(bake=same) == ["bake"]


def test_a_file_replaced_by_hand_is_used_and_kept(kitchen: Kitchen) -> None:
    kitchen.go()
    (kitchen.folder / "dough.txt").write_text("better dough ")
    assert kitchen.go() == ["bake", "serve"]
    assert (kitchen.folder / "serve.txt").read_text() == "better dough bake1 serve1 "
    assert any("replaced by hand" in news.text for _, news in kitchen.heard)
    kitchen.settings["dough"] = 2
    assert kitchen.go() == ["dough", "bake", "serve"]
    assert (kitchen.folder / "dough.kept-1.txt").read_text() == "better dough "


def test_a_damaged_or_missing_result_is_made_again(kitchen: Kitchen) -> None:
    kitchen.go()
    (kitchen.folder / "bake.txt").write_text("mould")
    assert kitchen.go() == ["bake"]
    (kitchen.folder / "serve.txt").unlink()
    assert kitchen.go() == ["serve"]
    (kitchen.folder / MANIFEST).write_text("{ not json")
    assert kitchen.go() == ["dough", "bake", "serve"]


def test_an_interrupted_stage_publishes_nothing_and_goes_on_from_its_desk(kitchen: Kitchen) -> None:
    def some(desk: Desk, tell: Tell) -> None:
        (desk.scratch / "crumbs").write_text("so far")
        stop(KeyboardInterrupt())(desk, tell)

    with pytest.raises(KeyboardInterrupt, match=f"go on with: 4real resume {kitchen.folder}"):
        kitchen.go(dough=some)
    assert not (kitchen.folder / "dough.txt").exists()
    found = []

    def rest(desk: Desk, tell: Tell) -> None:
        found.append((desk.scratch / "crumbs").read_text())
        assert not list(desk.out.iterdir()), "half written files are gone"
        (desk.out / "dough.txt").write_text("whole ")

    assert kitchen.go(dough=rest) == ["bake", "serve"]
    assert found == ["so far"]
    assert not (kitchen.folder / DESK).exists()


def test_scratch_of_other_settings_is_not_gone_on_from(kitchen: Kitchen) -> None:
    def some(desk: Desk, tell: Tell) -> None:
        assert not list(desk.scratch.iterdir())
        (desk.scratch / "crumbs").write_text("so far")
        raise KeyboardInterrupt

    for value in (1, 2):
        kitchen.settings["dough"] = value
        with pytest.raises(KeyboardInterrupt):
            kitchen.go(dough=some)
    assert len(list((kitchen.folder / DESK).iterdir())) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), r"ran out of memory.*4real resume"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), r"ran out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), r"ran out of memory"),
        (OSError(errno.ENOSPC, "No space left on device"), r"disk of .* is full.*4real resume"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), r"disk of .* is full"),
        (OSError(errno.EROFS, "Read-only file system", "x.mp4"), r"cannot write or read x.mp4: Read-only"),
    ],
)
def test_failures_of_the_machine_say_what_to_do_and_lose_nothing(
    kitchen: Kitchen, error: Exception, words: str
) -> None:
    with pytest.raises(RunError, match=words):
        kitchen.go(bake=stop(error))
    assert kitchen.go() == ["bake", "serve"], "what was finished is safe"


def test_bugs_stay_bugs(kitchen: Kitchen) -> None:
    with pytest.raises(ZeroDivisionError):
        kitchen.go(bake=stop(ZeroDivisionError()))


def test_a_disk_that_fills_up_while_results_are_published(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen.go()
    kitchen.settings["bake"] = 2
    real = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name == "bake.txt":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(RunError, match="disk"):
            kitchen.go()
    assert "bake" not in json.loads((kitchen.folder / MANIFEST).read_text())["stages"], "not taken for done"
    assert kitchen.go() == ["bake", "serve"]
    assert (kitchen.folder / "serve.txt").read_text() == "dough1 bake2 serve1 "


def test_the_log_tells_the_story(kitchen: Kitchen) -> None:
    kitchen.go()
    rows = [json.loads(line) for line in (kitchen.folder / LOG).read_text().splitlines()]
    assert {"stage": "bake", "terms": {"l1": 0.25}, "text": "half way", "share": 0.5}.items() <= rows[4].items()
    assert [row["doing"] for row in rows if row["stage"] == "serve" and "doing" in row] == ["starting", "done"]
    assert read_config(kitchen.folder) == {"any": "thing"}


def test_pictures_on_the_way_are_files(kitchen: Kitchen) -> None:
    def shown(desk: Desk, tell: Tell) -> None:
        tell(News(picture=torch.rand(3, 4, 6)))
        (desk.out / "bake.txt").write_text("x")

    kitchen.go(bake=shown)
    assert (kitchen.folder / "progress" / "bake.png").stat().st_size > 0
    assert (kitchen.folder / "progress" / "latest.png").stat().st_size > 0


HOLD = """
import sys, time
from pathlib import Path
from fourreal.run import Stage, open_run
folder = Path(sys.argv[1])
def work(desk, tell):
    (desk.out / "a.txt").write_text("half")
    (desk.scratch / "units").write_text("one")
    print("working", flush=True)
    time.sleep(60)
with open_run(folder, {}) as run:
    run.execute([Stage("a", {}, {}, ("a.txt",), work)], lambda *_: None)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    """A process in the middle of a stage of tmp_path/run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    return process


def test_a_second_process_is_refused_until_the_first_is_gone_however_it_went(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=rf"in use by process {holder.pid} on .*another folder"):  # noqa: SIM117
        with open_run(tmp_path / "run"):
            pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    done = []

    def work(desk: Desk, tell: Tell) -> None:
        done.append((desk.scratch / "units").read_text())
        (desk.out / "a.txt").write_text("whole")

    with open_run(tmp_path / "run", {}) as run:
        assert not (tmp_path / "run" / "a.txt").exists()
        run.execute([Stage("a", {}, {}, ("a.txt",), work)], lambda *_: None)
    assert done == ["one"]
    assert (tmp_path / "run" / "a.txt").read_text() == "whole"


def test_folders_that_are_no_runs_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name, words in (("thesis", "holds other things"), ("file", "is a file"), ("file/run", "cannot write to")):
        with pytest.raises(RunError, match=words):  # noqa: SIM117
            with open_run(tmp_path / name, {}):
                pass
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("fourreal.run.write_json", refused)
    with pytest.raises(RunError, match=r"cannot write to .*Read-only file system.*--out"):  # noqa: SIM117
        with open_run(tmp_path / "run", {}):
            pass
    assert not (tmp_path / "run").exists(), "nothing is left behind"


def test_no_run_no_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run.*4real generate"):
        read_config(tmp_path)


def test_inputs_count_by_content(tmp_path: Path) -> None:
    stage = Stage("a", {}, {"folder": tmp_path / "in"}, (), lambda *_: None)
    (tmp_path / "in").mkdir()
    empty = stage.fingerprint()
    (tmp_path / "in" / "w").write_bytes(b"1")
    first = stage.fingerprint()
    (tmp_path / "in" / "w").touch()
    os.utime(tmp_path / "in" / "w", (time.time() + 9, time.time() + 9))
    assert stage.fingerprint() == first != empty
    assert not Run.at(tmp_path).is_done(stage)
    assert CONFIG == "config.json"
