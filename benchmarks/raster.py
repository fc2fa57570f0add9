"""Time, memory and parity of the rasterizers: the tables of docs/rasterizer.md.

python benchmarks/raster.py                 time of the CPU rasterizer, forward and backward with every gradient
python benchmarks/raster.py --reference     the same beside the dense torch reference, at a size it can hold
python benchmarks/raster.py --memory        peak memory, each case in a process of its own
python benchmarks/raster.py --compile       first call with an empty and with a filled cache
python benchmarks/raster.py --parity        differences to the float64 reference, and to gsplat if there is a GPU
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from fourreal.raster import Rasterizer, Rendering, Splats, Views, select


class Case(NamedTuple):
    """A workload."""

    gaussians: int
    cameras: int
    width: int
    height: int


CASES = {
    "a": Case(20_000, 16, 64, 36),
    "b": Case(50_000, 4, 256, 144),
    "c": Case(100_000, 1, 512, 288),
    "tiny": Case(400, 2, 48, 32),
    "step": Case(20_000, 1, 256, 144),
}


def scene(
    case: Case, *, seed: int = 0, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Splats, Views]:
    """A wall, a floor and a ball of flat anisotropic Gaussians (about 0.7 x spacing), seen by cameras side by side."""
    g = torch.Generator().manual_seed(seed)
    wall, floor = int(case.gaussians * 0.45), int(case.gaussians * 0.35)
    ball = case.gaussians - wall - floor
    uv = torch.rand(wall + floor, 2, generator=g) - 0.5
    on_wall = torch.stack([uv[:wall, 0] * 5.6, uv[:wall, 1] * 3.4, torch.full((wall,), 4.0)], -1)
    on_floor = torch.stack([uv[wall:, 0] * 6, torch.full((floor,), 0.9), 2.6 + uv[wall:, 1] * 2.8], -1)
    direction = torch.nn.functional.normalize(torch.randn(ball, 3, generator=g), dim=-1)
    means = torch.cat([on_wall, on_floor, direction * 0.8 + torch.tensor([0.0, 0.1, 2.8])])
    area = torch.cat(
        [torch.full((wall,), 21.6 / wall), torch.full((floor,), 16.8 / floor), torch.full((ball,), 8.0 / ball)]
    )
    spread = 0.7 * area.sqrt()[:, None] * torch.exp(0.4 * torch.randn(case.gaussians, 3, generator=g))
    spread[:wall, 2] *= 0.2
    spread[wall : wall + floor, 1] *= 0.2
    splats = Splats(
        means,
        torch.nn.functional.normalize(
            torch.tensor([1.0, 0, 0, 0]) + 0.2 * torch.randn(case.gaussians, 4, generator=g), dim=-1
        ),
        spread,
        torch.sigmoid(1.0 + 1.5 * torch.randn(case.gaussians, generator=g)),
        torch.rand(case.gaussians, 3, generator=g),
    )
    viewmats = torch.eye(4).repeat(case.cameras, 1, 1)
    viewmats[:, 0, 3] = torch.linspace(-0.3, 0.3, case.cameras) if case.cameras > 1 else 0.0
    focal = 0.9 * case.width
    ks = torch.tensor([[focal, 0, case.width / 2], [0, focal, case.height / 2], [0, 0, 1.0]]).repeat(case.cameras, 1, 1)
    splats = Splats(*(t.to(device, dtype).requires_grad_() for t in splats))
    return splats, Views(viewmats.to(device, dtype).requires_grad_(), ks.to(device, dtype), case.width, case.height)


def step(render: Rasterizer, splats: Splats, views: Views, target: Tensor) -> Rendering:
    """One forward and backward as fitting does it: every input gets its gradient."""
    for t in (*splats, views.viewmats):
        t.grad = None
    out = render(splats, views, absgrad=True)
    out.means2d.retain_grad()
    loss = (out.color - target).abs().mean() + 0.1 * out.alpha.mean() + 0.01 * out.depth.mean()
    loss.backward()
    return out


def measure(work: Callable[[], object], rounds: int) -> tuple[float, float, float]:
    """Smallest and median wall time and smallest CPU time (all threads) of `rounds` calls, in ms."""
    walls, cores = [], []
    for _ in range(rounds):
        wall, core = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cores.append(time.process_time() - core)
    return 1e3 * min(walls), 1e3 * sorted(walls)[len(walls) // 2], 1e3 * min(cores)


def _timing_line(name: str, render: Rasterizer, case: Case, rounds: int) -> None:
    splats, views = scene(case)
    target = torch.rand(case.cameras, 3, case.height, case.width)
    out = step(render, splats, views, target)
    drawn = (out.radii > 0).all(-1)
    radius = float(out.radii[drawn].float().mean())
    forward = measure(lambda: render(splats, views), rounds)
    both = measure(lambda: step(render, splats, views, target), rounds)
    size = f"{case.gaussians} x {case.cameras} x {case.width}x{case.height}"
    print(
        f"{name:16} {size:24} {100 * float(drawn.float().mean()):4.0f} % drawn, radius {radius:4.1f} px"
        f" | forward {forward[0]:6.1f} ms | forward+backward {both[0]:6.1f} ms (median {both[1]:6.1f}),"
        f" {both[2]:6.1f} core-ms"
    )


def timings(names: list[str], rounds: int, reference: bool) -> None:
    """Print the time table."""
    for name in names:
        _timing_line(f"numba_cpu ({name})", select("cpu"), CASES[name], rounds)
    if reference:
        for label, render in (("numba_cpu", select("cpu")), ("torch_reference", select("cpu", "torch_reference"))):
            _timing_line(label, render, CASES["tiny"], min(rounds, 5))


def memory(names: list[str]) -> None:
    """Print how far one step raises the peak RSS, each case in its own process."""
    for name in names:
        subprocess.run([sys.executable, __file__, "--one-memory", name], check=True)


def _one_memory(name: str) -> None:
    render = select("cpu")
    step(render, *scene(CASES["tiny"]), torch.zeros(2, 3, 32, 48))
    case = CASES[name]
    splats, views = scene(case)
    target = torch.rand(case.cameras, 3, case.height, case.width)
    for t in (*splats, views.viewmats):
        t.grad = torch.zeros_like(t)  # the gradients' own memory belongs to the inputs
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        step(render, splats, views, target)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"({name}) peak memory grows by {(after - before) / 1024:.0f} MiB")


def compile_times() -> None:
    """Print the time of the first call in a fresh process, with an empty and with a filled cache."""
    code = (
        "import time; from benchmarks_raster import *; t = time.perf_counter(); "
        "step(select('cpu'), *scene(CASES['tiny']), torch.zeros(2, 3, 32, 48)); "
        "print(f'{time.perf_counter() - t:.1f} s')"
    ).replace("from benchmarks_raster import *", "from raster import *")
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
        for label in ("first call, empty cache ", "first call, filled cache"):
            print(label, end=": ", flush=True)
            subprocess.run([sys.executable, "-c", code], check=True, env=env)


def gradients(render: Rasterizer, case: Case, device: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Every output and gradient of one fixed random loss, as float64 on the CPU."""
    splats, views = scene(case, device=device, dtype=dtype)
    background = torch.tensor([0.2, 0.5, 0.7], device=device, dtype=dtype)
    out = render(splats, views, background, absgrad=True)
    out.means2d.retain_grad()
    g = torch.Generator().manual_seed(1)
    images = {"color": out.color, "alpha": out.alpha, "depth": out.depth}
    loss = sum(
        ((v * torch.randn(v.shape, generator=g).to(v)).sum() for v in images.values()), torch.zeros(()).to(out.color)
    )
    loss.backward()
    absolute: Tensor = getattr(out.means2d, "absgrad")  # noqa: B009
    found = {**images, "means2d": out.means2d, "d means2d": out.means2d.grad, "absgrad": absolute}
    found |= {f"d {k}": v.grad for k, v in splats._asdict().items()} | {"d viewmats": views.viewmats.grad}
    return {k: v.detach().cpu().double() for k, v in found.items() if v is not None}


def parity(names: list[str]) -> None:
    """Print relative L2 differences of every output and gradient."""
    pairs = [("numba_cpu - reference", "tiny", "cpu", "torch_reference", torch.float64)]
    if torch.cuda.is_available():
        pairs += [("numba_cpu - gsplat", name, "cuda", "gsplat_cuda", torch.float32) for name in ("tiny", *names)]
    for label, name, device, other, dtype in pairs:
        ours = gradients(select("cpu"), CASES[name], "cpu", torch.float32)
        theirs = gradients(select(device, other), CASES[name], device, dtype)  # type: ignore[arg-type]
        for key, value in ours.items():
            error = float((value - theirs[key]).norm() / theirs[key].norm())
            print(f"{label:24} ({name:4}) {key:14} {error:.2e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default="a,b,c")
    parser.add_argument("--rounds", type=int, default=15)
    for flag in ("reference", "memory", "compile", "parity"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--one-memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.cases.split(",")
    if options.one_memory:
        _one_memory(options.one_memory)
    elif options.memory:
        memory(names)
    elif options.compile:
        compile_times()
    elif options.parity:
        parity(names)
    else:
        timings(names, options.rounds, options.reference)


if __name__ == "__main__":
    main()
