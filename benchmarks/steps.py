"""Where the time of single steps of the paper's schedule goes: on a GPU, by kernel, launch and wait.

    python benchmarks/steps.py --device cuda --phase canonical --gaussians 50000     # a minute on a GPU
    python benchmarks/steps.py --device cuda --phase "joint score" --eager           # nothing recorded
    python benchmarks/steps.py --size 64 --gaussians 800 --steps 3                   # on a CPU, to try it

A scene is seeded with so many Gaussians and not fitted; the phase takes a few steps to warm up and to be recorded, then
some against the clock, then some under torch's profiler. Then the parts that come between steps, each by itself, and
on a GPU the network's layers at a step's size beside other ways to compute them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from _lift_report import memory
from _schedule_parts import Clocks, make_eager, plain
from schedule import tables
from torch import Tensor, nn
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from fourreal.deform import half
from fourreal.fit import choosing, loop
from fourreal.fit.clips import Clips
from fourreal.fit.density import GrowthStats
from fourreal.fit.dynamic import dynamic_objective
from fourreal.fit.loop import Objective
from fourreal.fit.phases import Phase
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.raster import select
from fourreal.stages import canonical, temporal
from fourreal.stages.canonical import CanonicalConfig
from fourreal.stages.temporal import TemporalConfig
from fourreal.stages.trial import JUDGED, Case, Filming, world_case

PHASES = ("warm-up", "canonical", "multi-view score", "motion", "reveal", "joint score")
WAITS = ("Synchronize", "Memcpy DtoH", "_local_scalar_dense")


def main(arguments: Sequence[str] | None = None) -> None:
    """Take the steps, and print where their time went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", choices=PHASES, default="canonical")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=512, help="width; the height is 9/16 of it")
    parser.add_argument("--gaussians", type=int, default=50_000)
    parser.add_argument("--images", type=int, default=4, help="a step")
    parser.add_argument("--steps", type=int, default=40, help="against the clock; under the profiler a quarter")
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--rows", type=int, default=25, help="of each table")
    args = parser.parse_args(arguments)
    device = torch.device(args.device)
    if args.eager:
        make_eager()
    case = world_case(JUDGED + 1, Filming(args.size, 2 * round(args.size * 9 / 32)), device)
    phase = next(p for table in tables("paper", 1.0, 2 * [args.images]) for p in table if p.name == args.phase)
    state, objective = begun(case, phase, args.gaussians)
    clocks = Clocks(device)
    clocks.watch()
    several(state, phase, objective, 4)
    print(f"{phase.name}: {args.images} images a step, {len(state.params['means'])} Gaussians; to begin with: {clocks}")
    ms = timed(lambda: several(state, phase, objective, args.steps), device) / args.steps
    print(f"**{ms:.2f} ms a step, {ms / args.images:.2f} an image**; peak memory {memory(device)} MiB", flush=True)
    report(state, phase, objective, max(1, args.steps // 4), args.rows)
    between(state, phase, case.clips, device)
    if device.type == "cuda":
        layers(args.images, len(state.params["means"]), state)


def begun(case: Case, phase: Phase, count: int) -> tuple[FitState, Objective]:
    """A state as a stage begins, with about `count` Gaussians, and its objective."""
    clips, device = case.clips, case.clips.freeze.images.device
    seeds = seed_gaussians(clips.freeze, count, torch.Generator().manual_seed(0))
    modules: dict[str, nn.Module] = canonical._modules(clips, seeds.means, CanonicalConfig((), field="mlp"))
    if phase.frames:
        modules["motion"] = temporal._motion(clips, seeds, TemporalConfig((), field="mlp"))[0]
    state = FitState.begin(seeds, clips.freeze.extent(), 0, modules)
    return state, dynamic_objective(clips, select(device), shown_only=True)


def several(state: FitState, phase: Phase, objective: Objective, count: int) -> None:
    """So many steps, as the loop takes them."""
    loop._stretch(state, phase, objective, count)


def timed(function: Callable[[], Any], device: torch.device) -> float:
    """Milliseconds."""
    clocks = Clocks(device)
    clocks.timed("it", function)()
    return 1000 * clocks.seconds["it"]


def report(state: FitState, phase: Phase, objective: Objective, count: int, rows: int) -> None:
    """Tables of the profiler, a step, and how often a step launches and waits."""
    on_gpu = state.params["means"].is_cuda
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    # No growth meanwhile, so that these are steps alone.
    still = replace(phase, growth=phase.growth and replace(phase.growth, every=10**9))
    several(state, still, objective, 3)
    with profile(activities=activities) as profiler:
        several(state, still, objective, count)
        if on_gpu:
            torch.cuda.synchronize()
    events = profiler.key_averages()
    print(table([e for e in events if e.device_type == DeviceType.CUDA], "self_device_time_total", count, rows))
    print(table([e for e in events if e.device_type == DeviceType.CPU], "self_cpu_time_total", count, rows))
    calls = ", ".join(f"{e.key} {e.count / count:.1f}" for e in events if _is_call(e.key))
    print(f"\ncalls a step: {calls}", flush=True)


def table(events: Sequence[Any], time_of: str, count: int, rows: int) -> str:
    """The events with the most time, a step."""
    whole = sum(getattr(e, time_of) for e in events) / count / 1000
    lines = [f"\n{time_of}: {whole:.2f} ms a step\n", "| ms a step | calls a step | what |", "| --- | --- | --- |"]
    for e in sorted(events, key=lambda e: -getattr(e, time_of))[:rows]:
        lines.append(f"| {getattr(e, time_of) / count / 1000:.3f} | {e.count / count:.1f} | {e.key[:110]} |")
    return "\n".join(lines)


def _is_call(name: str) -> bool:
    return name.startswith(("cudaLaunch", "cudaGraphLaunch", "cuLaunch", "cudaMalloc")) or any(w in name for w in WAITS)


def between(state: FitState, phase: Phase, clips: Clips, device: torch.device) -> None:
    """What comes between steps, each by itself, the second time."""
    means = state.params["means"].detach()

    def grow() -> None:
        if phase.growth is not None:
            s, stats = state, GrowthStats.zeros(state.params["means"])
            loop.grow(s.params, s.optimizer, stats, phase.growth, s.bounds, s.generator, True, s.held)

    some = torch.arange(8192, device=device) % len(means)
    parts: dict[str, Callable[[], Any]] = {
        "what pictures show": lambda: choosing.shown_rows(clips, state, phase),
        "neighbours of 8192": lambda: choosing.neighbourhood(means, 8, rows=some),
        "snapshot": state.snapshot,
        "growth": grow,
    }  # fmt: skip
    print("\nbetween steps: ", end="")
    for name, part in parts.items():
        part()
        print(f"{name} {timed(part, device):.1f} ms", end="; ", flush=True)
    print()


def layers(images: int, count: int, state: FitState) -> None:
    """The network at a step's size: ours, in float32, and parts of it in other ways. Medians of ten."""
    field: Any = state.modules["warp"]
    rows = images * count // 2 // 32 * 32
    position = torch.randn(rows // images, 63, device="cuda")
    clock = torch.randn(images, 13, device="cuda")
    x = torch.randn(len(position) * images, 256, device="cuda").half()
    weight, bias = torch.randn(256, 256, device="cuda").half() / 16, torch.zeros(256, device="cuda").half()
    hidden = list(field.hidden)

    def whole(network: Callable[..., Tensor]) -> Callable[[], None]:
        return lambda: network(position, clock, hidden, field.heads, field.config.skip).sum().backward()

    for p in field.parameters():
        p.requires_grad_(True)
    ways: dict[str, Callable[[], Any]] = {
        "network, forward and backward": whole(half.network),
        "the same in float32": whole(plain),
        "layer with its ReLU": lambda: torch.ops.aten._addmm_activation(bias, x, weight.T),
        "layer, then ReLU": lambda: torch.addmm(bias, x, weight.T).relu_(),
        "mask of a ReLU": lambda: torch.ops.aten.threshold_backward(x, x, 0),
        "gradient of what came in": lambda: x @ weight,
        "of weights, in parts": lambda: half._summed(x, x),
        "of weights, in one": lambda: half._product(x.T, x),
        "of the bias": lambda: x.sum(0, dtype=torch.float32),
    }
    print(f"\nnetwork, {len(x)} points ({x.numel() * 2 / 1e6:.0f} MB a layer):\n\n| ms | what |\n| --- | --- |")
    for name, way in ways.items():
        for _ in range(3):
            way()
        found = sorted(timed(way, x.device) for _ in range(10))
        print(f"| {found[5]:.3f} | {name} |", flush=True)


if __name__ == "__main__":
    begun_at = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - begun_at:.0f} s in all")
