"""`4real ablate`: what each part of the method is worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from fourreal.core.errors import FourRealError

from .device import DeviceName, resolve_device


@dataclass(frozen=True)
class OwnClips:
    """Clips of one's own to ablate on, instead of worlds; all but `groups` are needed together.

    Attributes:
        freeze: the freeze-time clip.
        reference: the reference clip.
        cameras: cameras.json with groups "freeze", "ref" and those to judge by.
        truth: folder with the true pictures of these, GROUP.mp4 or a folder GROUP each.
        groups: names of the groups to judge by, separated by commas.
    """

    freeze: Path | None = None
    reference: Path | None = None
    cameras: Path | None = None
    truth: Path | None = None
    groups: str = "heldout0,heldout1,heldout2,heldout3"


@dataclass(frozen=True)
class Film:
    """What is lifted.

    Attributes:
        worlds: how many worlds.
        spoil: strength of the warps of the worlds' freeze-time clips, 0..1.
        size: width of the pictures.
    """

    worlds: int = 3
    spoil: float = 0.5
    size: int = 128


def ablate(
    parts: str = "",
    seeds: int = 1,
    film: Annotated[Film, tyro.conf.arg(name="")] = Film(),
    effort: float = 0.5,
    out: Path = Path("out/ablate"),
    own: OwnClips = OwnClips(),
    device: DeviceName = "auto",
) -> int:
    """Lift with parts of the method left out one by one, and judge each against truth at held-out cameras and times.

    Worlds have exact truth; their freeze-time clips are spoiled, for a part that deals with spoiled clips has nothing
    to do on clean ones. Stopped, the same command goes on with the fits that are left. Three worlds at 128 take about
    an hour on two cores.

    Args:
        parts: switches of `recipes.Ablations`, separated by commas (default: all, one by one).
        seeds: fits of each, with other random numbers.
        film: what is lifted.
        effort: factor on the steps of the fits.
        out: folder for ablation.json, ablation.png and pictures.
        own: clips of one's own instead.
        device: auto takes a CUDA GPU if torch and gsplat can use it.
    """
    for name, value in (("worlds", film.worlds), ("seeds", seeds)):
        if value < 1:
            raise FourRealError(f"--{name} must be at least 1, got {value}")
    if not 0 < effort <= 100:
        raise FourRealError(f"--effort must lie in (0, 100], got {effort:g}; 1 is the usual")
    size, spoil = film.size, film.spoil
    if not (64 <= size <= 1024 and 0 <= spoil <= 1):
        raise FourRealError(f"--size must lie in 64..1024 and --spoil in 0..1, got {size} and {spoil:g}")
    where = resolve_device(device)
    from rich.console import Console

    from fourreal.stages.ablation import RESULTS, SHEET, Ablation, Fit, run_ablation, variants
    from fourreal.stages.lift import LiftConfig
    from fourreal.stages.trial import ABLATED, Filming, files_case, world_case

    chosen = variants([p.strip() for p in parts.split(",") if p.strip()])
    console = Console()
    files = (own.freeze, own.reference, own.cameras, own.truth)
    if any(files) and not all(files):
        raise FourRealError("clips of your own need --own.freeze, --own.reference, --own.cameras and --own.truth")
    if own.freeze and own.truth:
        config, truth = LiftConfig(own.freeze, own.reference, own.cameras, width=size), own.truth
        groups = [g.strip() for g in own.groups.split(",") if g.strip()]
        if not groups:
            raise FourRealError("--own.groups names no group; for example heldout0,heldout1")
        name = own.freeze.resolve().parent.name
        cases = {name: lambda: files_case(config, truth, groups, where)}
    else:
        filming = Filming(size, 2 * round(size * 9 / 32), warp=spoil)
        cases = {f"world {i}": (lambda i=i: world_case(ABLATED + i, filming, where)) for i in range(film.worlds)}
    settings = {
        "size": size,
        "spoil": spoil,
        "effort": effort,
        "own": [str(f) for f in files if f],
        "groups": own.groups,
    }
    ablation = Ablation.open(out, settings)
    total = len(cases) * len(chosen) * seeds

    def show(fit: Fit) -> None:
        done = f"{len(ablation.fits):3d}/{total}"
        figure = f"{fit.scores['heldout']['psnr']:.2f} dB, {fit.seconds:.0f} s"
        console.print(f"{done}  {fit.case}  {fit.variant}  seed {fit.seed}: {figure}", markup=False, highlight=False)

    gaussians = min(20_000, round(20_000 * size / 256))
    run_ablation(ablation, cases, chosen, range(seeds), effort=effort, gaussians=gaussians, on_fit=show)
    console.print(_table(ablation.summary()))
    console.print(
        f"figures in {out / RESULTS}, pictures in {out / SHEET}", markup=False, highlight=False, soft_wrap=True
    )
    return 0


def _table(rows: list[dict]) -> object:
    """A row a variant: PSNR of the headline and of the groups that all have, and the gain over everything."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    groups = ["heldout", *[g for g in ("seen", "frozen") if all(g in r for r in rows)]]
    table = Table(title="PSNR in dB: mean ± spread; gain over everything on held-out views", box=SIMPLE_HEAD)
    for name in ("variant", *groups, "gain"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        cells = [f"{row[g]['mean']:.2f} ±{row[g]['spread']:.2f}" for g in groups]
        gain = row["heldout"]["gain"]
        change = "" if gain["mean"] is None else f"{gain['mean']:+.2f} ±{gain['spread']:.2f}"
        table.add_row(row["variant"], *cells, change)
    return table
