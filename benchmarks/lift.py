"""Quality of the lift against exact truth at held-out cameras and times.

    python benchmarks/lift.py --only clean --size 128 --seeds 0 1 2 --worlds tuning       # minutes
    python benchmarks/lift.py --json lift.json --pictures out/lift                         # hours on two cores

Worlds of two ranges of seeds: "tuning" to look at while changing things, "judged" for published figures. Nothing else
in the project uses either. 16 reference frames of a camera at rest, 32 freeze-time frames over 120 degrees from the
same view. Every figure is the median over the worlds, means over the pictures of a group:

  heldout  three cameras at rest between and off the arc (elevation differs) while time runs, one that moves at half
           steps of time: unseen views at unseen times
  seen     the reference camera at every time, half steps too
  frozen   the frozen instant from unseen views;  arc: the clean freeze-time frames
  outside  a tenth beyond either end of the arc, and 15 degrees above its middle, while time runs

Sections:
  clean    clean clips and known poses, beside a plain deformable 3DGS
  spoiled  freeze-time clips spoiled at several strengths, with and without parts of the method
  poses    known poses with noise, corrected before the fit, refined in it, or neither; no poses at all
  score    score distillation: the default lift without a teacher, as many steps without one, with the oracle (which
           denoises without error) and with the embedded model as teacher, on clean clips and on clips spoiled at 0.5;
           gains are those over as many steps
  scenes   --scenes DIR: folders with cameras.json, freeze.mp4, ref.mp4, heldout*.mp4 made by other renderers
  clips    --clips DIR: folders with freeze.mp4 and perhaps ref.mp4, of which nothing is known; truth_view*.mp4 and
           truth_moving.mp4 are measured where they are there
`--methods` takes some rows of the tables only (names as printed; for clips those of folders), so that many machines can
share the work; `--tables a.json b.json` prints the tables of what their `--json` wrote.
Seconds are seeding and fitting; they mean something only on an idle machine. Memory is the peak so far of the whole
process, so a figure for one section takes a run with --only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import _lift_files as files
import _lift_worlds as worlds
import torch
from _lift_poses import poses, poses_tables
from _lift_report import Setting
from _lift_score import score, score_tables

from fourreal.core.storage import read_json
from fourreal.stages.trial import JUDGED, TUNING, Filming

SECTIONS = {
    "clean": worlds.clean,
    "spoiled": worlds.spoiled,
    "poses": poses,
    "score": score,
    "scenes": files.scenes,
    "clips": files.clips,
}
TABLES = {
    "clean": worlds.clean_tables,
    "spoiled": worlds.spoiled_tables,
    "poses": poses_tables,
    "score": score_tables,
    "scenes": files.scenes_tables,
    "clips": files.clips_tables,
}


def setting_of(arguments: Sequence[str] | None) -> tuple[Setting, argparse.Namespace]:
    """What the command line says of the fits, and all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--worlds", choices=("tuning", "judged"), default="judged")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="numbers within the range")
    parser.add_argument("--size", type=int, default=256, help="width; the height is 9/16 of it")
    parser.add_argument("--frames", type=int, default=16, help="of the reference clip")
    parser.add_argument("--views", type=int, default=32, help="of the freeze-time clip")
    parser.add_argument("--degrees", type=float, default=120.0, help="of the freeze-time camera's way")
    parser.add_argument("--effort", type=float, default=1.0, help="factor on the steps of the fits")
    parser.add_argument("--gaussians", type=int, help="to start from (20 000 at 256 wide)")
    parser.add_argument("--fit-seed", type=int, default=0)
    parser.add_argument("--spoils", nargs="+", choices=("warp", "drift", "thaw"), default=["warp"])
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--scenes", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--weights", type=Path, help="folder of other weights for the embedded model (score)")
    parser.add_argument("--no-plain", action="store_true", help="without the plain deformable 3DGS")
    parser.add_argument("--methods", nargs="+", metavar="METHOD")
    parser.add_argument("--tables", type=Path, nargs="+", metavar="JSON", help="only print what these files hold")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)
    first = TUNING if args.worlds == "tuning" else JUDGED
    gaussians = args.gaussians or min(20_000, round(20_000 * args.size / 256))
    setting = Setting(
        seeds=tuple(first + s for s in args.seeds),
        filming=Filming(args.size, 2 * round(args.size * 9 / 32), args.frames, args.views, args.degrees),
        effort=args.effort,
        gaussians=gaussians,
        device=torch.device(args.device),
        pictures=args.pictures,
        spoils=tuple(args.spoils),
        strengths=tuple(args.strengths),
        scenes=args.scenes,
        clips=args.clips,
        weights=args.weights,
        plain=not args.no_plain,
        fit_seed=args.fit_seed,
        methods=None if args.methods is None else tuple(args.methods),
        json=args.json,
    )
    return setting, args


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sections; the JSON file is written after each fit."""
    setting, args = setting_of(arguments)
    for file in args.tables or ():
        held = read_json(file)
        setting.rows.extend(held["rows"])
        setting.failed.extend(held["failed"])
    for name in args.only:
        if not args.tables:
            SECTIONS[name](setting)
        TABLES[name](setting)
        setting.write()


if __name__ == "__main__":
    main()
