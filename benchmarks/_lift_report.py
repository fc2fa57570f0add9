"""Tables, pictures and the bookkeeping of `lift.py`."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fourreal.core.storage import write_json
from fourreal.stages.comparison import write_comparison
from fourreal.stages.trial import Filming, Lifted

Scores = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Setting:
    """What the command line says; see `lift.py --help`."""

    seeds: tuple[int, ...]
    filming: Filming
    effort: float
    gaussians: int
    device: torch.device
    pictures: Path | None = None
    spoils: tuple[str, ...] = ("warp",)
    strengths: tuple[float, ...] = (0.25, 0.5, 1.0)
    scenes: Path | None = None
    clips: Path | None = None
    weights: Path | None = None
    plain: bool = True
    fit_seed: int = 0
    methods: tuple[str, ...] | None = None
    json: Path | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def wants(self, method: str) -> bool:
        """Whether the command line asks for it."""
        return self.methods is None or method in self.methods

    def of(self, section: str) -> list[dict[str, Any]]:
        """The rows of a section."""
        return [r for r in self.rows if r["section"] == section]

    def note(self, section: str, case: str, method: str, scores: Scores, result: Lifted, **more: Any) -> None:
        """Keep the figures of one fit, print them, and write all there are so far."""
        row = {
            "section": section,
            "case": case,
            "method": method,
            "gaussians": len(result.splats.means),
            "seconds": round(result.seconds, 1),
            "memory_mb": memory(self.device),
            **more,
            "scores": {k: {m: round(v, 4) for m, v in part.items()} for k, part in scores.items()},
        }
        self.rows.append(row)
        self.write()
        figures = "  ".join(f"{k} {v['psnr']:.2f}" for k, v in scores.items())
        print(f"  {section} | {case[:40]} | {method} | {row['seconds']:.0f} s | {figures}", flush=True)

    def write(self) -> None:
        """The JSON file, if one is asked for."""
        if self.json is not None:
            write_json(self.json, {"rows": self.rows, "failed": self.failed})

    def picture(self, name: str, result: Lifted, truth: Mapping[str, Any], groups: Sequence[str], title: str) -> None:
        """Truth beside render: two pictures of each group."""
        if self.pictures is None:
            return
        wanted, made = [], []
        for group in groups:
            target = truth[group]
            rows = torch.linspace(0, len(target.cameras) - 1, 4).round().long()[1:3]
            wanted.append(target.images[rows].cpu())
            made.append(result.render(target.cameras[rows]).cpu())
        self.pictures.mkdir(parents=True, exist_ok=True)
        write_comparison(self.pictures / f"{name}.png", torch.cat(wanted), torch.cat(made), title)


def memory(device: torch.device) -> int:
    """Peak megabytes so far: of the GPU's allocations, or of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def medians(rows: Sequence[Mapping[str, Any]], groups: Sequence[str], measure: str = "psnr") -> list[float]:
    """Median over cases of each group."""
    return [statistics.median([r["scores"][g][measure] for r in rows if g in r["scores"]]) for g in groups]


def table(title: str, rows: Sequence[Mapping[str, Any]], groups: Sequence[str]) -> None:
    """Print a Markdown table: a row a method, medians over cases, with the spread of the first group."""
    if not rows:
        return
    print(f"\n{title}\n")
    print("| method | cases | " + " | ".join(f"{g}, dB" for g in groups) + " | SSIM " + groups[0] + " | lowest | s |")
    print("|" + " --- |" * (len(groups) + 5))
    for method in dict.fromkeys(r["method"] for r in rows):
        some = [r for r in rows if r["method"] == method]
        held = [g for g in groups if any(g in r["scores"] for r in some)]
        values = dict(zip(held, medians(some, held), strict=True))
        cells = [f"{values[g]:.2f}" if g in values else "" for g in groups]
        first = [r["scores"][groups[0]] for r in some if groups[0] in r["scores"]]
        like = statistics.median([s["ssim"] for s in first])
        seconds = statistics.median([r["seconds"] for r in some])
        low = min(s["psnr"] for s in first)
        print(f"| {method} | {len(some)} | " + " | ".join(cells) + f" | {like:.3f} | {low:.2f} | {seconds:.0f} |")
    print(flush=True)
