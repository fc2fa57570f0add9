"""The sections of `lift.py` on procedural worlds: clean clips, spoiled ones, wrong and missing poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from _lift_plain import plain_lift
from _lift_report import Setting, table

from fourreal.fit.static import Targets
from fourreal.recipes import Ablations
from fourreal.stages.trial import Case, Lifted, judge, lift_case, world_case

GROUPS = ("heldout", "seen", "frozen", "arc", "outside")
SHOWN = ("seen", "heldout0", "heldout2", "outside")
# The canonical scene, before motion is fitted, against the truth: its own frame, the clip's cameras, others.
BEFORE = ("canonical frame", "canonical arc", "canonical frozen")
SPOILED = {
    "ours": Ablations(),
    "no per-frame deformation": Ablations(warp=False),
    "no small motion": Ablations(small_motion=False),
    "plain": None,
}


def clean(setting: Setting) -> None:
    """Clean clips, known poses: ours and a plain deformable 3DGS."""
    for seed in setting.seeds:
        case = world_case(seed, setting.filming, setting.device)
        for method, parts in SPOILED.items():
            # Without small motion there is nothing to learn on clean clips; the others show what a part costs there.
            if method != "no small motion":
                run(setting, "clean", case, method, parts)


def clean_tables(setting: Setting) -> None:
    """Print what `clean` noted."""
    _tables("Clean clips, known poses", setting.of("clean"))


def spoiled(setting: Setting) -> None:
    """Spoiled freeze-time clips, known poses: with and without parts of the method."""
    for strength in setting.strengths:
        name = f"spoiled {strength:g}"
        for seed in setting.seeds:
            filming = replace(setting.filming, **dict.fromkeys(setting.spoils, strength))
            case = world_case(seed, filming, setting.device)
            for method, parts in SPOILED.items():
                run(setting, name, case, method, parts)


def spoiled_tables(setting: Setting) -> None:
    """Print what `spoiled` noted, and what a part is worth on the same world: worlds differ by more than parts do."""
    for strength in setting.strengths:
        how = f"Freeze-time clip spoiled by {' and '.join(setting.spoils)} of {strength:g}, known poses"
        _tables(how, setting.of(f"spoiled {strength:g}"))


def _tables(title: str, rows: Sequence[dict[str, Any]]) -> None:
    table(title, rows, GROUPS)
    table(f"{title}: the canonical scene alone", [r for r in rows if BEFORE[0] in r["scores"]], BEFORE)
    gains(rows, (*GROUPS, *BEFORE))


def gains(rows: Sequence[dict[str, Any]], groups: Sequence[str], base: str = "ours") -> None:
    """Print by how much `base` beats the other methods on the same worlds: mean, lowest and highest, in dB."""
    best = {r["case"]: r["scores"] for r in rows if r["method"] == base}
    others = [m for m in dict.fromkeys(r["method"] for r in rows) if m != base]
    if not best or not others:
        return
    print(f"| {base} over | " + " | ".join(f"{g}, dB" for g in groups) + " |")
    print("|" + " --- |" * (len(groups) + 1))
    for method in others:
        pairs = [(best[r["case"]], r["scores"]) for r in rows if r["method"] == method and r["case"] in best]
        cells = []
        for group in groups:
            won = sorted(a[group]["psnr"] - b[group]["psnr"] for a, b in pairs if group in a and group in b)
            cells.append(f"{sum(won) / len(won):+.2f} ({won[0]:+.2f} to {won[-1]:+.2f})" if won else "")
        print(f"| {method} | " + " | ".join(cells) + " |")
    print(flush=True)


def run(setting: Setting, section: str, case: Case, method: str, parts: Ablations | None) -> None:
    """Lift, judge and note one case, if the command line asks for it."""
    if not setting.wants(method) or (method == "plain" and not setting.plain):
        return
    if method == "plain":
        result = plain_lift(case.clips, effort=setting.effort, seed=setting.fit_seed, seeds=setting.gaussians)
    else:
        result = lift_case(
            case.clips, parts=parts, effort=setting.effort, seed=setting.fit_seed, seeds=setting.gaussians
        )
    setting.note(section, case.name, method, {**judge(result, case), **_before(result, case)}, result)
    name = f"{section}_{case.name.split(':')[0]}_{method}".replace(" ", "_")
    setting.picture(name, result, case.truth, SHOWN, f"{case.name}  -  {section}, {method}")


def _before(result: Lifted, case: Case) -> dict[str, dict[str, float]]:
    """Figures of the canonical scene, where the method has one."""
    if result.before is None:
        return {}
    arc = case.truth["arc"]
    own = Targets(arc.images[:1], arc.cameras[[0]])
    truth = dict(zip(BEFORE, (own, arc, case.truth["frozen"]), strict=True))
    return judge(result.before, replace(case, truth=truth, heldout=()))
