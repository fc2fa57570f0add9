"""The section of `lift.py` on poses: known ones with noise, refined in the fit or not, and none at all."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from _lift_report import Setting, medians, table
from _lift_worlds import GROUPS, gains

from fourreal.core.cameras import Cameras
from fourreal.core.geometry import quat_exp, quat_to_matrix
from fourreal.core.video import Video
from fourreal.fit.clips import Clips
from fourreal.fit.static import Targets
from fourreal.pose import PoseError, Wanted, align, locate
from fourreal.pose.base import scene_distance
from fourreal.pose.chain import METHODS, Method
from fourreal.pose.known import corrected
from fourreal.recipes import Ablations
from fourreal.stages.trial import Case, judge, lift_case, world_case

DEGREES, PERCENT = 2.0, 2.0


def poses(setting: Setting) -> None:
    """Known poses, noisy ones corrected, refined or neither, estimated ones: quality and pose errors."""
    for seed in setting.seeds:
        case = world_case(seed, setting.filming, setting.device)
        disturbed = noisy(case.clips, seed)
        _fit(setting, case, case.clips, "known")
        if setting.wants("noise, corrected and refined"):
            _fit(setting, case, as_lifted(disturbed), "noise, corrected and refined")
        _fit(setting, case, disturbed, "noise, refined in the fit alone")
        _fit(setting, case, disturbed, "noise, neither", Ablations(refine_poses=False))
        ways: dict[str, tuple[Method, ...]] = {"none: chain": METHODS, "none: orbit": ("orbit",)}
        for name, methods in ways.items():
            if not setting.wants(name):
                continue
            found = estimated(case.clips, methods)
            if isinstance(found, str):
                print(f"  poses | {case.name[:40]} | {name} | {found}", flush=True)
                setting.failed.append({"section": "poses", "case": case.name, "method": name, "why": found})
            else:
                _fit(setting, case, found[0], name, before=found[1])


def poses_tables(setting: Setting) -> None:
    """Print what `poses` noted."""
    rows = setting.of("poses")
    title = (
        f"Poses: {DEGREES:g} degrees and {PERCENT:g} % of noise on each freeze camera but the canonical, or none given"
    )
    table(title, rows, GROUPS)
    gains(rows, GROUPS, "known")
    if not rows:
        return
    print("| method | error before, degrees | after, degrees | before, % | after, % |\n| --- | --- | --- | --- | --- |")
    for method in dict.fromkeys(r["method"] for r in rows):
        some = [{"scores": r["poses"]} for r in rows if r["method"] == method]
        cells = [
            medians(some, [when], f"{what}_median")[0]
            for what in ("degrees", "percent")
            for when in ("before", "after")
        ]
        print(f"| {method} | " + " | ".join(f"{v:.2f}" for v in cells) + " |")


def _fit(
    setting: Setting, case: Case, clips: Clips, method: str, parts: Ablations | None = None, before: float = 0.0
) -> None:
    if not setting.wants(method):
        return
    result = lift_case(clips, parts=parts, effort=setting.effort, seed=setting.fit_seed, seeds=setting.gaussians)
    truth = case.truth["arc"].cameras
    errors = {"before": align(clips.freeze.cameras, truth).to_json(), "after": align(result.freeze, truth).to_json()}
    # Known poses are judged as they are: they need no help.
    move = None if method == "known" else align(truth, result.freeze).move
    setting.note("poses", case.name, method, judge(result, case, move), result, poses=errors, pose_seconds=before)


def noisy(clips: Clips, seed: int) -> Clips:
    """Each freeze camera but the canonical one turned about a random axis and moved in a random direction."""
    cameras = clips.freeze.cameras
    draw = torch.nn.functional.normalize(
        torch.randn(2, len(cameras), 3, generator=torch.Generator().manual_seed(seed)), dim=-1
    ).to(cameras.viewmats)
    draw[:, clips.canonical] = 0
    turn = quat_to_matrix(quat_exp(torch.deg2rad(torch.tensor(DEGREES)) * draw[0]))
    shift = PERCENT / 100 * scene_distance(cameras.to("cpu"), torch.zeros(0, 3), clips.canonical) * draw[1]
    views = cameras.viewmats.clone()
    rotation = turn @ views[:, :3, :3]
    views[:, :3, :3] = rotation
    views[:, :3, 3] = -(rotation @ (cameras.positions + shift)[..., None]).squeeze(-1)
    return replace(clips, freeze=replace(clips.freeze, cameras=replace(cameras, viewmats=views)))


def as_lifted(clips: Clips) -> Clips:
    """The clips as `4real lift` takes them: given cameras that the pictures contradict are replaced before the fit."""
    given = clips.freeze.cameras
    better, note = corrected(given.to("cpu"), Video(clips.freeze.images.cpu()), clips.canonical)
    print(f"  {note or 'the given cameras are believed'}", flush=True)
    freeze = replace(clips.freeze, cameras=better.to(given.viewmats.device))
    return replace(clips, freeze=freeze, given=not note)


def estimated(clips: Clips, methods: tuple[Method, ...]) -> tuple[Clips, float] | str:
    """The clips with cameras found from their pictures alone and the seconds it took, or why there are none."""
    begun = time.perf_counter()
    assert clips.reference is not None
    freeze, reference = Video(clips.freeze.images.cpu()), Video(clips.reference.images.cpu())
    try:
        found = locate(freeze, reference, Wanted(methods=methods))
    except PoseError as error:
        return str(error)
    assert found.reference is not None
    device = clips.freeze.images.device

    def seen(images: torch.Tensor, cameras: Cameras) -> Targets:
        return Targets(images, cameras.to(device))

    first, second = (
        seen(clips.freeze.images, found.freeze.cameras),
        seen(clips.reference.images, found.reference.cameras),
    )
    return Clips(first, second, found.canonical, found.instant), round(time.perf_counter() - begun, 1)
