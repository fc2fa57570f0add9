"""The sections of `lift.py` on files: scenes with truth from other renderers, and clips of which little is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from _lift_plain import plain_lift
from _lift_poses import estimated
from _lift_report import Setting, table

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.storage import read_json
from fourreal.fit.clips import Clips
from fourreal.fit.static import Targets
from fourreal.io.cameras_json import read_cameras_json
from fourreal.io.frames import resize_frames
from fourreal.io.video import read_video
from fourreal.pose import align
from fourreal.pose.chain import METHODS
from fourreal.pose.known import fitted
from fourreal.stages.lift import LiftConfig, read_clips
from fourreal.stages.trial import Case, Lifted, files_case, judge, lift_case


def scenes(setting: Setting) -> None:
    """Folders with cameras.json, freeze.mp4, ref.mp4 and heldout*.mp4: known poses and none, ours and plain."""
    folders = _folders(setting.scenes, "cameras.json", "--scenes")
    for folder in folders:
        given = read_cameras_json(folder / "cameras.json")
        groups = [g for g in given.groups if g.startswith("heldout")]
        config = LiftConfig(
            folder / "freeze.mp4", folder / "ref.mp4", folder / "cameras.json", width=setting.filming.width
        )
        case = files_case(config, folder, groups, setting.device)
        assert case.clips.reference is not None
        case = replace(
            case, name=folder.name, truth={**case.truth, "seen": case.clips.reference, "arc": case.clips.freeze}
        )
        fits = {"ours": lambda c=case: lift_case(c.clips, **_options(setting))}
        if setting.plain:
            fits["plain"] = lambda c=case: plain_lift(c.clips, **_options(setting))
        for method, make in fits.items():
            if not setting.wants(method):
                continue
            result = make()
            setting.note("scenes", case.name, method, judge(result, case), result)
            setting.picture(f"scene_{case.name}_{method}", result, case.truth, ("seen", *groups), case.name)
        if not setting.wants("no poses"):
            continue
        found = estimated(case.clips, METHODS)
        if isinstance(found, str):
            print(f"  scenes | {case.name} | no poses | {found}", flush=True)
            continue
        result = lift_case(found[0], **_options(setting))
        move = align(case.clips.freeze.cameras, result.freeze)
        setting.note("scenes", case.name, "no poses", judge(result, case, move.move), result, poses=move.to_json())


def scenes_tables(setting: Setting) -> None:
    """Print what `scenes` noted."""
    rows = setting.of("scenes")
    names = ("heldout", "seen", "arc", *(f"heldout{i}" for i in range(4)))
    for name in dict.fromkeys(r["case"] for r in rows):
        table(f"Scene {name}", [r for r in rows if r["case"] == name], [g for g in names if _has(rows, g)])


def clips(setting: Setting) -> None:
    """Folders with freeze.mp4 and perhaps ref.mp4, from files alone; other views where the folder has them."""
    for folder in _folders(setting.clips, "freeze.mp4", "--clips"):
        if not setting.wants(folder.name):
            continue
        reference = folder / "ref.mp4" if (folder / "ref.mp4").exists() else None
        config = LiftConfig(folder / "freeze.mp4", reference, width=setting.filming.width)
        try:
            found, notes = read_clips(config, lambda line, name=folder.name: print(f"  {name}: {line}", flush=True))
        except FourRealError as error:
            print(f"  clips | {folder.name} | {error}", flush=True)
            setting.failed.append({"section": "clips", "case": folder.name, "why": str(error)})
            continue
        found = found.to(setting.device)
        result = lift_case(found, **_options(setting))
        truth = {"arc": replace(found.freeze, cameras=result.freeze)}
        if found.reference is not None:
            truth["seen"] = found.reference
        case = Case(folder.name, found, {**truth, **_other_views(folder, found, result)}, ())
        setting.note("clips", case.name, "ours", judge(result, case), result, notes=notes["notes"])
        setting.picture(f"clip_{case.name}", result, case.truth, tuple(case.truth), f"{case.name}, from files alone")
        _round(setting, folder.name, result, found)


def clips_tables(setting: Setting) -> None:
    """Print what `clips` noted, a clip a table: each has views of its own."""
    for row in setting.of("clips"):
        table(f"Clip {row['case']}, from files alone", [row], list(row["scores"]))


def _other_views(folder: Path, clips: Clips, result: Lifted) -> dict[str, Targets]:
    """truth_view1.mp4, ...: the times of the reference from the camera of a freeze frame that info.json names;
    truth_moving.mp4: the freeze-time cameras while time runs."""
    out: dict[str, Targets] = {}
    if clips.reference is None:
        return out
    stops = read_json(folder / "info.json")["freeze_frame_at_each_stop"] if (folder / "info.json").exists() else []
    views = {f"truth_view{i}": [frame] * len(clips.reference.cameras) for i, frame in enumerate(stops)}
    views["truth_moving"] = list(range(len(clips.freeze.cameras)))
    for name, frames in views.items():
        if not (folder / f"{name}.mp4").exists():
            continue
        video = read_video(folder / f"{name}.mp4")
        if len(video) != len(frames) or len(video) > len(clips.reference.cameras):
            continue
        device = result.freeze.viewmats.device
        cameras = fitted(result.freeze[frames], video).resized(result.freeze.width, result.freeze.height)
        times = torch.arange(len(video), device=device).float()
        images = resize_frames(video.frames, cameras.height, cameras.width).to(device)
        out[name] = Targets(images, replace(cameras, times=times))
    return out


def _round(setting: Setting, name: str, result: Lifted, clips: Clips) -> None:
    """A contact sheet: the freeze-time cameras, and six views on their way while time runs."""
    if setting.pictures is None:
        return
    from fourreal.io.images import write_image

    rows = torch.linspace(0, len(result.freeze) - 1, 6).round().long().to(result.freeze.viewmats.device)
    last = 0 if clips.reference is None else len(clips.reference.cameras) - 1
    still, running = torch.full((6,), float(clips.instant)), torch.linspace(0, last, 6)
    strips = [torch.cat(list(clips.freeze.images[rows].cpu()), -1)]
    for times in (still, running):
        way: Cameras = replace(result.freeze[rows], times=times.to(rows.device))
        strips.append(torch.cat(list(result.render(way).cpu()), -1))
    write_image(setting.pictures / f"round_{name}.png", torch.cat(strips, -2))


def _options(setting: Setting) -> dict:
    return {"effort": setting.effort, "seed": setting.fit_seed, "seeds": setting.gaussians}


def _folders(parent: Path | None, file: str, option: str) -> list[Path]:
    if parent is None:
        print(f"  left out: give {option} DIR, a folder of folders with {file}", flush=True)
        return []
    return sorted(p.parent for p in parent.glob(f"*/{file}"))


def _has(rows: list[dict], group: str) -> bool:
    return any(group in r["scores"] for r in rows)
