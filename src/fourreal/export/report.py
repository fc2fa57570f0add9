"""`report.html`: what was asked for, what came out, and how far to trust it, in one file that needs no network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourreal.core.errors import FourRealError
from fourreal.core.storage import atomic_path
from fourreal.core.video import Video
from fourreal.fit.coverage import Coverage
from fourreal.io.frames import resize
from fourreal.io.video import read_video
from fourreal.metrics import psnr

from .advice import Advice, advise
from .charts import bar_chart, camera_plan, line_chart
from .coverage import filled_ring, render_coverage
from .facts import RunFacts, read_facts
from .films import covered_arc
from .lifted import Lifted, load_warp
from .notes import CLIP_NAMES, making_of, pose_lines
from .pictures import clip_uri, picture_uri, side_by_side

_STEPS = 24  # directions looked at for the ring of the plan
_NOT_LOSSES = ("gaussians", "psnr", "learning_rate")


@dataclass(frozen=True, eq=False)
class ClipCheck:
    """A clip beside the scene seen from its cameras.

    Attributes:
        group: "ref" or "freeze".
        psnr: of each frame, dB.
        undone: the same with each frame's own inconsistency (the warp of the canonical stage) put back; empty where the
            run has none.
        frames: [F, 3, H, 2W + 2] the clip and the render in a row.
    """

    group: str
    psnr: list[float]
    undone: list[float]
    frames: Tensor

    @property
    def mean(self) -> float:
        """Mean PSNR in dB."""
        return sum(self.psnr) / len(self.psnr)


def write_report(path: Path, lifted: Lifted, run: Path, *, coverage: Coverage | None = None) -> None:
    """Write the report of the run folder `run`, atomically. Parts that the run does not have are left out.

    Args:
        path: the HTML file; it links to scene.html and films that lie beside it.
        lifted: the scene of the run.
        run: where clips and notes are read.
        coverage: how often the clips show each Gaussian, and how far the camera may go.
    """
    from jinja2 import Environment

    facts = read_facts(run)
    checks = [check for group in ("ref", "freeze") if (check := compare_clip(lifted, facts, group))]
    ring = filled_ring(lifted, _STEPS)
    template = (files("fourreal.export") / "player" / "report.html.j2").read_text("utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    text = page.render(
        title=facts.title,
        understood=_understood(facts),
        tiles=_tiles(lifted, checks),
        hero=_hero(path, lifted),
        links=_links(path),
        making=making_of(facts.videos),
        clips=[_clip_part(check, lifted.scene.fps) for check in checks],
        evaluation=_evaluation(facts),
        plan=camera_plan(lifted, ring),
        reach=_reach(lifted, coverage),
        poses=pose_lines(facts.poses),
        coverage=_coverage_pictures(lifted, coverage),
        losses=_loss_charts(facts),
        timings=bar_chart([(name, value, _duration(value)) for name, value in facts.seconds.items()]),
        settings=_settings(facts),
        advice=advise(_advice(lifted, facts, checks)),
        run=str(run),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def compare_clip(lifted: Lifted, facts: RunFacts, group: str) -> ClipCheck | None:
    """The clip of a camera group beside renders; None where there is no such clip, or it does not fit the cameras."""
    cameras = lifted.scene.cameras.get(group)
    if cameras is None or group not in facts.clips or not len(cameras):
        return None
    try:
        clip = read_video(facts.clips[group], max_frames=len(cameras) + 1)
    except FourRealError:
        return None
    if len(clip) != len(cameras):
        return None
    if (clip.height, clip.width) != (cameras.height, cameras.width):
        clip = Video(resize(clip, cameras.height, cameras.width).frames.clamp(0, 1), clip.fps)
    images = lifted.render(cameras)
    warp = load_warp(facts.folder, lifted) if group == "freeze" else None
    undone = [] if warp is None else psnr(lifted.render_warped(cameras, warp), clip.frames).tolist()
    return ClipCheck(group, psnr(images, clip.frames).tolist(), undone, side_by_side(clip.frames, images))


def _understood(facts: RunFacts) -> str:
    """How the prompt was understood, a sentence without a full stop; "" if that is not known."""
    words = str(facts.videos.get("understood") or "")
    return words if words.startswith("understood") or not words else f"understood as {words}"


def _tiles(lifted: Lifted, checks: list[ClipCheck]) -> list[tuple[str, str]]:
    """Figures of the head: value and what it is."""
    scene, (low, high) = lifted.scene, covered_arc(lifted)
    tiles = [(f"{len(scene.gaussians):,}".replace(",", "\u202f"), "Gaussians")]
    if lifted.motion is not None:
        tiles.append((f"{(scene.n_times - 1) / scene.fps:.1f} s", f"{scene.n_times} moments"))
    tiles.append((f"{high - low:.0f}°", "walked round"))
    tiles += [(f"{check.mean:.1f} dB", f"{CLIP_NAMES[check.group].lower()} matched") for check in checks]
    return tiles


def _hero(path: Path, lifted: Lifted) -> str:
    """The orbit: the film beside the report if it is there, else a picture."""
    film = path.parent / "orbit.mp4"
    if film.is_file():
        clip = read_video(film)
        return clip_uri(clip.frames, clip.fps, crf=20)
    return picture_uri(lifted.render(lifted.home)[0])


def _links(path: Path) -> list[tuple[str, str]]:
    names = {
        "scene.html": "Open the 4D player",
        "orbit.mp4": "orbit",
        "time.mp4": "time, fixed camera",
        "study.mp4": "study path",
    }
    return [(name, words) for name, words in names.items() if (path.parent / name).is_file()]


def _clip_part(check: ClipCheck, fps: float) -> dict[str, Any]:
    worst = min(range(len(check.psnr)), key=check.psnr.__getitem__)
    series = {"scene": check.psnr, "with warp": check.undone}
    points = {name: [(float(i), v) for i, v in enumerate(values)] for name, values in series.items()}
    words = f"{check.mean:.1f} dB on average; least in frame {worst}: {check.psnr[worst]:.1f} dB"
    if check.undone:
        words += f". {sum(check.undone) / len(check.undone):.1f} dB where each frame may bend the scene (its warp): "
        words += "the difference is how much the clip's frames disagree with each other"
    return {
        "name": CLIP_NAMES[check.group],
        "uri": clip_uri(check.frames, fps),
        "chart": line_chart(points, unit=" dB", across="frame", ends=("0", str(len(check.psnr) - 1))),
        "words": f"{words}.",
        "note": "These frames were fitted: this says how well the clip is explained, not how the scene looks elsewhere",
    }


def _evaluation(facts: RunFacts) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, row in facts.evaluation.items():
        similarity = row.get("ssim")
        text = f"{similarity:.3f}" if isinstance(similarity, (int, float)) else ""
        rows.append((name, str(row.get("frames", "")), f"{float(row['psnr']):.2f} dB", text))
    return rows


def _reach(lifted: Lifted, coverage: Coverage | None) -> str:
    angles = lifted.angles(lifted.walk)
    low, high = (float(v) for v in torch.aminmax(angles[:, 0]))
    down, up = (float(v) for v in torch.aminmax(angles[:, 1]))
    if high - low < 1:
        return "All cameras look from one direction: what lies behind the surfaces they see is unknown."
    side = f"from {abs(low):.0f}° on the left to {abs(high):.0f}° on the right" if low < 0 < high else (
        f"from {low:.0f}° to {high:.0f}° to the right"
    )  # fmt: skip
    tilt = "" if up - down < 3 else f", {down:.0f}° to {up:.0f}° in height"
    beyond = "Farther on you see surfaces that no frame shows."
    if coverage is not None:
        words = coverage.words()
        beyond = f"{words[0].upper()}{words[1:]}."
    return f"The clips show the scene {side} of the reference camera{tilt}. {beyond}"


def _coverage_pictures(lifted: Lifted, coverage: Coverage | None) -> list[tuple[str, str]]:
    """(picture, caption): the scene coloured by how much the clips show, from three directions."""
    if coverage is None:
        return []
    picks = [("from the first frame", lifted.walk[0]), ("from the reference camera", lifted.home)]
    picks.append(("from the last frame", lifted.walk[len(lifted.walk) - 1]))
    return [(picture_uri(render_coverage(lifted, cameras, coverage)[0]), words) for words, cameras in picks]


def _loss_charts(facts: RunFacts) -> list[tuple[str, str]]:
    charts = []
    for stage, terms in facts.losses.items():
        shown = {k: v for k, v in terms.items() if k not in _NOT_LOSSES}
        quality = [(x, -10 * math.log10(y)) for x, y in shown.get("l2", ()) if y > 0]
        if quality:
            charts.append((f"{stage}: PSNR of the fitted pictures", line_chart({"PSNR": quality}, unit=" dB")))
        charts.append((f"{stage}: losses", line_chart(shown, log=True, across="step", ends=_first_last(shown))))
    return [(name, chart) for name, chart in charts if chart]


def _first_last(curves: Mapping[str, list[tuple[float, float]]]) -> tuple[str, str]:
    steps = [x for points in curves.values() for x, _ in points]
    return (f"{min(steps):.0f}", f"{max(steps):.0f}") if steps else ("", "")


def _settings(facts: RunFacts) -> str:
    return json.dumps(facts.settings, indent=2, ensure_ascii=False) if facts.settings else ""


def _advice(lifted: Lifted, facts: RunFacts, checks: list[ClipCheck]) -> Advice:
    low, high = covered_arc(lifted)
    quality = {check.group: check.mean for check in checks}
    doubts = [words for severity, words in pose_lines(facts.poses) if severity in ("suspect", "wrong")]
    asked = facts.videos.get("coverage")
    return Advice(
        run=facts.folder,
        arc=high - low,
        quality=quality,
        doubts=doubts,
        prompt=str(facts.videos.get("prompt") or ""),
        asked=float(asked) if isinstance(asked, (int, float)) else 0.0,
        moving=lifted.motion is not None,
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.1f} min"
