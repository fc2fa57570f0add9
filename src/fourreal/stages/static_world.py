"""A static scene from exact views of one frozen instant of a world: the fitting engine's proof on any machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fourreal.core.errors import FieldError
from fourreal.core.gaussians import Gaussians
from fourreal.core.paths import look_target, orbit
from fourreal.core.scene import Scene
from fourreal.core.storage import write_json
from fourreal.core.video import Video
from fourreal.fit.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from fourreal.fit.loop import Progress, fit
from fourreal.fit.phases import Phase
from fourreal.fit.seeding import seed_gaussians
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets, render_cameras, static_objective
from fourreal.io.ply import write_ply
from fourreal.io.video import write_video
from fourreal.metrics import psnr, ssim
from fourreal.raster.choose import select
from fourreal.worlds.cameras import core_cameras, place_cameras
from fourreal.worlds.captions import captions
from fourreal.worlds.render import render as render_world
from fourreal.worlds.sample import sample_worlds

SAVE_EVERY = 15.0  # seconds between checkpoints


@dataclass(frozen=True)
class StaticWorld:
    """What is fitted: the world, the moment, and how it is seen.

    Attributes:
        seed: of the world and of the fit.
        views: cameras to fit, on a circle whose height waves.
        heldout: cameras to judge by, between them on the same circle.
        width, height: image size in pixels.
        seeds: Gaussians to start from.
        moment: the frozen instant, 0..1 of the clip.
    """

    seed: int = 3
    views: int = 32
    heldout: int = 8
    width: int = 256
    height: int = 144
    seeds: int = 20_000
    moment: float = 0.3

    def __post_init__(self) -> None:
        for name, low in (("views", 4), ("heldout", 1), ("width", 32), ("height", 32), ("seeds", 100)):
            if getattr(self, name) < low:
                raise FieldError(f"StaticWorld.{name} must be at least {low}, got {getattr(self, name)}")


@dataclass(frozen=True)
class StaticResult:
    """How good the fit is, and where it is.

    `psnr` (dB) and `ssim` are means over the held-out views; `train_psnr` over the fitted ones; `seconds` is the time
    of seeding and fitting, without the rendering of the truth and of the outputs.
    """

    caption: str
    psnr: float
    ssim: float
    train_psnr: float
    gaussians: int
    seconds: float


@torch.no_grad()
def observe(config: StaticWorld, device: torch.device) -> tuple[Targets, Targets, str]:
    """Exact views to fit, exact views to judge by, and the caption of the world."""
    world = sample_worlds([config.seed], device)
    total = config.views + config.heldout
    turn = torch.arange(total, device=device) / total * 2 * math.pi
    wave = math.radians(8) * torch.sin(3 * turn) + math.radians(4)
    path = torch.stack([turn, wave, torch.zeros_like(turn)], -1)[None]
    times = torch.full((1, total), config.moment, device=device)
    shots = place_cameras(world, path, times, config.width, config.height)
    images, cameras = render_world(world, shots, geometry=False).rgb[0], core_cameras(shots, 0)
    judged = ((torch.arange(config.heldout) + 0.5) * total / config.heldout).long()
    fitted = torch.tensor([i for i in range(total) if i not in set(judged.tolist())])
    train, heldout = (Targets(images[i.to(device)], cameras[i.to(device)]) for i in (fitted, judged))
    return train, heldout, captions(world)[0]


def fit_static(
    config: StaticWorld,
    train: Targets,
    phases: Sequence[Phase],
    *,
    checkpoint: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Gaussians:
    """Seed and fit; goes on from `checkpoint` if that holds the same run, and leaves one there every few seconds."""
    device = train.images.device
    run = fingerprint(phases, str(asdict(config)), device.type)
    state = load_checkpoint(checkpoint, run, device) if checkpoint else None
    if state is None:
        seeds = seed_gaussians(train, config.seeds, torch.Generator().manual_seed(config.seed))
        state = FitState.begin(seeds, train.extent(), config.seed)
    saved = time.monotonic()

    def save(state: FitState) -> None:
        nonlocal saved
        if checkpoint and time.monotonic() - saved > SAVE_EVERY:
            save_checkpoint(checkpoint, state, run)
            saved = time.monotonic()

    objective = static_objective(train, select(device))
    return fit(state, phases, objective, on_progress=on_progress, save=save).gaussians()


def run_static_world(
    config: StaticWorld,
    phases: Sequence[Phase],
    out: Path,
    device: torch.device,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> StaticResult:
    """Observe, fit, judge and write everything to the folder `out`; a killed run goes on from its checkpoint.

    Writes `scene.safetensors`, `scene.ply`, `orbit.mp4`, `truth_vs_render.png` and `metrics.json`.
    """
    out.mkdir(parents=True, exist_ok=True)
    train, heldout, caption = observe(config, device)
    begun = time.monotonic()
    checkpoint = out / "checkpoint.safetensors"
    gaussians = fit_static(config, train, phases, checkpoint=checkpoint, on_progress=on_progress)
    seconds = time.monotonic() - begun
    render = select(device)
    images = render_cameras(gaussians, heldout.cameras, render)
    result = StaticResult(
        caption=caption,
        psnr=float(psnr(images, heldout.images).mean()),
        ssim=float(ssim(images, heldout.images).mean()),
        train_psnr=float(psnr(render_cameras(gaussians, train.cameras, render), train.images).mean()),
        gaussians=len(gaussians),
        seconds=seconds,
    )
    _write_outputs(out, config, gaussians, (train, heldout), images, result)
    checkpoint.unlink(missing_ok=True)
    return result


def _write_outputs(
    out: Path,
    config: StaticWorld,
    gaussians: Gaussians,
    targets: tuple[Targets, Targets],
    images: torch.Tensor,
    result: StaticResult,
) -> None:
    from .comparison import write_comparison

    train, heldout = targets
    cameras = {"train": train.cameras.to("cpu"), "heldout": heldout.cameras.to("cpu")}
    Scene(gaussians.to("cpu"), cameras).save(out / "scene.safetensors")
    write_ply(out / "scene.ply", gaussians.to("cpu"))
    up = torch.tensor([0.0, 1.0, 0.0])
    path = orbit(cameras["train"][0], look_target(cameras["train"]), 96, up=up).to(gaussians.means.device)
    frames = render_cameras(gaussians, path, select(gaussians.means.device)).cpu()
    write_video(out / "orbit.mp4", Video(frames, fps=24.0))
    rows = torch.linspace(0, config.heldout - 1, min(3, config.heldout)).long()
    title = f"{result.caption}  -  PSNR {result.psnr:.1f} dB, SSIM {result.ssim:.3f} on {config.heldout} held-out views"
    write_comparison(out / "truth_vs_render.png", heldout.images[rows].cpu(), images[rows].cpu(), title)
    write_json(out / "metrics.json", asdict(result) | {"world": asdict(config)})
