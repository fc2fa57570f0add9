"""Speed of the procedural worlds: clips a second on a GPU, seconds a clip on a CPU, and CPU-GPU parity.

python benchmarks/worlds.py --device cuda
python benchmarks/worlds.py --device cpu
"""

from __future__ import annotations

import argparse
import time

import torch

from fourreal.worlds import Worlds, orbit_cameras, reference_cameras, render, render_fast, sample_worlds


def row(name: str, value: str) -> None:
    print(f"| {name:<62} | {value:>20} |", flush=True)


def sync(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def clock_sampling(device: str, count: int) -> None:
    sample_worlds(range(8), device)
    sync(device)
    start = time.perf_counter()
    sample_worlds(range(count), device)
    sync(device)
    row(f"sample {count} worlds", f"{count / (time.perf_counter() - start):.0f} /s")


def clips_per_second(
    worlds: Worlds, size: tuple[int, int, int], batch: int, compiled: bool
) -> tuple[float, float, float]:
    """Clips a second, seconds of the first call, GB used at the peak."""
    frames, height, width = size
    shots = reference_cameras(worlds, frames, width, height)
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    render_fast(worlds, shots, batch=batch, compiled=compiled)
    torch.cuda.synchronize()
    first = time.perf_counter() - start
    start = time.perf_counter()
    render_fast(worlds, shots, batch=batch, compiled=compiled)
    torch.cuda.synchronize()
    speed = len(worlds) / (time.perf_counter() - start)
    return speed, first, torch.cuda.max_memory_allocated() / 2**30


def gpu_speed(size: tuple[int, int, int], batches: tuple[int, ...], compiled: bool, solo: bool) -> None:
    """Try batches from large to small until one fits."""
    frames, height, width = size
    kind = ("compiled" if compiled else "eager") + (", one subject" if solo else "")
    for batch in batches:
        try:
            labels = {"second": "none"} if solo else {}
            worlds = sample_worlds(range(batch * (8 if compiled else 2)), "cuda", labels=labels)
            speed, first, gigabytes = clips_per_second(worlds, size, batch, compiled)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            continue
        row(f"{frames}x{height}x{width}, 4 samples a pixel, {kind}, batch {batch}", f"{speed:.0f} clips/s")
        row("    first call / peak memory", f"{first:.1f} s / {gigabytes:.1f} GB")
        torch.cuda.empty_cache()
        return
    row(f"{frames}x{height}x{width}, {kind}", "out of memory")


def parity(compiled: bool) -> None:
    seeds = list(range(16))
    on_cpu, on_gpu = sample_worlds(seeds), sample_worlds(seeds, "cuda")
    fields = [
        (k, getattr(on_cpu.slots, k), getattr(on_gpu.slots, k).cpu())
        for k in ("center", "size", "main", "bone", "owner")
    ]
    row("max |cpu - gpu| of sampled slots", f"{max(float((a - b).abs().max()) for _, a, b in fields):.2e}")
    same = all(bool((on_cpu.labels[k] == on_gpu.labels[k].cpu()).all()) for k in on_cpu.labels)
    row("labels equal on cpu and gpu", str(same))
    for name, make in (("dynamic", reference_cameras), ("freeze-time", orbit_cameras)):
        a = render(on_cpu, make(on_cpu, 4, 64, 36), geometry=False).rgb
        b = render_fast(on_gpu, make(on_gpu, 4, 64, 36), batch=16, compiled=compiled)[0].cpu()
        off = (a - b).abs()
        row(f"|cpu - gpu| of {name} clips, {'compiled' if compiled else 'eager'}: mean", f"{float(off.mean()):.2e}")
        row("    share of values off by more than 0.02", f"{float((off > 0.02).float().mean()):.2e}")


def cpu_speed(frames: int, height: int, width: int) -> None:
    worlds = sample_worlds([3, 8, 11])
    render(worlds[:1], reference_cameras(worlds[:1], 1, width, height))
    wall, used = time.perf_counter(), time.process_time()
    render(worlds, reference_cameras(worlds, frames, width, height))
    wall, used = (time.perf_counter() - wall) / 3, (time.process_time() - used) / 3
    threads = torch.get_num_threads()
    row(f"{frames}x{height}x{width}, 4 samples a pixel, rgb + depth + mask: wall", f"{wall:.2f} s/clip")
    row(f"    processor time, and over {threads} threads", f"{used:.2f} s, {used / threads:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    device = parser.parse_args().device
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if device == 'cuda' else 'CPU'}")
    clock_sampling(device, 4096 if device == "cuda" else 1024)
    if device == "cpu":
        cpu_speed(16, 36, 64)
        cpu_speed(16, 144, 256)
        return
    parity(False)
    gpu_speed((16, 36, 64), (64, 16, 4), False, False)
    gpu_speed((16, 36, 64), (64, 16), True, False)
    gpu_speed((16, 36, 64), (64, 16), True, True)
    gpu_speed((16, 144, 256), (4, 1), True, False)
    parity(True)


if __name__ == "__main__":
    main()
