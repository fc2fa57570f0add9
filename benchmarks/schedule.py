"""Where the time of a fit goes, phase by phase: a recipe's whole schedule without scores, and a naive loop beside it.

    python benchmarks/schedule.py --device cuda --recipe paper --size 512                 # minutes on a GPU
    python benchmarks/schedule.py --device cuda --recipe paper --size 512 --naive --effort 0.02
    python benchmarks/schedule.py --recipe default --size 128 --effort 0.1                # on a CPU, to try it

16 + 32 frames of a judged world, known cameras. `--effort` shortens every phase; "whole" is what all steps would take
at the rate that each phase had, so a shortened run, whose scene has grown less, is a little too fast.

The naive loop takes the same steps in the way that is written down first: a deformation and a rendering for each image
by itself, nothing recorded, and the loss read after each step. `--eager` only leaves the recording (CUDA graphs) away.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from _lift_report import memory
from torch import Tensor

from fourreal.core.record import Recorder
from fourreal.core.storage import write_json
from fourreal.deform.base import Offsets
from fourreal.deform.mlp import MlpField
from fourreal.deform.nodes import NodeField
from fourreal.fit.loop import Progress
from fourreal.fit.phases import Phase
from fourreal.raster import select
from fourreal.raster.base import Rendering, Splats, Views
from fourreal.recipes import canonical_default, canonical_paper, temporal_default, temporal_paper
from fourreal.stages import canonical, temporal
from fourreal.stages.canonical import CanonicalConfig, fit_canonical
from fourreal.stages.temporal import TemporalConfig, fit_temporal
from fourreal.stages.trial import JUDGED, Filming, judge, lifted, world_case

RECIPES = {"default": (canonical_default, temporal_default, "nodes"), "paper": (canonical_paper, temporal_paper, "mlp")}


@dataclass
class Clock:
    """Seconds and Gaussians of each phase, as the fit reports them (it waits for the device when it does)."""

    last: float
    seconds: dict[str, float]
    gaussians: dict[str, int]

    def __call__(self, news: Progress) -> None:
        """Note what has passed since the last report."""
        now = time.perf_counter()
        self.seconds[news.phase] = self.seconds.get(news.phase, 0.0) + now - self.last
        self.gaussians[news.phase] = news.gaussians
        self.last = now


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="paper")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=512, help="width; the height is 9/16 of it")
    parser.add_argument("--effort", type=float, default=1.0, help="factor on the steps")
    parser.add_argument("--images", type=int, default=1, help="factor on the images a step; steps are fewer")
    parser.add_argument("--gaussians", type=int, default=20_000, help="to start from")
    parser.add_argument("--naive", action="store_true")
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--seed", type=int, default=1, help="judged world")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)
    if args.naive or args.eager:
        Recorder.run = eager  # type: ignore[method-assign]
    if args.naive:
        make_naive()
    device = torch.device(args.device)
    case = world_case(JUDGED + args.seed, Filming(args.size, 2 * round(args.size * 9 / 32)), device)
    first, second, field = RECIPES[args.recipe]
    phases = [tuple(batched(p, args.images) for p in make(args.effort)) for make in (first, second)]
    field = cast("Literal['nodes', 'mlp']", field)
    begun = time.perf_counter()
    clock = Clock(begun, {}, {})
    state = fit_canonical(
        case.clips, CanonicalConfig(phases[0], args.gaussians, field=field), device, on_progress=clock
    )
    state = fit_temporal(
        case.clips, state.gaussians(), state.modules, TemporalConfig(phases[1], field=field), on_progress=clock
    )
    seconds = time.perf_counter() - begun
    scores = judge(lifted(state, case.clips, seconds), case)
    rows = [row(p, clock, args.effort) for p in (*phases[0], *phases[1])]
    whole = sum(r["whole"] for r in rows)
    how = "naive" if args.naive else "eager" if args.eager else "batched"
    print(f"\n{args.recipe}, {args.size} wide, effort {args.effort:g}, {how}, {case.name}")
    print("\n| phase | steps | images a step | ms a step | Gaussians | s | whole, s |\n" + "| --- " * 7 + "|")
    for r in rows:
        print("| " + " | ".join(str(v) for v in r.values()) + " |")
    figures = "  ".join(f"{k} {v['psnr']:.2f}" for k, v in scores.items())
    print(f"\n{seconds:.1f} s; whole {whole:.0f} s; peak memory {memory(device)} MiB; PSNR {figures}", flush=True)
    if args.json is not None:
        said = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
        write_json(args.json, {**said, "seconds": seconds, "whole": whole, "rows": rows, "scores": scores})


def batched(phase: Phase, factor: int) -> Phase:
    """The phase with `factor` times the images a step, and as many fewer steps."""
    growth = phase.growth and replace(phase.growth, every=max(1, phase.growth.every // factor))
    steps = max(1, phase.steps // factor)
    return replace(phase, steps=steps, views=factor * phase.views, frames=factor * phase.frames, growth=growth)


def row(phase: Phase, clock: Clock, effort: float) -> dict[str, Any]:
    """What a phase took, and would take at effort 1. (Its first steps load kernels.)"""
    seconds = clock.seconds[phase.name]
    return {
        "phase": phase.name,
        "steps": phase.steps,
        "images": phase.views + phase.frames,
        "ms": round(1000 * seconds / phase.steps, 2),
        "gaussians": clock.gaussians[phase.name],
        "seconds": round(seconds, 1),
        "whole": round(seconds / effort, 1),
    }


def eager(_: Recorder, name: str, function: Callable[..., Any], leaves: Sequence[Tensor], *inputs: Tensor) -> Any:
    """`Recorder.run` that records nothing."""
    return function(*inputs)


def make_naive() -> None:
    """Patch the fit to deform and render image by image and to wait for the device at every step."""
    for kind in (MlpField, NodeField):
        kind.offsets = one_by_one(kind.offsets)  # type: ignore[method-assign]

    def choose(device: torch.device) -> Callable[..., Rendering]:
        render = select(device)

        def each(splats: Splats, views: Views, background: Tensor | None = None, **more: Any) -> Rendering:
            parts = []
            for i in range(len(views.viewmats)):
                shared = zip(splats, (2, 2, 2, 1, 2), strict=True)  # dimensions of what all views share
                mine = Splats(*(v[i : i + 1] if v.dim() > own else v for v, own in shared))
                view = Views(views.viewmats[i : i + 1], views.Ks[i : i + 1], views.width, views.height)
                parts.append(render(mine, view, background, **more))
                float(parts[-1].color.detach().sum())
            color, alpha, depth, _, radii = (torch.cat(column) for column in zip(*parts, strict=True))
            return Rendering(color, alpha, depth, cast("Tensor", Screen([p.means2d for p in parts])), radii)

        return each

    for stage in (canonical, temporal):
        stage.select = choose  # type: ignore[assignment]


class Screen:
    """Screen positions of several renderings, with what density control asks of them."""

    def __init__(self, parts: list[Tensor]) -> None:
        self.parts = parts

    def retain_grad(self) -> None:
        """Keep gradients."""
        for part in self.parts:
            part.retain_grad()

    @property
    def grad(self) -> Tensor:
        """Absolute gradients, or plain ones where there are no others."""
        return torch.cat([cast("Tensor", getattr(part, "absgrad", part.grad)) for part in self.parts])


def one_by_one(offsets: Callable[..., Offsets]) -> Callable[..., Offsets]:
    """A field's `offsets` that asks for one index after the other."""

    def looped(self: Any, means: Tensor, index: Tensor) -> Offsets:
        parts = [offsets(self, means, index[i : i + 1]) for i in range(len(index))]
        return Offsets(*(torch.cat(column) for column in zip(*parts, strict=True)))

    return looped


if __name__ == "__main__":
    main()
