"""Run folders: stages with fingerprints, skipped where they are done, published whole, resumed where they were stopped.

The only place that knows about resuming. A stage works at a desk of its own (`RUN/.desk/NAME-FINGERPRINT`). When it is
done its files are moved into the run and the manifest is written last, so that a manifest entry says that the files are
whole. A stopped stage leaves its desk; the same work, and only the same, goes on from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fourreal.core.digest import digest
from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json, write_json
from fourreal.io.images import write_image
from fourreal.stages.news import Desk, News

CONFIG, MANIFEST, LOG, DESK = "config.json", "manifest.json", "log.jsonl", ".desk"
PROGRESS = "progress"  # folder of pictures of how it looks at the moment
_LOCK, _OWNER = ".lock", ".owner.json"

StageNews = Callable[["Stage", News], None]


class RunError(FourRealError, RuntimeError):
    """A run cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        name: unique in the run.
        settings: what decides the result, as JSON has it.
        inputs: files and folders that decide the result, by name; those of a run are read when the stage's turn comes.
        outputs: files that must be there when it is done, relative to the run.
        work: does it, at a desk.
        seconds: it takes about, to say how much time is left.
        editable: its files may be replaced by hand; what comes after is then done again, not the stage itself.
        advice: what to lower where memory runs out.
        version: raised when the same settings come to mean another result.
    """

    name: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Path]
    outputs: tuple[str, ...]
    work: Callable[[Desk, Callable[[News], None]], None]
    seconds: float = 60.0
    editable: bool = False
    advice: str = ""
    version: int = 1

    def fingerprint(self) -> str:
        """A short hash of everything that decides the result."""
        inputs = {name: digest(path) for name, path in sorted(self.inputs.items())}
        text = json.dumps([self.version, self.name, self.settings, inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Done:
    """What the manifest says of a stage: fingerprint, hash of each file, seconds it took."""

    fingerprint: str
    files: Mapping[str, str]
    seconds: float = 0.0


@dataclass
class Run:
    """A run folder, held by this process. Made by `open_run`."""

    folder: Path
    stages: dict[str, Done] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> Run:
        """What the manifest of a folder says, without holding it."""
        return cls(folder, _read_manifest(folder / MANIFEST))

    def execute(self, stages: Sequence[Stage], on_news: StageNews) -> None:
        """Bring all stages up to date, in order.

        Raises:
            RunError: where disk or memory run out, or a stage leaves something undone.
            KeyboardInterrupt: when interrupted; its text says how to go on.
        """
        for stage in stages:
            try:
                self._bring_up_to_date(stage, on_news)
            except KeyboardInterrupt:
                raise KeyboardInterrupt(f"go on with: 4real resume {self.folder}") from None
            except Exception as error:
                told = explained(error, stage, self.folder)
                if told is None:
                    raise
                raise RunError(told) from error

    def is_done(self, stage: Stage) -> bool:
        """Whether the stage's files are there and belong to its settings and inputs."""
        done = self.stages.get(stage.name)
        if done is None or done.fingerprint != stage.fingerprint():
            return False
        if not all((self.folder / name).is_file() for name in (*done.files, *stage.outputs)):
            return False
        return stage.editable or not self.edited(stage.name)

    def edited(self, name: str) -> list[str]:
        """Files of a stage that are no longer as it left them."""
        done = self.stages.get(name)
        files = {} if done is None else done.files
        return [f for f, known in files.items() if (self.folder / f).is_file() and digest(self.folder / f) != known]

    def _bring_up_to_date(self, stage: Stage, on_news: StageNews) -> None:
        if self.is_done(stage):
            edited = self.edited(stage.name)
            note = f"; {', '.join(edited)} replaced by hand, and taken as it is" if edited else ""
            self._tell(stage, News(f"{stage.name}: nothing to do{note}", "done", 1.0), on_news)
            return
        begun = time.monotonic()
        desk = self._desk(stage)
        again = any(desk.scratch.iterdir())
        self._tell(stage, News(doing="going on" if again else "starting", share=0.0), on_news)
        stage.work(desk, lambda news: self._tell(stage, news, on_news))
        self._publish(stage, desk, time.monotonic() - begun, on_news)
        self._tell(stage, News(doing="done", share=1.0), on_news)

    def _desk(self, stage: Stage) -> Desk:
        """The stage's desk, with what a stopped attempt at the same left on it; others' desks are cleared away."""
        place = self.folder / DESK / f"{stage.name}-{stage.fingerprint()}"
        for other in place.parent.glob(f"{stage.name}-*"):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)
        shutil.rmtree(place / "out", ignore_errors=True)
        for part in ("out", "scratch"):
            (place / part).mkdir(parents=True, exist_ok=True)
        return Desk(self.folder, place / "out", place / "scratch")

    def _publish(self, stage: Stage, desk: Desk, seconds: float, on_news: StageNews) -> None:
        made = sorted(str(p.relative_to(desk.out)) for p in desk.out.rglob("*") if p.is_file())
        missing = [name for name in stage.outputs if name not in made]
        if missing:
            raise RunError(f"the stage {stage.name} left {', '.join(missing)} unwritten; this is a bug")
        files = {name: digest(desk.out / name) for name in made}
        for name in self.edited(stage.name) if stage.editable else []:
            kept = _beside(self.folder / name)
            (self.folder / name).replace(kept)
            self._tell(stage, News(f"{name} was replaced by hand; it is kept as {kept.name}"), on_news)
        before = self.stages.pop(stage.name, None)
        self._save()
        for name in made:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (desk.out / name).replace(self.folder / name)
        for name in () if before is None else set(before.files) - set(made):
            (self.folder / name).unlink(missing_ok=True)
        self.stages[stage.name] = Done(stage.fingerprint(), files, round(seconds, 2))
        self._save()
        shutil.rmtree(desk.out.parent, ignore_errors=True)
        if not any(desk.out.parent.parent.iterdir()):
            desk.out.parent.parent.rmdir()

    def _save(self) -> None:
        rows = {k: {"fingerprint": d.fingerprint, "seconds": d.seconds, "files": dict(d.files)}
                for k, d in self.stages.items()}  # fmt: skip
        write_json(self.folder / MANIFEST, {"version": 1, "stages": rows})

    def _tell(self, stage: Stage, news: News, on_news: StageNews) -> None:
        row = {"at": round(time.time(), 2), "stage": stage.name, "doing": news.doing, "share": news.share}
        row |= {"text": news.text, "terms": {k: float(f"{v:.6g}") for k, v in news.terms.items()}}
        if news.picture is not None:
            for name in (stage.name, "latest"):
                write_image(self.folder / PROGRESS / f"{name}.png", news.picture.clamp(0, 1))
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({k: v for k, v in row.items() if v not in ("", None, {})}) + "\n")
        on_news(stage, news)


@contextmanager
def open_run(folder: Path, config: Mapping[str, Any] | None = None) -> Iterator[Run]:
    """Hold a run folder: made if it is missing, locked against other processes until the end.

    Args:
        folder: the run; empty, missing, or an earlier run.
        config: the resolved settings, stored in `config.json`; None leaves what is there.

    Raises:
        RunError: if another process holds it, it cannot be written, or it holds something else.
    """
    _check_folder(folder)
    fresh = not folder.exists()
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(_lock(folder))
            if config is not None:
                write_json(folder / CONFIG, config)
        except OSError as error:
            if fresh:
                shutil.rmtree(folder, ignore_errors=True)
            why = error.strerror or error
            raise RunError(f"cannot write to {folder}: {why}; choose another folder (--out)") from None
        yield Run.at(folder)


def _check_folder(folder: Path) -> None:
    if folder.is_file():
        raise RunError(f"{folder} is a file; a run needs a folder")
    own = (MANIFEST, CONFIG, "videos", "lift.json", "cache", _LOCK)  # cache: of text embeddings, before anything else
    if folder.is_dir() and any(folder.iterdir()) and not any((folder / name).exists() for name in own):
        raise RunError(f"{folder} holds other things and no run; choose an empty or a new folder (--out)")


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. The system frees it when its holder ends, however that is, so locks never go stale."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{folder} is in use{_owner(folder)}; wait for it, or choose another folder (--out)") from None
    try:
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        write_json(folder / _OWNER, owner)
        yield
    finally:
        (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    try:
        owner = read_json(folder / _OWNER)
        return f" by process {owner['pid']} on {owner['host']} since {owner['since']}"
    except (FourRealError, KeyError, TypeError, OSError):
        return " by another process"


def _read_manifest(path: Path) -> dict[str, Done]:
    """What is done; a manifest that cannot be read counts as none, so that everything is done again."""
    try:
        stages = read_json(path)["stages"]
        return {k: Done(str(v["fingerprint"]), dict(v["files"]), float(v["seconds"])) for k, v in stages.items()}
    except (FourRealError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def read_config(folder: Path) -> dict[str, Any]:
    """The stored settings of a run. Raises `RunError` if there are none."""
    path = folder / CONFIG if folder.is_dir() else folder
    if not path.is_file():
        raise RunError(f"{folder} holds no run: {path} does not exist; start one with `4real generate`")
    config = read_json(path)
    if not isinstance(config, dict):
        raise RunError(f"{path} must hold a JSON object with the settings of a run, got {type(config).__name__}")
    return config


def explained(error: Exception, stage: Stage, folder: Path) -> str | None:
    """What a failure of the machine means for the user, or None if it is no such failure."""
    go_on = f"what was finished is safe; then go on with: 4real resume {folder}"
    words = f"{type(error).__name__} {error}".lower()
    if (
        isinstance(error, MemoryError)
        or "out of memory" in words
        or "outofmemory" in words
        or "can't allocate" in words
    ):
        return f"the stage {stage.name} ran out of memory. Lower {stage.advice or 'its sizes'} ({go_on})"
    if "no space left" in words or "disk full" in words or "quota exceeded" in words or _is_full(folder):
        return f"the disk of {folder} is full during the stage {stage.name}. Make room: {go_on}"
    if isinstance(error, OSError) and not isinstance(error, FourRealError):
        return f"the stage {stage.name} cannot write or read {error.filename or folder}: {error.strerror}. {go_on}"
    return None


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < 1 << 16
    except OSError:
        return False


def _beside(path: Path) -> Path:
    """A free name such as freeze.kept-1.mp4."""
    for number in range(1, 10_000):
        kept = path.with_name(f"{path.stem}.kept-{number}{path.suffix}")
        if not kept.exists():
            return kept
    raise RunError(f"there are too many kept versions of {path}; delete some")
