"""The runs of `generate.py`: each is `4real generate` in its own process; what is finished is not done again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _generate_prompts import Prompt

from fourreal.commands.device import DeviceName
from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json, write_json

VERSION = 1  # raised when the same run comes to have other figures
_CHILD = Path(__file__).with_name("_generate_child.py")


@dataclass(frozen=True)
class Options:
    """What the command line says of the runs.

    Attributes:
        out: folder that holds runs, figures and sheets.
        recipe, effort, device, coverage, weights, changes: as `4real generate` has them.
        classifier: file of the judge, if there is one.
        again: measure finished runs again.
    """

    out: Path
    recipe: str = "default"
    effort: float = 1.0
    device: DeviceName = "auto"
    coverage: float | None = None
    weights: Path | None = None
    changes: tuple[str, ...] = ()
    classifier: Path | None = None
    again: bool = False


@dataclass(frozen=True)
class Job:
    """A prompt with a seed, and where its files are."""

    prompt: Prompt
    seed: int
    options: Options

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{self.prompt.name}-seed{self.seed}"

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.options.out / "runs" / self.name

    @property
    def sheet(self) -> Path:
        """Its contact sheet."""
        return self.options.out / "sheets" / f"{self.name}.jpg"

    @property
    def figures(self) -> Path:
        """What was measured, with the settings it was measured with."""
        return self.options.out / "figures" / f"{self.name}.json"

    def key(self) -> dict[str, Any]:
        """What decides its figures, as JSON has it."""
        o = self.options
        return {
            "version": VERSION,
            "prompt": self.prompt.text,
            "seed": self.seed,
            "recipe": o.recipe,
            "effort": o.effort,
            "device": o.device,
            "coverage": o.coverage,
            "weights": None if o.weights is None else str(o.weights.absolute()),
            "set": list(o.changes),
            "classifier": None if o.classifier is None else str(o.classifier.absolute()),
        }

    def command(self) -> list[str]:
        """The words after `4real`."""
        o = self.options
        words = ["generate", self.prompt.text, "--out", str(self.run), "--seed", str(self.seed), "--quiet"]
        words += ["--recipe", o.recipe, "--effort", str(o.effort), "--device", o.device]
        words += [] if o.coverage is None else ["--coverage", str(o.coverage)]
        words += [] if o.weights is None else ["--weights", str(o.weights)]
        return [*words, *(word for change in o.changes for word in ("--set", change))]


def figures_of(job: Job, measure: Callable[[Job], dict[str, Any]]) -> dict[str, Any]:
    """The figures of a job: the stored ones, or those of its run, which is made or finished first.

    The pipeline is asked even for a run that was finished but not measured, which costs seconds: it alone knows.

    Raises:
        FourRealError: if the run fails; with what it said.
    """
    stored = stored_figures(job)
    if stored is not None and not job.options.again:
        return stored
    begun = time.monotonic()
    memory = _carry_out(job)
    print(f"  {job.name}: run {time.monotonic() - begun:.0f} s, measuring", flush=True)
    figures = {"prompt": job.prompt.text, "kind": job.prompt.kind, "seed": job.seed, **measure(job), **memory}
    write_json(job.figures, {"key": job.key(), "figures": figures})
    return figures


def stored_figures(job: Job) -> dict[str, Any] | None:
    """The figures of a job that was finished and measured with the same settings, else None."""
    stored: dict[str, Any] = {}
    with suppress(FourRealError, OSError):
        stored = read_json(job.figures)
    return stored["figures"] if stored.get("key") == job.key() and job.sheet.exists() else None


def _carry_out(job: Job) -> dict[str, float]:
    """Bring the run up to date; its peak memory so far, over all processes that worked on it."""
    notes = job.options.out / "memory" / f"{job.name}.json"
    before = _memory(notes)
    command = [sys.executable, str(_CHILD), str(notes), *job.command()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.communicate()[1]
        except KeyboardInterrupt:  # it was interrupted too, and leaves a run that can go on
            process.wait()
            raise
    highest = {k: max(v, before.get(k, 0.0)) for k, v in {**before, **_memory(notes)}.items()}
    write_json(notes, highest)
    if process.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise FourRealError(f"4real generate ended with {process.returncode}: {lines[-1] if lines else 'no word'}")
    return highest


def _memory(path: Path) -> dict[str, float]:
    try:
        return {k: float(v) for k, v in read_json(path).items()}
    except (FourRealError, OSError):
        return {}


def stage_seconds(run: Path) -> dict[str, float]:
    """Seconds of each stage, by the run's manifest."""
    return {k: float(v["seconds"]) for k, v in read_json(run / "manifest.json")["stages"].items()}
