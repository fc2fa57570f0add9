"""The section of `lift.py` on score distillation: nobody teaches, the oracle does, or the embedded model."""

from __future__ import annotations

from dataclasses import replace

from _lift_report import Setting, table
from _lift_worlds import GROUPS, SHOWN

from fourreal.stages.scoring import Teacher
from fourreal.stages.trial import Case, judge, lift_case, world_case
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.oracle import OracleVideoModel

STRENGTHS = (0.0, 0.5)  # clean, and as the freeze-time clip of a generator is
TEACHERS = ("none", "none, as many steps", "oracle", "embedded")


def score(setting: Setting) -> None:
    """Clean and spoiled clips, known poses: without a teacher, and with one that knows the truth or has learned."""
    known = Known(setting)
    for strength in STRENGTHS:
        name = f"score, spoiled {strength:g}" if strength else "score, clean"
        for seed in setting.seeds:
            case = world_case(seed, replace(setting.filming, **dict.fromkeys(setting.spoils, strength)), setting.device)
            for method in TEACHERS:
                if setting.wants(method):
                    _fit(setting, name, case, method, known.teacher(method, seed, case))


def score_tables(setting: Setting) -> None:
    """Print what `score` noted."""
    for strength in STRENGTHS:
        name = f"score, spoiled {strength:g}" if strength else "score, clean"
        how = (
            f"freeze-time clip spoiled by {' and '.join(setting.spoils)} of {strength:g}" if strength else "clean clips"
        )
        table(f"Score distillation, {how}, known poses", setting.of(name), GROUPS)
        _gains(setting.of(name))


class Known:
    """The teachers; the embedded model is read once."""

    def __init__(self, setting: Setting) -> None:
        """Read the embedded model's weights."""
        self._setting = setting
        self._embedded = EmbeddedVideoModel.load(setting.weights, setting.device)

    def teacher(self, method: str, seed: int, case: Case) -> Teacher | None:
        """Who teaches the lift of a world, told its caption; the oracle scores at a quarter of the clips' size."""
        caption = case.name.split(": ", 1)[1]
        if method == "embedded":
            return Teacher.of(self._embedded, caption)
        if method != "oracle":
            return None
        filming = self._setting.filming
        size = (filming.height, filming.width)
        quarter = (max(1, size[0] // 4), max(1, size[1] // 4))
        moment = filming.instant / filming.frames
        options = {"size": size, "score_size": quarter, "frames": filming.frames, "moment": moment}
        model = OracleVideoModel(seed, **options, registered=True, device=self._setting.device)
        return Teacher.of(model, caption)


def _fit(setting: Setting, section: str, case: Case, method: str, teacher: Teacher | None) -> None:
    result = lift_case(
        case.clips,
        effort=setting.effort,
        seed=setting.fit_seed,
        seeds=setting.gaussians,
        teacher=teacher,
        guided=method != "none",
    )
    setting.note(section, case.name, method, judge(result, case), result)
    name = f"{section}_{case.name.split(':')[0]}_{method}".replace(",", "").replace(" ", "_")
    setting.picture(name, result, case.truth, SHOWN, f"{case.name}  -  {section}, teacher: {method}")


def _gains(rows: list[dict]) -> None:
    """Print what teachers add on the same world to as many steps without one: worlds differ more than teachers do."""
    if not rows:
        return
    groups = ("heldout", "frozen", "outside")
    print("| teacher | " + " | ".join(f"{g}, dB" for g in groups) + " | worlds that gain |")
    print("|" + " --- |" * (len(groups) + 2))
    base = {r["case"]: r["scores"] for r in rows if r["method"] == "none, as many steps"}
    for method in ("oracle", "embedded"):
        some = [(r["scores"], base[r["case"]]) for r in rows if r["method"] == method and r["case"] in base]
        if not some:
            continue
        gains = {g: sorted(a[g]["psnr"] - b[g]["psnr"] for a, b in some) for g in groups}
        cells = [f"{sum(v) / len(v):+.2f} ({v[0]:+.2f} to {v[-1]:+.2f})" for v in gains.values()]
        better = sum(v > 0 for v in gains["heldout"])
        print(f"| {method} | " + " | ".join(cells) + f" | {better} of {len(some)} |")
    print(flush=True)
