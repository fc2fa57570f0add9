"""Frozen time: do clips turn as their camera path says, stand still where it does, and go on all the way round?"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from _video_fidelity import said
from _video_setting import Setting, frame_psnr, repeated, signs, table
from _video_splats import fit_clip, shown
from torch import Tensor

from fourreal.io.images import write_image
from fourreal.video.embedded.network import Conditions
from fourreal.worlds import Shots, captions

_ORBIT, _JUDGED_AT = 60.0, 30.0  # degrees
_WIN = 4.0  # dB over repeating the first frame, wanted at `_JUDGED_AT`
_ROUND = 180.0  # degrees that a chain of clips goes, either way


def freeze(setting: Setting) -> dict[str, object]:
    """Clips of frozen time from a true first frame along an orbit of 60 degrees, against the truth."""
    count = setting.options.many(64)
    worlds = setting.worlds("freeze", count)
    moments = setting.moments("freeze", count)
    truth, camera, shots = setting.orbit(worlds, _ORBIT * signs(count), moments)
    given = setting.given(captions(worlds), "freeze", known=setting.first_known(), camera=camera)
    made = setting.generate(given, truth)
    degrees = torch.linspace(0, _ORBIT, setting.frames).tolist()
    curve, lazy = (frame_psnr(clips, truth).mean(0).tolist() for clips in (made, repeated(truth)))
    rows = [
        (f"{a:.0f}", f"{p:.2f}", f"{b:.2f}", f"{p - b:+.2f}")
        for a, p, b in list(zip(degrees, curve, lazy, strict=True))[1:]
    ]
    table(f"freeze: PSNR over the angle, mean of {count} clips", ("degrees", "generated", "first frame", "gain"), rows)
    win = _between(degrees, curve, _JUDGED_AT) - _between(degrees, lazy, _JUDGED_AT)
    print(f"gain at {_JUDGED_AT:g} degrees: {win:.2f} dB; wanted >= {_WIN:g}: {said(win >= _WIN)}")
    out: dict[str, object] = {"degrees": degrees[1:], "generated": curve[1:], "first frame": lazy[1:], "gain": win}
    out |= _stillness(setting, given, camera, truth)
    fitted = min(setting.options.static_fit, count)
    if fitted:
        out["static fit"] = _static_fits(setting, made[:fitted], truth[:fitted], shots)
    return out


def _between(places: list[float], values: list[float], at: float) -> float:
    """Linear interpolation."""
    i = next(i for i, place in enumerate(places[1:]) if place >= at)
    share = (at - places[i]) / (places[i + 1] - places[i])
    return values[i] + share * (values[i + 1] - values[i])


def _stillness(setting: Setting, given: Conditions, camera: Tensor, truth: Tensor) -> dict[str, float]:
    """Motion left in clips of frozen time before a still camera, where the truth has none."""
    still = given._replace(camera=torch.zeros_like(camera))
    made = setting.generate(still, truth)
    running = setting.dynamic(setting.worlds("freeze", len(made)), setting.generator("freeze"))
    found = {"generated, time frozen": _wobble(made), "true, time frozen": 0.0, "true, time running": _wobble(running)}
    table("freeze: standard deviation of pixels over time, still camera", ("clips", "deviation"), list(found.items()))
    return {f"wobble {k}": v for k, v in found.items()}


def _wobble(clips: Tensor) -> float:
    return float(clips.std(1, correction=0).mean())


def _static_fits(setting: Setting, made: Tensor, truth: Tensor, shots: Shots) -> dict[str, float]:
    """How well Gaussians that do not move explain a clip seen by its cameras: what is left is motion or wrong views."""
    effort, found = setting.options.fit_effort, {}
    for name, clips in (("generated", made), ("true", truth)):
        fits = [shown(fit_clip(clip, shots, i, effort), shots, i) for i, clip in enumerate(clips)]
        found[name] = float(frame_psnr(torch.stack(fits), clips.cpu()).mean())
    title = f"freeze: PSNR of static Gaussians on the frames they were fitted to, mean of {len(made)} clips"
    table(title, ("clips", "PSNR"), list(found.items()))
    return found


def extend(setting: Setting) -> dict[str, object]:
    """Chains of clips, the last half of each the first half of the next, until they have gone half way round."""
    count, half = setting.options.many(16), setting.frames // 2
    worlds = setting.worlds("extend", count)
    turn = _ORBIT / (setting.frames - 1)
    links = math.ceil((_ROUND / turn + 1 - setting.frames) / half)
    total = setting.frames + half * links
    both, ways = worlds[list(range(count)) * 2], torch.cat((torch.ones(count), -torch.ones(count)))
    moments = setting.moments("extend", count).repeat(2)
    truth, camera, _ = setting.orbit(both, turn * (total - 1) * ways, moments, total)
    made = _chained(setting, captions(both), truth[:, :1], camera)
    quality, lazy = frame_psnr(made, truth), frame_psnr(repeated(truth), truth)
    steps = [(1, setting.frames)] + [(setting.frames + i * half, setting.frames + (i + 1) * half) for i in range(links)]
    rows = []
    for i, (a, b) in enumerate(steps):
        right, left = (float(quality[part, a:b].mean()) for part in (slice(count), slice(count, None)))
        base = float(lazy[:, a:b].mean())
        rows.append((i, f"{a * turn:.0f} to {(b - 1) * turn:.0f}", f"{right:.2f}", f"{left:.2f}", f"{base:.2f}"))
    head = ("step", "degrees", "PSNR to the right", "PSNR to the left", "first frame")
    table(f"extend: {half} known frames, {setting.frames - half} new; mean of {count} worlds", head, rows)
    if setting.options.pictures is not None:
        _walk(setting.options.pictures / "extend.png", made, truth, count)
    angles = (turn * torch.arange(1, total)).tolist()
    right, left, base = (x[:, 1:].mean(0).tolist() for x in (quality[:count], quality[count:], lazy))
    return {"degrees": angles, "right": right, "left": left, "first frame": base, "steps": steps}


def _chained(setting: Setting, sentences: list[str], first: Tensor, camera: Tensor) -> Tensor:
    """Clips of any length: the first from one known frame, each further one from half a clip."""
    frames, half = setting.frames, setting.frames // 2
    prefix = torch.arange(frames, device=setting.device) < half

    def link(known: Tensor, clear: Tensor, path: Tensor) -> Tensor:
        given = setting.given(sentences, "freeze", known=known, camera=path)
        return setting.generate(given, F.pad(clear, (0, 0) * 3 + (0, frames - clear.shape[1])))

    made = link(setting.first_known(), first, camera[:, :frames])
    while made.shape[1] < camera.shape[1]:
        start = made.shape[1] - half
        fresh = link(prefix, made[:, -half:], camera[:, start : start + frames])
        made = torch.cat((made, fresh[:, half:]), 1)
    return made


def _walk(path: Path, made: Tensor, truth: Tensor, count: int) -> None:
    """Four worlds from far left to far right, generated above true."""
    every = max(1, made.shape[1] // 7)
    rows = []
    for i in range(min(4, count)):
        for clips in (made, truth):
            left, right = clips[count + i, ::every], clips[i, ::every]
            rows.append(torch.cat([*left.flip(0)[:-1], *right], -1))
    picture = torch.cat(rows, -2).float().cpu()
    write_image(path, F.interpolate(picture[None], scale_factor=2, mode="nearest")[0])
    print(f"drawn: {path}")
