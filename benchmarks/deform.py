"""Deformation fields: time of a forward and backward pass, and how well nodes follow the warps of a spoiled clip.

    python benchmarks/deform.py [--device cuda] [--rounds 5] [--fields nodes,mlp] [--threads 1]
    python benchmarks/deform.py --warps

"forward" is `offsets` under a gradient; "both" also takes the gradients of the parameters and the means. The network of
8 x 256 takes seconds on a CPU, so it is left out there unless named.

--warps: worlds' frozen clips of 16 frames at 36x64 with the strongest warp. The field is fitted to the displacement of
400 pixels a frame for 150 steps of Adam (their 3D points are known from the depth), and judged there and at 400 others,
in pixels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from fourreal.deform import DeformConfig, DeformField, MlpConfig, NodeConfig
from fourreal.worlds import orbit_cameras, render, sample_worlds
from fourreal.worlds.spoil import spoil

FIELDS: dict[str, DeformConfig] = {"nodes": NodeConfig(), "mlp": MlpConfig()}
FRAMES = 16


def timed(field: DeformField, means: Tensor, times: int, rounds: int) -> tuple[float, float]:
    """Best milliseconds of forward, and of forward and backward, in `rounds` of each."""
    index = torch.linspace(0, FRAMES - 1, times).round() if times > 1 else torch.tensor([7.0])
    leaf = means.clone().requires_grad_()
    best = [float("inf"), float("inf")]
    weights = [torch.randn(times, len(means), d, device=means.device) for d in (3, 4, 3)]
    for _ in range(rounds + 1):
        for p in (leaf, *field.parameters()):
            p.grad = None
        start = now(means)
        offsets = field.offsets(leaf, index)
        middle = now(means)
        used = [(v, w) for v, w in zip(offsets, weights, strict=True) if v.requires_grad]
        torch.autograd.backward([v for v, _ in used], [w for _, w in used])
        best = [min(best[0], middle - start), min(best[1], now(means) - start)]
    return 1e3 * best[0], 1e3 * best[1]


def now(means: Tensor) -> float:
    """Seconds, when the device is done."""
    if means.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def timings(names: Sequence[str], device: str, rounds: int) -> None:
    """Print the table of times."""
    print(
        "| field | parameters | Gaussians | indices | forward, ms | both, ms |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name in names:
        for count in (20_000, 50_000):
            means = torch.randn(count, 3, generator=torch.Generator().manual_seed(0)).to(device)
            field = FIELDS[name].build(means, FRAMES)
            size = sum(p.numel() for p in field.parameters())
            for times in (1, 8, 16):
                forward, both = timed(field, means, times, rounds)
                print(f"| {name} | {size} | {count} | {times} | {forward:.1f} | {both:.1f} |", flush=True)


class Pixels(NamedTuple):
    """Drawn pixels of a spoiled clip, the same number in every frame."""

    points: Tensor  # [F, P, 3] what they show, world
    moves: Tensor  # [F, P, 3] how far the warp moves it, world
    scale: Tensor  # [F, P] pixels of a world unit there


def warped(seed: int, count: int) -> Pixels:
    """`count` pixels a frame of a world's frozen clip; sky left out."""
    worlds, (height, width) = sample_worlds([seed]), (36, 64)
    shots = orbit_cameras(worlds, FRAMES, width, height)
    truth = render(worlds, shots)
    flow = spoil(truth.rgb, worlds.seeds, warp=1.0).flow[0].permute(0, 2, 3, 1)
    depth, focal = truth.depth[0, :, 0], shots.Ks[0, :, 0, 0]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    out = []
    for k in range(FRAMES):
        seen = torch.isfinite(depth[k]).nonzero()
        rows, columns = seen[torch.randperm(len(seen), generator=torch.Generator().manual_seed(k))[:count]].unbind(1)
        z = depth[k, rows, columns]
        across = torch.stack([x[rows, columns] - width / 2, y[rows, columns] - height / 2], -1)
        local = torch.cat([across * z[:, None] / focal[k], z[:, None]], -1)
        # A pixel p shows what is at p + flow(p), so what is at q appears near q - flow(q).
        shift = torch.cat([-flow[k, rows, columns] * z[:, None] / focal[k], torch.zeros(len(z), 1)], -1)
        rotation, translation = shots.viewmats[0, k, :3, :3], shots.viewmats[0, k, :3, 3]
        out.append(((local - translation) @ rotation, shift @ rotation, focal[k] / z))
    return Pixels(*(torch.stack(part) for part in zip(*out, strict=True)))


def errors(field: DeformField, pixels: Pixels) -> Tensor:
    """[F - 1, P] squared distances in pixels; frame 0 is canonical."""
    found = field.offsets(pixels.points.flatten(0, 1), torch.arange(FRAMES).float()).means
    own = found.unflatten(1, pixels.scale.shape)[torch.arange(FRAMES), torch.arange(FRAMES)]
    return ((own - pixels.moves) * pixels.scale[..., None]).square().sum(-1)[1:]


def follow(config: DeformConfig, pixels: Pixels) -> tuple[float, float]:
    """Mean error in pixels where the field was fitted, and elsewhere."""
    fitted, others = (Pixels(*(v[:, part] for v in pixels)) for part in (slice(0, 400), slice(400, 800)))
    field = config.build(fitted.points.flatten(0, 1), FRAMES)
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        (errors(field, fitted) + 1e-4).sqrt().mean().backward()
        optimizer.step()
    with torch.no_grad():
        inside = float(errors(field, fitted).sqrt().mean())
        field.rebind(others.points.flatten(0, 1))
        return inside, float(errors(field, others).sqrt().mean())


def warps() -> None:
    """Print how well sets of nodes follow warps."""
    print("| world | warp, px | nodes | neighbours | error fitted, px | error elsewhere, px |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed in (3, 4, 5):
        pixels = warped(seed, 800)
        size = float((pixels.moves * pixels.scale[..., None])[1:].norm(dim=-1).mean())
        for nodes, neighbours in ((64, 4), (256, 4), (256, 8), (512, 8)):
            inside, outside = follow(NodeConfig(nodes=nodes, neighbours=neighbours), pixels)
            print(f"| {seed} | {size:.2f} | {nodes} | {neighbours} | {inside:.2f} | {outside:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fields")
    parser.add_argument("--threads", type=int, help="of torch; one is the steadier figure on a busy machine")
    parser.add_argument("--warps", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.warps:
        warps()
        return
    names = (options.fields or ("nodes" if options.device == "cpu" else "nodes,mlp")).split(",")
    timings(names, options.device, options.rounds)


if __name__ == "__main__":
    main()
