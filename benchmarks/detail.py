"""What the detail pass does, against exact truth: a lift as it is, after as many steps without the pass, and with it.

    python benchmarks/detail.py --seeds 11 12 13 --effort 0.3 --json detail.json --pictures out/detail      # 40 minutes

Worlds of the tuning range, 256x144, known poses, lifted by the default recipe from two kinds of clips:

  true   the true clips
  drawn  the true clips made small, 64x36, and drawn again by the embedded model's upsampler, as generated clips are:
         the freeze-time clip in links of 16 frames that know the first 8 from the link before

Every line is a mean over the pictures of a group, and the last lines of a kind are means over its worlds: PSNR in dB,
SSIM, and sharpness, the mean length of the picture's gradient over the truth's. "heldout" are unseen views at unseen
times, "seen" is the reference camera at all times. "more steps" is the fair comparison: the pass's steps and rates,
without its pictures. Seconds mean something only on an idle machine.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from fourreal.core.storage import write_json
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective
from fourreal.fit.loop import fit
from fourreal.fit.moving import inner_space
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.io.images import write_image
from fourreal.metrics import psnr, ssim
from fourreal.raster import select
from fourreal.recipes import canonical_default, detail_default, temporal_default
from fourreal.stages.detail import DetailConfig, detail_paths, fit_detail, redraw
from fourreal.stages.lift import LiftConfig, fit_clips
from fourreal.stages.trial import TUNING, Case, Filming, lifted, world_case
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.embedded.upsampling import upsample

CPU = torch.device("cpu")
KINDS = ("true", "drawn")
GROUPS = ("heldout", "seen")
Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Wanted:
    """What to compare: kinds of clips, seeds, effort of the lifts, and variants of the pass by name."""

    kinds: Sequence[str]
    seeds: Sequence[int]
    effort: float
    variants: dict[str, DetailConfig]
    pictures: Path | None


@torch.no_grad()
def drawn(clips: Clips, model: EmbeddedVideoModel) -> Clips:
    """The clips through the model's low resolution, as its `generate` and the view extension draw them."""
    assert clips.reference is not None
    count = model.spec.frames

    def again(frames: Tensor, known: Tensor, seed: int) -> Tensor:
        small = F.interpolate(frames, model.spec.score_size, mode="area")
        given = torch.cat([known, torch.zeros_like(frames[len(known) :])])
        mask = torch.arange(count) < len(known)
        made = upsample(model.upsampler, small, known=given, is_known=mask, seed=seed)
        return torch.cat([known, made[len(known) :]])

    frames = clips.freeze.images
    reference = again(clips.reference.images, frames[:0], 0)
    made = again(frames[:count], reference[clips.instant][None], 1)
    while len(made) < len(frames):
        begin = len(made) - count // 2
        made = torch.cat([made, again(frames[begin : begin + count], made[begin:], 1 + begin)[count // 2 :]])
    return replace(
        clips, freeze=Targets(made, clips.freeze.cameras), reference=Targets(reference, clips.reference.cameras)
    )


def sharpness(frames: Tensor) -> float:
    """Mean length of the gradient, over pixels and channels."""
    across, down = frames[..., :-1, 1:] - frames[..., :-1, :-1], frames[..., 1:, :-1] - frames[..., :-1, :-1]
    return float((across.square() + down.square()).sqrt().mean())


def figures(state: FitState, case: Case) -> Scores:
    """PSNR, SSIM and sharpness by group."""
    result, out = lifted(state, case.clips, 0.0), {}
    for group, names in (("heldout", case.heldout), ("seen", ("seen",))):
        rows = []
        for name in names:
            truth = case.truth[name]
            shown = result.render(truth.cameras)
            sharp = sharpness(shown) / sharpness(truth.images)
            rows.append((float(psnr(shown, truth.images).mean()), float(ssim(shown, truth.images).mean()), sharp))
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        out[group] = dict(zip(("psnr", "ssim", "sharp"), means, strict=True))
    return out


def fitted(state: FitState, case: Case, config: DetailConfig | None, model: EmbeddedVideoModel) -> FitState:
    """The state after the pass, or after its steps without its pictures if there is no `config`."""
    modules = copy.deepcopy(state.modules)
    if config is None:
        begun = FitState.begin(state.gaussians(), case.clips.freeze.extent(), 2, modules)
        return fit(begun, detail_default(), dynamic_objective(case.clips, select(CPU)))
    focus = inner_space(case.clips.freeze, state.params["means"].detach()).centre
    paths = detail_paths(case.clips, focus, model.spec.frames, config)
    redrawn = redraw(state, paths, model, config.seed)
    return fit_detail(case.clips, state.gaussians(), modules, config, redrawn)


def compare(wanted: Wanted, kind: str, seed: int, model: EmbeddedVideoModel) -> Iterator[tuple[str, Scores, float]]:
    """Name, figures and seconds of each variant on one world."""
    case = world_case(TUNING + seed, Filming(), CPU)
    if kind == "drawn":
        case = replace(case, clips=drawn(case.clips, model))
    begun = time.perf_counter()
    phases = canonical_default(wanted.effort), temporal_default(wanted.effort)
    state = fit_clips(case.clips, LiftConfig(Path()), *phases)
    yield "as lifted", figures(state, case), time.perf_counter() - begun
    strips = [strip(state, case)]
    for name, config in {"more steps": None, **wanted.variants}.items():
        begun = time.perf_counter()
        after = fitted(state, case, config, model)
        seconds = time.perf_counter() - begun
        strips.append(strip(after, case))
        yield name, figures(after, case), seconds
    if wanted.pictures is not None:
        truth = case.truth["heldout3"].images[2::5]
        sheet = torch.cat([torch.cat([*truth], -1), *strips], -2)
        write_image(wanted.pictures / f"{kind}_{seed}.png", sheet.clamp(0, 1))


def strip(state: FitState, case: Case) -> Tensor:
    """Three pictures of an unseen camera that moves while time runs."""
    return torch.cat([*lifted(state, case.clips, 0.0).render(case.truth["heldout3"].cameras[slice(2, None, 5)])], -1)


def line(name: str, scores: Scores, seconds: float) -> str:
    """A line of the table."""
    parts = [f"{scores[g]['psnr']:6.2f} {scores[g]['ssim']:.4f} {scores[g]['sharp']:.3f}" for g in GROUPS]
    return f"  {name:12s} {'   '.join(parts)}   {seconds:4.0f} s"


def mean(rows: Sequence[tuple[Scores, float]]) -> tuple[Scores, float]:
    """The mean of some figures, and of their seconds."""
    scores = {g: {k: sum(r[g][k] for r, _ in rows) / len(rows) for k in rows[0][0][g]} for g in GROUPS}
    return scores, sum(s for _, s in rows) / len(rows)


def run(wanted: Wanted, out: Path | None) -> None:
    """Print the comparison; the JSON file is written after each world."""
    model, found = EmbeddedVideoModel.load(), []
    for kind in wanted.kinds:
        print(f"\n{kind} clips         heldout: dB, SSIM, sharp   seen")
        table: dict[str, list[tuple[Scores, float]]] = {}
        for seed in wanted.seeds:
            print(f" world {seed}")
            for name, scores, seconds in compare(wanted, kind, seed, model):
                print(line(name, scores, seconds), flush=True)
                table.setdefault(name, []).append((scores, seconds))
                found.append({"clips": kind, "world": seed, "variant": name, "scores": scores, "seconds": seconds})
            if out is not None:
                write_json(out, {"effort": wanted.effort, "rows": found})
        print(f" mean of {len(wanted.seeds)}")
        for name, rows in table.items():
            print(line(name, *mean(rows)), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13], help="numbers within the tuning range")
    parser.add_argument("--effort", type=float, default=0.3, help="factor on the steps of the lifts")
    parser.add_argument("--weights", type=float, nargs="+", default=[0.2], help="of the redrawn pictures")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args(arguments)
    variants = {f"pass x {w:g}": DetailConfig(True, detail_default(), weight=w) for w in args.weights}
    run(Wanted(args.clips, args.seeds, args.effort, variants, args.pictures), args.json)


if __name__ == "__main__":
    main()
