"""What a run folder says about itself. Every part may be missing, or made by hand: what cannot be read is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json

_CLIPS = {"ref": ("reference", "videos/reference.mp4"), "freeze": ("freeze", "videos/freeze.mp4")}


@dataclass(frozen=True)
class RunFacts:
    """Contents of the run's JSON files; empty where there are none.

    Attributes:
        folder: the run.
        videos: how the prompt was understood, seeds, camera path.
        poses: how the cameras were found: keys "freeze_frame", "reference_frame", "freeze" and so on.
        settings: the resolved configuration.
        seconds: by stage, in order.
        losses: by stage, then by term: (step, value) in order.
        evaluation: by group of held-out cameras: "psnr", "ssim", "frames".
        clips: files of the clips by camera group ("ref", "freeze").
    """

    folder: Path
    videos: Mapping[str, Any] = field(default_factory=dict)
    poses: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, Mapping[str, list[tuple[float, float]]]] = field(default_factory=dict)
    evaluation: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clips: Mapping[str, Path] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The prompt, or the folder's name."""
        return str(self.videos.get("prompt") or self.folder.resolve().name or "A 4D scene")


def read_facts(run: Path) -> RunFacts:
    """Everything that is there."""
    settings = _object(run / "config.json")
    manifest = _object(run / "manifest.json").get("stages")
    stages = manifest if isinstance(manifest, dict) else {}
    seconds = {k: v.get("seconds") for k, v in stages.items() if isinstance(v, dict)}
    evaluation = _object(run / "evaluation.json")
    return RunFacts(
        folder=run,
        videos=_object(run / "videos/videos.json") or _object(run / "videos.json"),
        poses=_object(run / "poses/report.json") or _object(run / "lift.json"),
        settings=settings,
        seconds={k: float(v) for k, v in seconds.items() if isinstance(v, (int, float))},
        losses=_curves(run) or _losses(run / "log.jsonl"),
        evaluation={k: v for k, v in evaluation.items() if isinstance(v, dict) and "psnr" in v},
        clips={group: path for group, names in _CLIPS.items() if (path := _clip(run, settings, *names))},
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except (FourRealError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _clip(run: Path, settings: Mapping[str, Any], key: str, usual: str) -> Path | None:
    """The clip in the run, or the user's own that the settings name."""
    given = [v for k, v in _leaves(settings) if k == key and isinstance(v, str)]
    candidates = [run / usual, *(path for text in given for path in (Path(text), run / text))]
    return next((path for path in candidates if path.exists()), None)


def _leaves(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    for key, value in data.items():
        out += _leaves(value) if isinstance(value, dict) else [(key, value)]
    return out


def _curves(run: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Curves from the reports of the fits."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for stage in ("canonical", "temporal", "detail"):
        rows = _object(run / stage / "report.json").get("curve")
        for row in rows if isinstance(rows, list) else ():
            losses = row.get("losses") if isinstance(row, dict) else None
            for name, value in losses.items() if isinstance(losses, dict) else ():
                if isinstance(value, (int, float)) and isinstance(row.get("step"), (int, float)):
                    curves.setdefault(stage, {}).setdefault(str(name), []).append((float(row["step"]), float(value)))
    return curves


def _losses(path: Path) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Curves of every stage that logged figures. A stage that was run again counts from its last start."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    count: dict[str, int] = {}
    if not path.is_file():
        return curves
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a killed run
        if not isinstance(row, dict):
            continue
        stage = str(row.get("stage") or row.get("phase") or "fit")
        if row.get("doing") == "starting":
            curves.pop(stage, None)
            count.pop(stage, None)
        terms = row.get("terms")
        count[stage] = count.get(stage, -1) + bool(terms)
        for name, value in terms.items() if isinstance(terms, dict) else ():
            if isinstance(value, (int, float)):
                curves.setdefault(stage, {}).setdefault(str(name), []).append((float(count[stage]), float(value)))
    return curves
