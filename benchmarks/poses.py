"""Camera poses from pictures alone, against truth: freeze-time clips of worlds, clean and spoiled, and foreign scenes.

    python benchmarks/poses.py --seeds 0 1 2 3 4 [--arcs 20 60 120] [--strengths 0 0.5] [--methods chain]
    python benchmarks/poses.py --scenes DIR --clips DIR

Errors are medians and maxima over the frames, after the similarity of least squared error; positions in percent of the
distance from the scene; the focal length against truth. "path" is the orbit method told the path of the camera, "chain"
what `4real lift` does. "suspicious" says whether the report warns. Worlds are those of `lift.py`.

--scenes: folders with cameras.json and freeze.mp4. --clips: folders with freeze.mp4, of which no truth is known: only
what the report says is printed.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.storage import write_json
from fourreal.core.video import Video
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.video import read_video
from fourreal.pose import PoseHint, Poses, align, estimate_poses, given_cameras, prepare_clips
from fourreal.pose.chain import Method
from fourreal.stages.trial import JUDGED, TUNING, Filming
from fourreal.worlds import captions, core_cameras, orbit_cameras, render, sample_worlds, spoil

METHODS: dict[str, tuple[Method, ...]] = {
    "colmap": ("colmap",),
    "orbit": ("orbit",),
    "path": ("orbit",),
    "chain": ("colmap", "orbit"),
}


def world_clip(seed: int, filming: Filming) -> tuple[str, Video, Cameras]:
    """Caption, freeze-time clip and true cameras."""
    world = sample_worlds([seed])
    shots = orbit_cameras(world, filming.views, filming.width, filming.height, degrees=filming.degrees)
    clip = render(world, shots, geometry=False).rgb
    spoiled = spoil(clip.float(), world.seeds, warp=filming.warp).rgb[0]
    return captions(world)[0], Video(spoiled.contiguous()), core_cameras(shots, 0)


def measure(
    name: str, video: Video, truth: Cameras | None, path: torch.Tensor | None, methods: Sequence[str]
) -> list[dict]:
    """A row for each method."""
    rows = []
    for method in methods:
        if method == "path" and path is None:
            continue
        begun = time.perf_counter()
        row: dict[str, Any] = {"clip": name, "method": method}
        try:
            found = estimate_poses(video, PoseHint(path=path if method == "path" else None), METHODS[method])
        except FourRealError as error:
            rows.append(row | {"failed": str(error), "seconds": time.perf_counter() - begun})
            print(f"{name[:44]:44} {method:7} failed: {str(error)[:90]}", flush=True)
            continue
        rows.append(row | {"seconds": time.perf_counter() - begun} | _figures(found, truth))
        r = rows[-1]
        error = (
            ""
            if truth is None
            else (
                f"{r['degrees_median']:6.2f} {r['degrees_max']:6.2f} deg  {r['percent_median']:6.2f} %  "
                f"focal {r['focal_percent']:+5.1f} %  "
            )
        )
        print(f"{name[:44]:44} {method:7} {error}{r['registered']}/{r['frames']}  {r['seconds']:5.1f} s  "
              f"{'suspicious: ' + '; '.join(r['checks']) if r['checks'] else 'ok'}", flush=True)  # fmt: skip
    return rows


def _figures(found: Poses, truth: Cameras | None) -> dict[str, Any]:
    report = found.report
    out: dict[str, Any] = {
        "frames": report.total,
        "registered": report.registered,
        "kept": report.method,
        "arc": report.arc_degrees,
        "checks": report.checks,
    }
    if truth is not None:
        focal = float(found.cameras.Ks[0, 0, 0] / truth.Ks[0, 0, 0])
        out |= align(found.cameras, truth).to_json() | {"focal_percent": 100 * (focal - 1)}
    return out


def worlds(args: argparse.Namespace) -> list[dict]:
    """Every arc and strength over the worlds, and a table of medians."""
    first, rows = (TUNING if args.worlds == "tuning" else JUDGED), []
    height = 2 * round(args.size * 9 / 32)
    for degrees in args.arcs:
        for strength in args.strengths:
            for seed in args.seeds:
                filming = Filming(args.size, height, views=args.views, degrees=degrees, warp=strength)
                caption, clip, truth = world_clip(first + seed, filming)
                path = torch.zeros(args.views, 3)
                path[:, 0] = math.radians(degrees) * torch.linspace(0, 1, args.views)
                found = measure(f"{seed}: {caption}", clip, truth, path, args.methods)
                rows += [r | {"degrees": degrees, "strength": strength} for r in found]
    print(
        "\n| arc | spoiled | method | clips | rotation, median | worst clip | position, % | focal, % | suspicious | s |"
    )
    print("|" + " --- |" * 10)
    for key in dict.fromkeys((r["degrees"], r["strength"], r["method"]) for r in rows):
        mine = [r for r in rows if (r["degrees"], r["strength"], r["method"]) == key]
        good = [r for r in mine if "failed" not in r]
        cells = [f"{key[0]:g}", f"{key[1]:g}", key[2], f"{len(good)} of {len(mine)}"]
        if good:
            turns = [r["degrees_median"] for r in good]
            cells += [f"{statistics.median(turns):.2f}", f"{max(turns):.2f}"]
            cells += [f"{statistics.median([r['percent_median'] for r in good]):.2f}"]
            cells += [f"{statistics.median([abs(r['focal_percent']) for r in good]):.1f}"]
            cells += [str(sum(bool(r["checks"]) for r in good))]
        print("| " + " | ".join(cells) + f" | {statistics.median([r['seconds'] for r in mine]):.1f} |", flush=True)
    return rows


def files(args: argparse.Namespace) -> list[dict]:
    """Scenes with truth, and clips without."""
    rows, methods = [], [m for m in args.methods if m != "path"]
    for parent, known in ((args.scenes, True), (args.clips, False)):
        for clip in sorted(parent.glob("*/freeze.mp4")) if parent else []:
            video = prepare_clips(read_video(clip), None, width=args.size).freeze
            truth = given_cameras(read_cameras_json(clip.parent / "cameras.json"), "freeze", video) if known else None
            rows += measure(clip.parent.name, video, truth, None, methods)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", choices=("tuning", "judged"), default="judged")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--arcs", type=float, nargs="+", default=[20.0, 60.0, 120.0])
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0, 0.5])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", type=int, default=32)
    parser.add_argument("--scenes", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)
    rows = files(args) if args.scenes or args.clips else worlds(args)
    if args.json:
        write_json(args.json, rows)


if __name__ == "__main__":
    main()
