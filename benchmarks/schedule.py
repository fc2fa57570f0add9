"""Where the time of a fit goes, phase by phase: a recipe's whole schedule, and a naive loop beside it.

    python benchmarks/schedule.py --device cuda --recipe paper --size 512                 # minutes on a GPU
    python benchmarks/schedule.py --device cuda --recipe paper --size 512 --naive --effort 0.01 --gaussians 50000
    python benchmarks/schedule.py --device cuda --recipe paper --size 512 --teacher Wan2.1-1.3B  # with its scores
    python benchmarks/schedule.py --recipe default --size 128 --effort 0.1                # on a CPU, to try it

16 + 32 frames of a judged world, known cameras. `--effort` shortens every phase; "whole" is what all steps would take
at the rate that each phase had, so a shortened run, whose scene has grown less, is a little too fast: start it from as
many Gaussians as a whole run ends with. Seeding counts once, and is in the total; making the world is not.

The naive loop is the paper's table in the way that is written down first: one image a step (both clips have one each in
the phases that need both), all Gaussians deformed in float32 for each, nothing recorded, and a wait for the device at
each image. `--images` says how many images a step has else (`fit.phases.batched`; the steps are as many fewer).
`--eager` only leaves the recording (CUDA graphs) away.

Without `--teacher` there are no scores, though the paper's phases for them are gone through. With one, scores are drawn
as in a run, at every step of those phases: milliseconds of a step include one. Its weights are random, so that scores
hardly count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from _lift_report import memory
from _schedule_parts import Clocks, make_eager, make_naive
from _schedule_teacher import add_arguments, faint, scores_of, teacher_of

from fourreal.core.storage import write_json
from fourreal.fit.loop import Progress
from fourreal.fit.phases import Phase
from fourreal.recipes import canonical_default, canonical_paper, temporal_default, temporal_paper
from fourreal.stages.canonical import CanonicalConfig, fit_canonical
from fourreal.stages.temporal import TemporalConfig, fit_temporal
from fourreal.stages.trial import JUDGED, Filming, judge, lifted, world_case


@dataclass
class Clock:
    """Seconds and Gaussians of each phase, as the fit reports them (it waits for the device when it does)."""

    last: float
    seconds: dict[str, float]
    gaussians: dict[str, int]

    def __call__(self, news: Progress) -> None:
        """Note what has passed since the last report."""
        now = time.perf_counter()
        if news.phase not in self.seconds:
            print(f"  {news.phase} ...", flush=True)
        self.seconds[news.phase] = self.seconds.get(news.phase, 0.0) + now - self.last
        self.gaussians[news.phase] = news.gaussians
        self.last = now


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=("default", "paper"), default="paper")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=512, help="width; the height is 9/16 of it")
    parser.add_argument("--effort", type=float, default=1.0, help="factor on the steps")
    parser.add_argument(
        "--images", type=int, nargs=2, default=(4, 2), metavar=("FROZEN", "MOVING"),
        help="images a step of the paper's stages: 1 or even",
    )  # fmt: skip
    parser.add_argument("--gaussians", type=int, default=20_000, help="to start from")
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--seed", type=int, default=1, help="judged world")
    parser.add_argument("--json", type=Path)
    add_arguments(parser)
    args = parser.parse_args(arguments)
    device, clocks = torch.device(args.device), Clocks(torch.device(args.device))
    if args.naive:
        make_naive()
    elif args.eager:
        make_eager()
    clocks.watch()
    case = world_case(JUDGED + args.seed, Filming(args.size, 2 * round(args.size * 9 / 32)), device)
    teacher = teacher_of(args)
    images = (1, 1) if args.naive else args.images
    first, second = tables(args.recipe, args.effort, images, guided=teacher is not None)
    field: Literal["nodes", "mlp"] = "mlp" if args.recipe == "paper" else "nodes"
    begun = time.perf_counter()
    clock = Clock(begun, {}, {})
    state = fit_canonical(
        case.clips, CanonicalConfig(first, args.gaussians, field=field), device, teacher=teacher, on_progress=clock
    )
    frozen = judge(lifted(state, case.clips, 0.0), case)["frozen"]["psnr"]
    clock.last = time.perf_counter()
    state = fit_temporal(
        case.clips, state.gaussians(), state.modules, TemporalConfig(second, field=field), teacher=teacher,
        on_progress=clock,
    )  # fmt: skip
    scores = judge(lifted(state, case.clips, 0.0), case)
    seeding = clocks.seconds.get("seeding", 0.0)
    clock.seconds[first[0].name] -= seeding
    rows = [row(p, clock, args.effort) for p in (*first, *second)]
    seconds, whole = (seeding + sum(r[k] for r in rows) for k in ("seconds", "whole"))
    how = "naive" if args.naive else "eager" if args.eager else "recorded"
    print(f"\n{args.recipe}, {args.size} wide, effort {args.effort:g}, {how}, {case.name}")
    print("\n| phase | steps | images a step | scores | ms a step | Gaussians | s | whole, s |\n" + "| --- " * 8 + "|")
    for r in rows:
        print("| " + " | ".join(str(v) for v in r.values()) + " |")
    print(f"\n{clocks}")
    figures = "  ".join(f"{k} {v['psnr']:.2f}" for k, v in scores.items())
    print(f"{seconds:.1f} s; whole {whole:.0f} s; peak memory {memory(device)} MiB")
    print(f"PSNR {figures}; frozen before the motion {frozen:.2f}", flush=True)
    if args.json is not None:
        said = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
        found = {"seconds": seconds, "whole": whole, "rows": rows, "parts": clocks.seconds, "calls": clocks.calls}
        write_json(args.json, {**said, **found, "frozen": frozen, "scores": scores})


def tables(
    recipe: str, effort: float, images: Sequence[int], *, guided: bool = False
) -> tuple[tuple[Phase, ...], tuple[Phase, ...]]:
    """Both stages' phases; only the paper's schedule is told how many images a step has."""
    if recipe == "default":
        both = canonical_default(effort, guided=guided), temporal_default(effort, guided=guided)
    else:
        both = (
            canonical_paper(effort, guided=guided, images=images[0]),
            temporal_paper(effort, guided=guided, images=images[1]),
        )
    return tuple(map(faint, both[0])), tuple(map(faint, both[1]))


def row(phase: Phase, clock: Clock, effort: float) -> dict[str, Any]:
    """What a phase took, and would take at effort 1. (Its first steps load kernels.)"""
    seconds = clock.seconds[phase.name]
    return {
        "phase": phase.name,
        "steps": phase.steps,
        "images": phase.views + phase.frames,
        "scores": scores_of(phase),
        "ms": round(1000 * seconds / phase.steps, 2),
        "gaussians": clock.gaussians[phase.name],
        "seconds": round(seconds, 1),
        "whole": round(seconds / effort, 1),
    }


if __name__ == "__main__":
    main()
