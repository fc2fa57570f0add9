"""What one score distillation step costs with the true architectures of video models, and what the paper's recipe
would cost with them.

Weights are random, so nothing is downloaded and no picture means anything; milliseconds and memory are those of the
real models. Rows come as they are measured, those that decide first; after --seconds no new ones are begun. Tables of
docs/models.md:

    python benchmarks/teachers.py --device cuda --out teachers.json
    python benchmarks/teachers.py --device cuda --layers 144

On a CPU only `--tiny` makes sense: the same code with networks of a few thousand parameters.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from _teachers_build import ARCHITECTURES, Built, build, compiled, fitting
from _teachers_parts import WORK, Timed, halves, layer_rows, network_alone, timed, whole_step

from fourreal.video.latent.causal import WAYS, Way
from fourreal.video.latent.model import LatentVideoModel
from fourreal.video.latent.wan_text import TextMemory
from fourreal.video.teach import Gradient

SIZES = {144: (144, 256), 240: (240, 416), 288: (288, 512)}
TINY_SIZES = {144: (32, 32), 240: (32, 48), 288: (32, 64)}
STEPS: dict[str, Gradient] = {"step in pixels": "pixel", "step through the encoder": "latent"}
DIFFUSERS = "diffusers"  # the way in which diffusers works, piece by piece


@dataclass(frozen=True)
class Row:
    """One measurement: milliseconds are a median, gigabytes the peak from the first call on, weights included."""

    model: str
    size: str
    part: str
    how: str
    ms: float
    peak_gb: float

    def line(self, pixels: int) -> str:
        """In the table."""
        work = WORK.get(self.part) if self.model.startswith(("Wan", "VACE")) else None
        rate = f"{work * pixels / self.ms / 1e9:.0f}" if work and self.ms else ""
        return (
            f"| {self.model} | {self.size} | {self.part} | {self.how} | {self.ms:.1f} | {self.peak_gb:.2f} | {rate} |"
        )


@dataclass(frozen=True)
class PaperRecipe:
    """4Real's schedule (arXiv 2406.07472, supplement): iterations of both stages, and those with score distillation."""

    canonical: int = 23_000
    temporal: int = 20_000
    guided: int = 10_000
    clips: int = 6  # the reference clip and the walk of 180 degrees at 4 degrees a frame: 17 frames, then 8 at a time
    sampling_steps: int = 40


@dataclass
class Bench:
    """What was measured, and how long it may go on."""

    args: argparse.Namespace
    begun: float = field(default_factory=time.perf_counter)
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _built: dict[str, Built] = field(default_factory=dict)

    def built(self, name: str) -> Built:
        """A model's networks; those of the one before go."""
        if name not in self._built:
            self._built.clear()
            _free()
            self._built[name] = build(name, self.args)
        return self._built[name]

    def late(self, what: str) -> bool:
        """Whether no new measurement should begin; notes what is left out."""
        if time.perf_counter() - self.begun < self.args.seconds:
            return False
        self.left_out.append(what)
        return True

    def measure(self, name: str, height: int, part: str, how: str, function: Callable[[], Timed]) -> None:
        """A row, printed at once; what fails is said, and the others go on."""
        size = fitting(_sizes(self.args)[height], self.built(name))
        if self.late(f"{name} {size[0]}x{size[1]} {part} ({how})"):
            return
        try:
            ms, peak = function()
        except RuntimeError as error:
            print(f"| {name} | {size[0]}x{size[1]} | {part} | {how} | failed: {_line(error)} | | |", flush=True)
            return
        self.rows.append(Row(name, f"{size[0]}x{size[1]}", part, how, round(ms, 2), round(peak, 2)))
        print(self.rows[-1].line(size[0] * size[1]), flush=True)

    @contextmanager
    def model(self, name: str, height: int, way: str) -> Iterator[tuple[LatentVideoModel, Built]]:
        """A model that has recorded nothing yet; what it records goes afterwards."""
        built = self.built(name)
        size = fitting(_sizes(self.args)[height], built)
        chosen: Way | None = None if way == DIFFUSERS else way  # type: ignore[assignment]
        model = built.model(size, chosen, eager=self.args.eager)
        try:
            yield model, built
        finally:
            forget(model)
            _free()

    def parts(self, name: str, height: int, way: str, *, which: tuple[str, ...] = tuple(WORK)) -> None:
        """The autoencoder's halves."""
        if self.late(f"{name} {height} autoencoder ({way})"):
            return
        with self.model(name, height, way) as (model, _):
            for part, function in halves(model, self.args).items():
                if part in which:
                    self.measure(name, height, part, way, function)

    def network(self, name: str, height: int, how: str) -> None:
        """One guided evaluation of the network."""
        with self.model(name, height, WAYS[0]) as (model, built):
            self.measure(name, height, "network", how, lambda: network_alone(model, built, self.args))

    def steps(self, name: str, height: int, way: str, more: str = "", which: tuple[str, ...] = tuple(STEPS)) -> None:
        """Whole guided steps."""
        for part in which:
            with self.model(name, height, way) as (model, built):
                step = partial(whole_step, model, built, STEPS[part], self.args)
                self.measure(name, height, part, way + more, step)

    def best(self, name: str, height: int, part: str) -> str:
        """The quickest way of those measured for a part; the first if there are none."""
        size = "x".join(map(str, _sizes(self.args)[height]))
        found = [r for r in self.rows if (r.model, r.size, r.part) == (name, size, part) and r.how in self.args.ways]
        return min(found, key=lambda row: row.ms).how if found else self.args.ways[0]


def forget(model: LatentVideoModel) -> None:
    """Let go of a model's recordings and of its weights as they were laid out, whoever still holds the model."""
    model.codec.replays._recorded.clear()
    model.codec.replays._seen.clear()
    model.codec._recorder.begin(model)
    model.codec._state.clips = model.codec._state.where = None


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _sizes(args: argparse.Namespace) -> dict[int, tuple[int, int]]:
    return TINY_SIZES if args.tiny else SIZES


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


@contextmanager
def words_each_time() -> Iterator[None]:
    """Let the network read the prompt at every evaluation, as diffusers' pipelines do."""
    before, TextMemory.prepared = TextMemory.prepared, lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        TextMemory.prepared = before  # type: ignore[method-assign]


@contextmanager
def one_product(network: Any) -> Iterator[None]:
    """Make queries, keys and values by one product, from a second copy of their weights."""
    network.fuse_qkv_projections()
    try:
        yield
    finally:
        network.unfuse_qkv_projections()


@contextmanager
def compiled_blocks(network: Any) -> Iterator[None]:
    """Compile one block of each kind."""
    begun = time.perf_counter()
    compiled(network, True)
    try:
        yield
    finally:
        compiled(network, False)
        print(f"(rows of compiled blocks took {time.perf_counter() - begun:.0f} s)", flush=True)


HALF = {"step in pixels": "decode two", "step through the encoder": "encode, gradient"}  # what decides of its speed


def best_steps(bench: Bench, name: str, height: int, *, like: int, more: str = "") -> None:
    """Whole steps, each in the way that was best for its autoencoder at height `like`."""
    for part, half in HALF.items():
        bench.steps(name, height, bench.best(name, like, half), more, which=(part,))


def thorough(bench: Bench, name: str, height: int) -> None:
    """Every way at one size, whole steps in the best one, and what reading the prompt once is worth."""
    for way in bench.args.ways:
        bench.parts(name, height, way)
    best_steps(bench, name, height, like=height)
    bench.network(name, height, "alone")
    say_recipe(bench)


def quickened(bench: Bench, name: str, height: int) -> None:
    """What may quicken the network; only --compile does it in the library."""
    network = bench.built(name).pipe.transformer
    if not bench.args.no_compile and not bench.late(f"{name} {height} compiled blocks"):
        with compiled_blocks(network):
            bench.network(name, height, "compiled blocks")
            best_steps(bench, name, height, like=height, more=", compiled blocks")
        say_recipe(bench)
    with words_each_time():
        bench.network(name, height, "prompt read each time")
    if hasattr(network, "fuse_qkv_projections") and not bench.late(f"{name} {height} one product"):
        with one_product(network):
            bench.network(name, height, "queries, keys and values by one product")


def usual(bench: Bench, name: str, height: int) -> None:
    """Whole steps and their parts, in the ways that were best for the first model at the smallest size."""
    first, small = bench.args.models[0], bench.args.sizes[0]
    ways = {half: bench.best(first, small, half) for half in HALF.values()}
    for part, half in HALF.items():
        bench.steps(name, height, ways[half], which=(part,))
    if bench.args.compile_all:
        with compiled_blocks(bench.built(name).pipe.transformer):
            for part, half in HALF.items():
                bench.steps(name, height, ways[half], ", compiled blocks", which=(part,))
    bench.network(name, height, "alone")
    for way in sorted(set(ways.values())):
        bench.parts(name, height, way, which=("encode", *(half for half in ways if ways[half] == way)))


def as_before(bench: Bench, name: str, height: int) -> None:
    """With the autoencoder as diffusers runs it."""
    if not bench.late(f"{name} {height} ({DIFFUSERS})"):
        bench.steps(name, height, DIFFUSERS)
        bench.parts(name, height, DIFFUSERS, which=("encode", "encode, gradient", "decode"))


def plan(bench: Bench) -> None:
    """All rows, in the order of their weight."""
    args = bench.args
    first, small = args.models[0], args.sizes[0]
    thorough(bench, first, small)
    quickened(bench, first, small)
    for height in args.sizes[1:]:
        usual(bench, first, height)
    as_before(bench, first, small)
    for name in args.models[1:]:
        for height in args.sizes:
            usual(bench, name, height)
    for name in args.models:
        for height in args.sizes:
            if (name, height) != (first, small):
                as_before(bench, name, height)


def recipe(row: Row, args: argparse.Namespace) -> list[str]:
    """The paper's complete recipe with a step like this one, with the arithmetic."""
    r = PaperRecipe()
    steps = r.canonical + r.temporal
    fit = args.fit_seconds if args.fit_seconds is not None else steps * args.fit_ms / 1000
    fitted = f"{fit:.0f} s (--fit-seconds)"
    if args.fit_seconds is None:
        fitted = f"{steps} x {args.fit_ms:g} ms = {fit:.0f} s (--fit-ms)"
    guided = r.guided * (row.ms + args.render_ms) / 1000
    total = fit + guided + args.clips_seconds
    spare = (900 - fit - args.clips_seconds) * 1000 / r.guided - args.render_ms
    return [
        f"The paper's recipe with {row.model}, scores at {row.size}, {row.part} ({row.how}):",
        f"  clips {args.clips_seconds:g} s (--clips-seconds) + fitting {fitted}",
        f"  + guidance {r.guided} x ({row.ms:g} + {args.render_ms:g} ms of rendering, --render-ms) = {guided:.0f} s",
        f"  = {total:.0f} s = {total / 60:.1f} minutes (for 15: {spare:.0f} ms a step; 4Real: 90 minutes of an A100)",
    ]


def say_recipe(bench: Bench) -> list[str]:
    """For the quickest step of each kind at each size of each model measured so far."""
    best: dict[tuple[str, str, str], Row] = {}
    for row in bench.rows:
        key = (row.model, row.size, row.part)
        if row.part in STEPS and (key not in best or row.ms < best[key].ms):
            best[key] = row
    words = [line for row in best.values() for line in recipe(row, bench.args)]
    print("\n" + "\n".join([*words, f"({time.perf_counter() - bench.begun:.0f} s so far)"]) + "\n", flush=True)
    return words


def drawing(bench: Bench) -> None:
    """Measure --clips-seconds: one evaluation of the sampler at 480x832 and one decoding, six clips of 40 steps."""
    args, r = bench.args, PaperRecipe()
    built = bench.built(args.models[0])
    model = built.model((32, 64) if args.tiny else (480, 832), None)
    once = argparse.Namespace(device=args.device, warmup=1, repeat=1)
    few, _ = timed(lambda: model.generate(built.text, steps=2), once)
    more, _ = timed(lambda: model.generate(built.text, steps=4), once)
    each = max(more - few, 0.0) / 2000
    decoding = max(few / 1000 - 2 * each, 0.0)
    args.clips_seconds = round(r.clips * (r.sampling_steps * each + decoding), 1)
    print(f"clips: {r.clips} x ({r.sampling_steps} x {each:.3f} s + {decoding:.2f} s) = {args.clips_seconds} s\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Cost of score distillation: true architectures, random weights.")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=["Wan2.1-1.3B", "VACE-1.3B"], choices=list(ARCHITECTURES))
    parser.add_argument("--sizes", nargs="+", type=int, default=[144, 288], choices=list(SIZES), help="heights")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, help="of convolving whole clips")
    parser.add_argument("--seconds", type=float, default=140, help="after these no new measurement begins")
    parser.add_argument("--layers", type=int, choices=list(SIZES), help="instead: each convolution at this height")
    parser.add_argument("--tiny", action="store_true", help="networks of a few thousand parameters, to try the script")
    parser.add_argument("--no-compile", action="store_true", help="without rows of compiled networks")
    parser.add_argument("--compile-all", action="store_true", help="compiled networks at all sizes of all models")
    parser.add_argument("--eager", action="store_true", help="launch every kernel instead of replaying recordings")
    parser.add_argument("--vae-dtype", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--fit-ms", type=float, default=6.5, help="one fitting iteration, from benchmarks/lift.py")
    parser.add_argument("--fit-seconds", type=float, help="all fitting iterations, in place of --fit-ms")
    parser.add_argument("--render-ms", type=float, default=14.0, help="17 views rendered and differentiated")
    parser.add_argument("--clips-seconds", type=float, default=51.0, help="all clips drawn; --draw measures it")
    parser.add_argument("--draw", action="store_true", help="measure how long clips take (about 20 s)")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, extrapolate."""
    args = arguments()
    machine = f"{platform.processor() or platform.machine()}, a CPU"
    if args.device.startswith("cuda"):
        torch.set_float32_matmul_precision("high")
        machine = torch.cuda.get_device_name()
    print(f"torch {torch.__version__}, {machine}, {args.vae_dtype} autoencoder\n", flush=True)
    bench = Bench(args)
    about: dict[str, Any] = {"machine": machine, "torch": torch.__version__, "vae": args.vae_dtype}
    if args.layers is not None:
        about["layers"] = layer_rows(bench.built(args.models[0]).pipe.vae, _sizes(args)[args.layers], args)
    else:
        if args.draw:
            drawing(bench)
        print("| model | size | part | how | ms | peak GB | TFLOP/s |\n| --- | --- | --- | --- | --- | --- | --- |")
        plan(bench)
        about |= {"recipe": say_recipe(bench), "rows": [asdict(row) for row in bench.rows]}
        if bench.left_out:
            print("left out after --seconds: " + ", ".join(bench.left_out))
    print(f"{time.perf_counter() - bench.begun:.0f} s in all")
    if args.out is not None:
        args.out.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
