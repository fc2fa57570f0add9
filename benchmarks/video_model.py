"""How good an embedded video model is, on worlds that its training never saw; the tables of docs/benchmarks.md.

python benchmarks/video_model.py --device cuda --classifier judge.safetensors --json figures.json --pictures DIR
python benchmarks/video_model.py --weights out/video_model --only score freeze --count 8

Sections: time (and memory), draw (does a clip show what its caption says, as a trained classifier sees it),
distribution (Frechet distance to true clips), freeze (frozen time along an orbit), score (one-step denoising),
sds (score distillation mends spoiled scenes), extend (clips chained half way round), upsample, drafts (what choosing
the best of four by the critic gains), sheet (pictures).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import _video_cameras
import _video_drafts
import _video_fidelity
import _video_pictures
import _video_scores
import torch
from _video_classifier import classifier_of
from _video_setting import Options, Setting

from fourreal.core.storage import write_json
from fourreal.video.embedded.sampling import FROZEN_GUIDANCE, GUIDANCE, SCORE_GUIDANCE, STEPS
from fourreal.video.embedded.weights import FOLDER

_NEEDS = "upsample and drafts need upsampler and critic.safetensors in --weights, sheet --pictures"
SECTIONS = ("time", "draw", "distribution", "freeze", "score", "sds", "extend", "upsample", "drafts", "sheet")


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = out.add_argument
    add("--weights", type=Path, default=FOLDER, help="folder of base.safetensors and, perhaps, upsampler.safetensors")
    add("--beside", type=Path, help="another such folder, whose Frechet distance is printed as well")
    add("--only", nargs="+", choices=SECTIONS, help="sections to run; all by default")
    add("--device", type=torch.device, default="cuda" if torch.cuda.is_available() else "cpu")
    add("--json", type=Path, help="write all figures to this file")
    add("--pictures", type=Path, help="folder for sheets")
    add("--count", type=int, help="at most so many clips in every section")
    add("--batch", type=int, default=128, help="clips sampled at once")
    add("--steps", type=int, default=STEPS, help="evaluations of the base for a clip")
    add("--guidance", type=float, default=GUIDANCE)
    add("--frozen-guidance", type=float, default=FROZEN_GUIDANCE, help="of frozen clips with known frames")
    add("--score-guidance", type=float, default=SCORE_GUIDANCE, help="of score distillation")
    add("--compiled", action="store_true", help="compile the renderer: two minutes, then ten times as fast")
    add("--classifier", type=Path, help="file of the classifier: read if it is there, else trained and written")
    add("--classifier-clips", type=int, default=32768, help="true clips that the classifier learns from")
    add("--classifier-epochs", type=int, default=10)
    add("--classifier-width", type=int, default=64, help="channels of its first stage")
    add("--static-fit", type=int, default=0, help="fit static Gaussians to so many frozen clips, made and true (CPU)")
    add("--fit-effort", type=float, default=0.3, help="effort of these fits and of those of sds; 1 is 1300 steps")
    add("--sds", nargs="+", default=("pixels", "gaussians"), choices=("pixels", "gaussians"), help="what is mended")
    add("--sds-steps", type=int, default=150)
    return out


def jobs(setting: Setting) -> dict[str, Callable[[], Any]]:
    """The sections that these weights and options allow."""
    o, network = setting.options, setting.upsampler
    judge: list[Any] = []

    def classifier() -> Any:
        if not judge:
            judge.append(classifier_of(setting))
        return judge[0]

    def beside() -> Setting | None:
        return None if o.beside is None else Setting.load(o.beside, o)

    out: dict[str, Callable[[], Any]] = {
        "time": lambda: _video_pictures.time(setting),
        "draw": lambda: _video_fidelity.draw(setting, classifier()),
        "distribution": lambda: _video_fidelity.distribution(setting, classifier(), beside()),
        "freeze": lambda: _video_cameras.freeze(setting),
        "score": lambda: _video_scores.score(setting),
        "sds": lambda: _video_scores.sds(setting),
        "extend": lambda: _video_cameras.extend(setting),
    }
    if network is not None:
        out["upsample"] = lambda: _video_pictures.upsample(setting, network)
    if setting.critic is not None:
        out["drafts"] = lambda: _video_drafts.drafts(setting, classifier())
    pictures = o.pictures
    if pictures is not None:
        out["sheet"] = lambda: _video_pictures.sheet(setting, pictures)
    return out


def main(arguments: list[str] | None = None) -> None:
    """Run sections in the order of `SECTIONS`: time comes first, so that its peak of memory is its own."""
    command = parser()
    args = command.parse_args(arguments)
    options = Options(**{f.name: getattr(args, f.name) for f in fields(Options)})
    options = replace(options, sds=tuple(options.sds))
    if options.count is not None and options.count < 1:
        command.error("--count must be at least 1")
    setting = Setting.load(options.weights, options)
    history, possible = setting.history, jobs(setting)
    print(f"{options.weights}: {history.clips} clips of training, {history.distilled} of distillation; {history.note}")
    missing = [name for name in args.only or () if name not in possible]
    if missing:
        command.error(f"{', '.join(missing)}: {_NEEDS}")
    figures: dict[str, Any] = {"weights": str(options.weights), "clips": history.clips, "distilled": history.distilled}
    for name in SECTIONS:
        if args.only and name not in args.only:
            continue
        if name not in possible:
            print(f"\n{name}: left out; {_NEEDS}")
            continue
        begun = time.perf_counter()
        figures[name] = possible[name]()
        print(f"({name}: {time.perf_counter() - begun:.1f} s)", flush=True)
        if args.json is not None:
            write_json(args.json, figures)


if __name__ == "__main__":
    main()
