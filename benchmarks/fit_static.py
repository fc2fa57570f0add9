"""Static fit to exact truth: 32 views of one frozen instant at 144x256, judged on 8 held-out ones; several worlds.

python benchmarks/fit_static.py --seeds 1 2 3 4 5 [--device cuda] [--pictures DIR]

Prints a row a world and the medians; the table of docs/benchmarks.md. Seconds are seeding and fitting only.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from fourreal.fit.static import render_cameras
from fourreal.metrics import psnr, ssim
from fourreal.raster import Splats, Views, select
from fourreal.recipes import static_preview
from fourreal.stages.comparison import write_comparison
from fourreal.stages.static_world import StaticWorld, fit_static, observe


def warm_up(device: torch.device) -> None:
    """Compile the kernels before the clock runs."""
    zeros = torch.zeros(1, 3, device=device)
    splats = Splats(zeros, torch.ones(1, 4, device=device), zeros + 1, torch.ones(1, device=device), zeros)
    splats = Splats(*(t.requires_grad_() for t in splats))
    K = torch.tensor([[[8.0, 0, 4], [0, 8, 4], [0, 0, 1]]], device=device)
    viewmat = torch.eye(4, device=device)[None].clone()
    viewmat[0, 2, 3] = 5
    select(device)(splats, Views(viewmat, K, 8, 8), absgrad=True).color.sum().backward()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    device = torch.device(args.device)
    warm_up(device)
    rows = []
    print(f"{'world':>5} {'PSNR':>6} {'SSIM':>6} {'train':>6} {'splats':>7} {'seconds':>8} {'truth s':>8}  caption")
    for seed in args.seeds:
        config, begun = StaticWorld(seed=seed), time.perf_counter()
        train, heldout, caption = observe(config, device)
        observed = time.perf_counter() - begun
        begun = time.perf_counter()
        gaussians = fit_static(config, train, static_preview(args.effort))
        seconds = time.perf_counter() - begun
        render = select(device)
        images = render_cameras(gaussians, heldout.cameras, render)
        fitted = render_cameras(gaussians, train.cameras, render)
        row = (
            float(psnr(images, heldout.images).mean()),
            float(ssim(images, heldout.images).mean()),
            float(psnr(fitted, train.images).mean()),
            len(gaussians),
            seconds,
            observed,
        )
        rows.append(row)
        print("{:5d} {:6.2f} {:6.3f} {:6.2f} {:7d} {:8.1f} {:8.1f}  {}".format(seed, *row, caption), flush=True)
        if args.pictures:
            name = args.pictures / f"fit_{seed}.png"
            write_comparison(name, heldout.images[::3].cpu(), images[::3].cpu(), caption)
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    print("{:>5} {:6.2f} {:6.3f} {:6.2f} {:7.0f} {:8.1f} {:8.1f}".format("med.", *medians))


if __name__ == "__main__":
    main()
