"""Tables of `generate.py`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
# Heading, digits, and where the figure is.
COLUMNS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("reference, dB", 2, ("psnr", "reference")),
    ("freeze, dB", 2, ("psnr", "freeze")),
    ("freeze without warps, dB", 2, ("psnr", "freeze, no warps")),
    ("denoising error: clip", 2, ("denoising", "clip")),
    ("seen", 2, ("denoising", "seen")),
    ("side", 2, ("denoising", "side")),
    ("beyond", 2, ("denoising", "beyond")),
    ("labels: clip", 2, ("labels", "clip")),
    ("seen", 2, ("labels", "seen")),
    ("side", 2, ("labels", "side")),
    ("beyond", 2, ("labels", "beyond")),
    ("detail: seen", 2, ("detail", "seen")),
    ("side", 2, ("detail", "side")),
    ("beyond", 2, ("detail", "beyond")),
    ("flicker: clip", 2, ("flicker", "clip")),
    ("render", 2, ("flicker", "render")),
    ("arc, degrees", 0, ("coverage", "arc")),
    ("reach, degrees", 0, ("coverage", "reach")),
    ("memory, MB", 0, ("memory_mb",)),
    ("GPU, MB", 0, ("gpu_mb",)),
)


def value(row: Row, path: Sequence[str]) -> float | None:
    """The figure at a path of keys; None where the run has none."""
    found: Any = row
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def mean(rows: Sequence[Row], path: Sequence[str]) -> float | None:
    """Mean over the runs that have the figure."""
    known = [v for row in rows if (v := value(row, path)) is not None]
    return statistics.fmean(known) if known else None


def print_tables(rows: Sequence[Row]) -> None:
    """Quality by prompt (means over its seeds) and over all; seconds by stage; the worst runs."""
    groups = {prompt: [r for r in rows if r["prompt"] == prompt] for prompt in dict.fromkeys(r["prompt"] for r in rows)}
    for kind in dict.fromkeys(r["kind"] for r in rows):
        groups[f"all {kind}"] = [r for r in rows if r["kind"] == kind]
    groups["all"] = list(rows)
    columns = [c for c in COLUMNS if mean(rows, c[2]) is not None]
    print("\n| prompt | runs | " + " | ".join(head for head, *_ in columns) + " |")
    print("|" + " --- |" * (len(columns) + 2))
    for name, some in groups.items():
        cells = [_cell(mean(some, path), digits) for _, digits, path in columns]
        print(f"| {name} | {len(some)} | " + " | ".join(cells) + " |")
    _print_seconds(rows)
    _print_worst(rows)


def _cell(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:.{digits}f}"


def _print_seconds(rows: Sequence[Row]) -> None:
    print("\n| stage | seconds, median | longest |\n| --- | --- | --- |")
    for stage in dict.fromkeys(name for row in rows for name in row["seconds"]):
        took = [row["seconds"][stage] for row in rows if stage in row["seconds"]]
        print(f"| {stage} | {statistics.median(took):.1f} | {max(took):.1f} |")
    whole = [sum(row["seconds"].values()) for row in rows]
    print(f"| all | {statistics.median(whole):.1f} | {max(whole):.1f} |")


def _print_worst(rows: Sequence[Row]) -> None:
    """Three runs that are worst by two measures."""
    measures: dict[str, Callable[[Row], float]] = {
        "lowest freeze PSNR without warps, dB": lambda r: r["psnr"]["freeze, no warps"],
        "denoising error at the side least like the clip's, ratio": lambda r: -_strangeness(r),
    }
    for title, measure in measures.items():
        worst = sorted(rows, key=measure)[:3]
        told = "; ".join(f"{r['prompt']} (seed {r['seed']}) {abs(measure(r)):.2f}" for r in worst)
        print(f"\n{title}: {told}")


def _strangeness(row: Row) -> float:
    """Error at the side over the clip's; its inverse where it is smaller, since fog denoises too well."""
    ratio = row["denoising"]["side"] / max(row["denoising"]["clip"], 1e-6)
    return max(ratio, 1 / max(ratio, 1e-6))
