"""Time of deformation fields, forward and backward: 20 and 50 thousand Gaussians at 1, 8 and 16 indices.

    python benchmarks/deform.py [--device cuda] [--rounds 5] [--fields nodes,grid,mlp] [--threads 1]

"forward" is `offsets` under a gradient; "both" also takes gradients of the parameters and of the means. The network of
8 x 256 takes seconds on a CPU, so by default it is left out there.
"""

from __future__ import annotations

import argparse
import time

import torch

from fourreal.deform import DeformConfig, DeformField, GridConfig, MlpConfig, NodeConfig

FIELDS: dict[str, DeformConfig] = {"nodes": NodeConfig(), "grid": GridConfig(), "mlp": MlpConfig()}


def timed(field: DeformField, means: torch.Tensor, times: int, rounds: int) -> tuple[float, float]:
    """Best milliseconds of forward, and of forward and backward, in `rounds` of each."""
    index = torch.arange(times, dtype=torch.float32) * (15 / max(times - 1, 1))
    index = index.round() if times > 1 else index + 7
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


def now(means: torch.Tensor) -> float:
    """Seconds, when the device is done."""
    if means.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fields")
    parser.add_argument("--threads", type=int, help="of torch; one is the steadier figure on a busy machine")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    names = (options.fields or ("nodes,grid" if options.device == "cpu" else "nodes,grid,mlp")).split(",")
    print(
        "| field | parameters | Gaussians | indices | forward, ms | both, ms |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name in names:
        for count in (20_000, 50_000):
            means = torch.randn(count, 3, generator=torch.Generator().manual_seed(0)).to(options.device)
            field = FIELDS[name].build(means, 16)
            size = sum(p.numel() for p in field.parameters())
            for times in (1, 8, 16):
                forward, both = timed(field, means, times, options.rounds)
                print(f"| {name} | {size} | {count} | {times} | {forward:.1f} | {both:.1f} |", flush=True)


if __name__ == "__main__":
    main()
