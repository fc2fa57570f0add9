"""The sections of `lift.py` on procedural worlds: clean clips, spoiled ones, wrong and missing poses."""

from __future__ import annotations

from dataclasses import replace

from _lift_plain import plain_lift
from _lift_report import Setting, table

from fourreal.recipes import Ablations
from fourreal.stages.trial import Case, Lifted, judge, lift_case, world_case

GROUPS = ("heldout", "seen", "frozen", "arc", "outside")
SHOWN = ("seen", "heldout0", "heldout2", "outside")


def clean(setting: Setting) -> None:
    """Clean clips, known poses: ours and a plain deformable 3DGS."""
    for seed in setting.seeds:
        case = world_case(seed, setting.filming, setting.device)
        run(setting, "clean", case, "ours")
        if setting.plain:
            run(setting, "clean", case, "plain")
    table("Clean clips, known poses", _rows(setting, "clean"), GROUPS)


def spoiled(setting: Setting) -> None:
    """Spoiled freeze-time clips, known poses: with and without parts of the method."""
    methods = {
        "ours": Ablations(),
        "no per-frame deformation": Ablations(warp=False),
        "no small motion": Ablations(small_motion=False),
    }
    for strength in setting.strengths:
        name = f"spoiled {strength:g}"
        for seed in setting.seeds:
            filming = replace(setting.filming, **dict.fromkeys(setting.spoils, strength))
            case = world_case(seed, filming, setting.device)
            for method, parts in methods.items():
                run(setting, name, case, method, parts)
            if setting.plain:
                run(setting, name, case, "plain")
        how = " and ".join(setting.spoils)
        table(f"Freeze-time clip spoiled by {how} of {strength:g}, known poses", _rows(setting, name), GROUPS)


def run(setting: Setting, section: str, case: Case, method: str, parts: Ablations | None = None) -> Lifted:
    """Lift, judge and note one case."""
    if method == "plain":
        result = plain_lift(case.clips, effort=setting.effort, seed=setting.fit_seed, seeds=setting.gaussians)
    else:
        result = lift_case(
            case.clips, parts=parts, effort=setting.effort, seed=setting.fit_seed, seeds=setting.gaussians
        )
    setting.note(section, case.name, method, judge(result, case), result)
    name = f"{section}_{case.name.split(':')[0]}_{method}".replace(" ", "_")
    setting.picture(name, result, case.truth, SHOWN, f"{case.name}  -  {section}, {method}")
    return result


def _rows(setting: Setting, section: str) -> list[dict]:
    return [r for r in setting.rows if r["section"] == section]
