"""Quality and cost of `4real generate` with the embedded model, over prompts and seeds.

    python benchmarks/generate.py --prompts 1 7 --seeds 0 --recipe preview                # a quarter of an hour
    python benchmarks/generate.py --classifier judge.safetensors --json generate.json --gallery docs/gallery     # hours
    python benchmarks/generate.py --classifier judge.safetensors --finished                     # the tables until then

Twelve prompts of the model's world, 1 to 6 in the words of captions, 7 to 12 written freely (_generate_prompts.py),
three seeds each. Every run is `4real generate` in a process of its own, in a folder below --out. What is finished is
kept: the same command goes on after Ctrl-C. Figures (docs/benchmarks.md says how they are computed):

  PSNR       renders against the generated clips; freeze-time cameras with and without the warp of each frame
  denoising  the video model's own one-step error on the clip, on the render from its camera (seen), on renders from
             still cameras 45 degrees to either side of it while time runs (side), and 45 degrees beyond the ends of
             the freeze-time clip (beyond); a blurred render scores low as well, so read it beside detail
  labels     share of the prompt's labels that the classifier of video_model.py finds in the same
  detail     difference of neighbouring pixels, relative to the clip's
  flicker    change between frames where the still camera's clip shows nothing that moves, clip and render
  arc, reach degrees that the freeze-time clip goes round; degrees that a camera may leave it by (see fit/coverage.py)
  seconds by stage, peak memory of the process (of a GPU: what torch allocated)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from _generate_prompts import PROMPTS, chosen
from _generate_report import print_tables
from _generate_runs import Job, Options, figures_of, stored_figures
from _generate_scores import measured
from _generate_sheets import write_gallery, write_sheet
from _generate_views import look
from _video_classifier import Classifier, stored_classifier

from fourreal.commands.device import resolve_device
from fourreal.core.errors import FourRealError
from fourreal.core.storage import write_json
from fourreal.video.embedded.model import EmbeddedVideoModel


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = out.add_argument
    add(
        "--prompts", nargs="+", metavar="PROMPT", help=f"numbers from 1 to {len(PROMPTS)}, or sentences; all by default"
    )
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--recipe", choices=("preview", "default", "paper"), default="default")
    add("--effort", type=float, default=1.0, help="factor on the steps of the fits")
    add("--coverage", type=float, help="degrees of the freeze-time clip")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--weights", type=Path, help="folder with networks of your own for the embedded model")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any setting, as in 4real generate --set")
    add("--classifier", type=Path, help="file of the judge that video_model.py --classifier wrote")
    add("--out", type=Path, default=Path("out/benchmark_generate"), help="folder for runs, figures and sheets")
    add("--json", type=Path, help="write all figures to this file")
    add("--gallery", type=Path, help="folder for a sheet a prompt and index.md")
    add("--again", action="store_true", help="measure finished runs again")
    add("--finished", action="store_true", help="tables of what is finished; no run is made")
    return out


class Measurer:
    """Figures and sheet of a finished run. Networks are loaded when the first run needs them."""

    def __init__(self, options: Options) -> None:
        self._options, self._loaded = options, None

    def __call__(self, job: Job) -> dict[str, Any]:
        """Look at the run of `job` once for both."""
        model, judge = self._networks()
        seen = look(job.run, resolve_device(self._options.device))
        figures = measured(job, seen, model, judge)
        write_sheet(
            job.sheet,
            seen,
            f"{job.prompt.text} - seed {job.seed}, recipe {job.options.recipe}, effort {job.options.effort:g}",
        )
        return figures

    def _networks(self) -> tuple[EmbeddedVideoModel, Classifier | None]:
        if self._loaded is None:
            o, device = self._options, resolve_device(self._options.device)
            judge = None if o.classifier is None else stored_classifier(o.classifier, device)
            self._loaded = EmbeddedVideoModel.load(o.weights, device), judge
        return self._loaded


def options_of(args: argparse.Namespace) -> Options:
    """What the runs are told. Raises `FourRealError` for a classifier that does not exist."""
    if args.classifier is not None and not args.classifier.is_file():
        raise FourRealError(
            f"{args.classifier} does not exist; make it with: "
            f"python benchmarks/video_model.py --only draw --classifier {args.classifier}"
        )
    return Options(
        out=args.out,
        recipe=args.recipe,
        effort=args.effort,
        device=args.device,
        coverage=args.coverage,
        weights=args.weights,
        changes=tuple(args.set),
        classifier=args.classifier,
        again=args.again,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, and print the tables of what is there; JSON and gallery are written after each run.

    The exit status is 1 if a run failed; the others count all the same.
    """
    command = parser()
    args = command.parse_args(arguments)
    try:
        options = options_of(args)
        jobs = [Job(prompt, seed, options) for prompt in chosen(args.prompts) for seed in args.seeds]
    except FourRealError as error:
        command.error(str(error))
    if args.finished:
        rows = [row for job in jobs if (row := stored_figures(job)) is not None]
        print(f"{len(rows)} of {len(jobs)} runs are finished in {options.out}")
        if rows:
            print_tables(rows)
        return 0
    done, failed, measure = [], [], Measurer(options)
    for number, job in enumerate(jobs, 1):
        print(f"{number} of {len(jobs)}: {job.prompt.text} (seed {job.seed})", flush=True)
        try:
            done.append((job, figures_of(job, measure)))
        except FourRealError as error:
            failed.append({"prompt": job.prompt.text, "seed": job.seed, "why": str(error)})
            print(f"  failed: {error}", flush=True)
        _write(args, done, failed)
    if done:
        print_tables([row for _, row in done])
    for row in failed:
        print(f"failed: {row['prompt']} (seed {row['seed']}): {row['why']}")
    return int(bool(failed))


_LEGEND = """by `benchmarks/generate.py`; the first seed of each prompt, which nobody chose for its looks. Rows: the \
generated clip while time runs; the scene from the same camera; the frozen clip; the scene from its cameras; the scene \
while time runs from 45 degrees to either side; and from 45 degrees beyond what any clip showed."""


def _write(args: argparse.Namespace, done: list[tuple[Job, dict[str, Any]]], failed: list[dict[str, Any]]) -> None:
    said = {"recipe": args.recipe, "effort": args.effort, "device": args.device, "set": args.set}
    if args.json is not None:
        write_json(args.json, {**said, "rows": [row for _, row in done], "failed": failed})
    if args.gallery is not None and done:
        write_gallery(args.gallery, done, f"Recipe {args.recipe}, effort {args.effort:g}, {_LEGEND}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on", file=sys.stderr)
        sys.exit(130)
