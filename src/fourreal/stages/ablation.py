"""What each part of the method is worth: lifts with parts left out one by one, judged against truth."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourreal.core.errors import FileFormatError, FourRealError
from fourreal.core.storage import atomic_path, read_json, write_json
from fourreal.io.images import read_image, write_image
from fourreal.recipes import Ablations

from .trial import Case, judge, lift_case

FULL = "everything"
RESULTS, SHEET = "ablation.json", "ablation.png"
_LABEL = 190  # pixels: column of names on the sheet


def variants(parts: Sequence[str] = ()) -> dict[str, Ablations]:
    """Everything, and everything without each of `parts` (all switches if none is named).

    Raises:
        FourRealError: for a part that does not exist.
    """
    known = [f.name for f in dataclasses.fields(Ablations)]
    unknown = [p for p in parts if p not in known]
    if unknown:
        raise FourRealError(f"there is no part {unknown[0]!r} to leave out; choose from {', '.join(known)}")
    full = Ablations()
    return {FULL: full} | {f"without {p}": dataclasses.replace(full, **{p: False}) for p in parts or known}


@dataclass(frozen=True)
class Fit:
    """One fit's figures: scores by group, see `trial.judge`."""

    case: str
    variant: str
    seed: int
    seconds: float
    scores: Mapping[str, Mapping[str, float]]


@dataclass
class Ablation:
    """All fits of an ablation, kept in a folder as they come.

    Attributes:
        out: the folder.
        settings: what the fits have in common; a folder with others is not gone on with.
        fits: done so far.
    """

    out: Path
    settings: dict[str, Any]
    fits: list[Fit] = field(default_factory=list)

    @classmethod
    def open(cls, out: Path, settings: Mapping[str, Any]) -> Ablation:
        """Begin in a folder, or go on from what it holds. Raises `FourRealError` if that was another ablation."""
        found = cls(out, dict(settings))
        if (out / RESULTS).exists():
            data = read_json(out / RESULTS)
            if not isinstance(data, dict) or "fits" not in data:
                raise FileFormatError(f"{out / RESULTS} is not the file of an ablation; give another --out")
            if data.get("settings") != found.settings:
                raise FourRealError(f"{out} holds an ablation with other settings; give another --out, or remove it")
            found.fits = [Fit(**row) for row in data["fits"]]
        return found

    def has(self, case: str, variant: str, seed: int) -> bool:
        """Whether this fit is done."""
        return any((f.case, f.variant, f.seed) == (case, variant, seed) for f in self.fits)

    def add(self, fit: Fit, strip: Tensor) -> None:
        """Keep a fit and its pictures [3, H, W], in files at once."""
        write_image(self.strip(fit.case, fit.variant, fit.seed), strip)
        self.fits.append(fit)
        data = {"settings": self.settings, "fits": [asdict(f) for f in self.fits], "summary": self.summary()}
        write_json(self.out / RESULTS, data)

    def strip(self, case: str, variant: str, seed: int | str) -> Path:
        """File of the pictures of a fit."""
        name = "_".join(f"{case.split(':', maxsplit=1)[0]} {variant} {seed}".split())
        return self.out / "pictures" / f"{name}.png"

    def summary(self, measure: str = "psnr") -> list[dict[str, Any]]:
        """A row a variant: for each group, mean and spread over cases and seeds, and of the gain over `FULL`.

        Gains compare the same case and seed, so that what differs between worlds does not blur them.
        """
        full = {(f.case, f.seed): f.scores for f in self.fits if f.variant == FULL}
        rows = []
        for variant in dict.fromkeys(f.variant for f in self.fits):
            mine = [f for f in self.fits if f.variant == variant]
            row: dict[str, Any] = {"variant": variant, "fits": len(mine)}
            for group in mine[0].scores:
                values = [f.scores[group][measure] for f in mine]
                gains = [
                    f.scores[group][measure] - full[f.case, f.seed][group][measure]
                    for f in mine
                    if (f.case, f.seed) in full and group in full[f.case, f.seed]
                ]
                row[group] = {**_mean_and_spread(values), "gain": _mean_and_spread(gains)}
            rows.append(row)
        return rows


def _mean_and_spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"mean": None, "spread": None}
    return {"mean": statistics.fmean(values), "spread": statistics.stdev(values) if len(values) > 1 else 0.0}


def run_ablation(
    ablation: Ablation,
    cases: Mapping[str, Callable[[], Case]],
    parts: Mapping[str, Ablations],
    seeds: Sequence[int],
    *,
    effort: float,
    gaussians: int,
    on_fit: Callable[[Fit], None] = lambda _: None,
) -> None:
    """Every case with every variant and seed that is not done yet; then the contact sheet.

    Args:
        ablation: where results go.
        cases: makers of the cases by name, called when they are needed.
        parts: variants, see `variants`.
        seeds: of the fits.
        effort: factor on the steps.
        gaussians: to start from.
        on_fit: told of each fit.
    """
    for name, make in cases.items():
        todo = [(v, s) for s in seeds for v in parts if not ablation.has(name, v, s)]
        case = make() if todo else None
        for variant, seed in todo:
            assert case is not None
            result = lift_case(case.clips, parts=parts[variant], effort=effort, seed=seed, seeds=gaussians)
            fit = Fit(name, variant, seed, round(result.seconds, 1), judge(result, case))
            truth, shown = _views(case, result.render)
            write_image(ablation.strip(name, "truth", ""), truth)
            ablation.add(fit, shown)
            on_fit(fit)
    write_sheet(ablation, list(cases), list(parts), seeds[0])


def _views(case: Case, render: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    """Truth and render of a picture from the middle of each group, side by side."""
    names = [n for n in (*case.heldout, "frozen", "outside") if n in case.truth]
    truth, shown = [], []
    for name in names:
        target = case.truth[name]
        middle = len(target.cameras) // 2
        truth.append(target.images[middle].cpu())
        shown.append(render(target.cameras[middle])[0].cpu())
    return torch.cat(truth, -1), torch.cat(shown, -1)


def write_sheet(ablation: Ablation, cases: Sequence[str], parts: Sequence[str], seed: int) -> None:
    """The contact sheet: for each case the truth, and below it what each variant shows there."""
    from PIL import Image, ImageDraw

    from fourreal.io.images import to_bytes

    rows = [(c, v, ablation.strip(c, v, "" if v == "truth" else seed)) for c in cases for v in ("truth", *parts)]
    strips = [(case, variant, read_image(path)) for case, variant, path in rows if path.exists()]
    if not strips:
        return
    width = max(s.shape[2] for _, _, s in strips)
    page = Image.new("RGB", (_LABEL + width, sum(s.shape[1] + 2 for _, _, s in strips)), "white")
    pen, top = ImageDraw.Draw(page), 0
    for case, variant, strip in strips:
        page.paste(Image.fromarray(to_bytes(strip[None])[0]), (_LABEL, top))
        found = next((f for f in ablation.fits if (f.case, f.variant, f.seed) == (case, variant, seed)), None)
        label = case if found is None else f"{variant}\n{found.scores['heldout']['psnr']:.2f} dB"
        pen.text((4, top + 4), label, fill="black", font_size=12)
        top += strip.shape[1] + 2
    with atomic_path(ablation.out / SHEET) as temporary:
        page.save(temporary)
