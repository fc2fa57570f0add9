"""One-step denoising, and what score distillation makes of spoiled clips."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from _video_fidelity import said
from _video_setting import Setting, frame_psnr, repeated, signs, table
from _video_splats import cameras_of, fit_clip
from torch import Tensor

from fourreal.core.gaussians import Gaussians
from fourreal.fit.static import views_of
from fourreal.raster import Splats, select
from fourreal.video.embedded.network import Conditions
from fourreal.worlds import Shots, captions, spoil

_SIGMAS = (0.3, 1.0, 3.0)
_FROM, _TO = 1.5, 0.1  # noise over signal in distillation
_FALL = 0.3  # of the squared error, wanted

Teacher = Callable[[Tensor, float], Tensor]


def score(setting: Setting) -> dict[str, object]:
    """PSNR of one clean prediction from clips with noise and a known first frame."""
    count = setting.options.many(64)
    worlds, first = setting.worlds("score", count), setting.first_known()
    truth, camera, _ = setting.orbit(worlds, 60 * signs(count), setting.moments("score", count))
    running = setting.dynamic(worlds, setting.generator("score"))
    said_of = captions(worlds)
    cases = {
        "dynamic": (running, setting.given(said_of, "dynamic", known=first)),
        "freeze": (truth, setting.given(said_of, "freeze", known=first, camera=camera)),
    }
    rows, out = [], {}
    for name, (clips, given) in cases.items():
        lazy = float(frame_psnr(repeated(clips), clips)[:, 1:].mean())
        for sigma in _SIGMAS:
            plain, guided = (_one_step(setting, clips, given, sigma, g) for g in (1.0, setting.options.score_guidance))
            wins = f"{said(plain > lazy)}, {said(guided > lazy)}"
            rows.append((name, f"{sigma:g}", f"{plain:.2f}", f"{guided:.2f}", f"{lazy:.2f}", wins))
            out[f"{name} {sigma:g}"] = {"unguided": plain, "guided": guided, "first frame": lazy}
    head = ("context", "sigma", "unguided", f"guidance {setting.options.score_guidance:g}", "first frame", "they win")
    table(f"score: PSNR of one denoising step, first frame known, mean of {count} clips", head, rows)
    return out


def _one_step(setting: Setting, clips: Tensor, given: Conditions, sigma: float, guidance: float) -> float:
    clean = 2 * clips - 1
    noise = torch.randn(clean.shape, generator=setting.generator("score"), device=clean.device)
    made = setting.denoise(clean + sigma * noise, sigma, given, clean, guidance)
    return float(frame_psnr((made + 1) / 2, clips)[:, 1:].mean())


def sds(setting: Setting) -> dict[str, object]:
    """Spoiled scenes mended by score distillation alone."""
    count = setting.options.many(8)
    worlds = setting.worlds("sds", count)
    truth, camera, shots = setting.orbit(worlds, 60 * signs(count), setting.moments("sds", count))
    given = setting.given(captions(worlds), "freeze", known=setting.first_known(), camera=camera)
    out: dict[str, object] = {}
    if "pixels" in setting.options.sds:
        out["pixels"] = _told("every pixel free", *_mend_pixels(setting, truth, given, worlds.seeds))
    if "gaussians" in setting.options.sds:
        found = [_mend_gaussians(setting, truth, given, shots, i) for i in range(count)]
        before, after, fitted = zip(*found, strict=True)
        out["gaussians"] = _told("static Gaussians", before, after)
        print(f"of the clean Gaussians: {sum(fitted) / count:.5f}")
        out["gaussians, clean"] = list(fitted)
    return out


def _told(title: str, before: tuple[float, ...], after: tuple[float, ...]) -> dict[str, object]:
    rows = [
        (str(i), f"{b:.5f}", f"{a:.5f}", f"{1 - a / b:.1%}") for i, (b, a) in enumerate(zip(before, after, strict=True))
    ]
    fall = 1 - sum(after) / sum(before)
    rows.append(("all", f"{sum(before) / len(before):.5f}", f"{sum(after) / len(after):.5f}", f"{fall:.1%}"))
    table(f"sds, {title}: squared error to the truth, first frame aside", ("world", "before", "after", "fall"), rows)
    print(f"wanted a fall of {_FALL:.0%}: {said(fall >= _FALL)}")
    return {"before": list(before), "after": list(after), "fall": fall}


def _teacher(setting: Setting, given: Conditions, truth: Tensor) -> Teacher:
    """Guided clean predictions of noisy clips; the first frame is known."""
    clear = 2 * truth - 1
    return lambda x, sigma: setting.denoise(x, sigma, given, clear, setting.options.score_guidance)


def sigma_at(progress: float) -> float:
    """From much to little noise, fast at first (HiFA, arXiv 2305.18766, section 3.3)."""
    return _FROM - (_FROM - _TO) * math.sqrt(progress)


def distil(
    teacher: Teacher,
    video: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
    steps: int,
    generator: torch.Generator,
) -> None:
    """Descend 0.5 |x - x0|^2 with x0 the teacher's clean prediction of x + noise, taken as constant.

    Args:
        teacher: clean clips in [-1, 1] from noisy ones and sigma.
        video: clips [B, F, 3, H, W] in [0, 1] as the variables now show them.
        optimizer: of the variables.
        steps: of it.
        generator: of the noise, on the teacher's device.
    """
    for step in range(steps):
        sigma = sigma_at(step / max(1, steps - 1))
        x = 2 * video().to(generator.device) - 1
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        with torch.no_grad():
            clean = teacher(x + sigma * noise, sigma)
        # The given frame is the truth itself: counting it would be fitting, not distillation.
        loss = 0.5 * (x - clean)[:, 1:].square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def _errors(clips: Tensor, truth: Tensor) -> tuple[float, ...]:
    return tuple((clips.clamp(0, 1).to(truth) - truth)[:, 1:].square().mean((1, 2, 3, 4)).tolist())


def spoiled(truth: Tensor, seeds: Tensor) -> Tensor:
    """Warped, with drifting colours, and blurred after the first frame."""
    bad = spoil(truth, seeds, warp=1.0, drift=1.0).rgb
    soft = F.avg_pool2d(F.pad(bad.flatten(0, 1), (1, 1, 1, 1), mode="replicate"), 3, 1).reshape(bad.shape)
    return torch.cat((truth[:, :1], soft[:, 1:]), 1)


def _mend_pixels(
    setting: Setting, truth: Tensor, given: Conditions, seeds: Tensor
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Errors of spoiled clips before and after."""
    start = spoiled(truth, seeds)
    clips = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([clips], lr=0.01)
    teacher = _teacher(setting, given, truth)
    distil(teacher, lambda: clips, optimizer, setting.options.sds_steps, setting.generator("sds"))
    return _errors(start, truth), _errors(clips.detach(), truth)


def corrupted(gaussians: Gaussians, seed: int) -> Gaussians:
    """Other colours, and centres moved in smooth waves by some hundredths of the scene."""
    generator = torch.Generator().manual_seed(seed)
    gain, lift = (torch.rand(3, generator=generator) - 0.5 for _ in range(2))
    means = gaussians.means
    middle = means.median(0).values
    reach = (means - middle).norm(dim=1).median()
    turn, phase = torch.randn(3, 3, generator=generator), 2 * math.pi * torch.rand(3, generator=generator)
    moved = means + 0.06 * reach * torch.sin((means - middle) / reach @ (2 * turn) + phase)
    colors = (gaussians.colors * (1 + 0.6 * gain) + 0.25 * lift).clamp(0, 1)
    return Gaussians(moved, gaussians.quats, gaussians.log_scales, gaussians.logit_opacities, colors)


def _mend_gaussians(
    setting: Setting, truth: Tensor, given: Conditions, shots: Shots, index: int
) -> tuple[float, float, float]:
    """Errors of corrupted Gaussians before and after, and of the clean ones."""
    cameras, render = cameras_of(shots, index), select("cpu")
    good = fit_clip(truth[index], shots, index, setting.options.fit_effort)
    bad = corrupted(good, index)
    means, colors = bad.means.clone().requires_grad_(), bad.colors.clone().requires_grad_()
    extent = float((cameras.positions - cameras.positions.mean(0)).norm(dim=1).max())

    def video() -> Tensor:
        splats = Splats(means, bad.quats, bad.scales, bad.opacities, colors)
        return render(splats, views_of(cameras)).color[None]

    optimizer = torch.optim.Adam(
        [{"params": [means], "lr": 2e-3 * max(extent, 1e-3)}, {"params": [colors], "lr": 0.01}], eps=1e-15
    )
    own = truth[index : index + 1]
    before = video().detach()
    teacher = _teacher(setting, given.at(slice(index, index + 1)), own)
    distil(teacher, video, optimizer, setting.options.sds_steps, setting.generator("sds", index))
    splats = Splats(good.means, good.quats, good.scales, good.opacities, good.colors)
    clean = render(splats, views_of(cameras)).color[None]
    return _errors(before, own)[0], _errors(video().detach(), own)[0], _errors(clean, own)[0]
