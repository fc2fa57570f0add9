"""The stage between motion and outputs: the video model draws pictures of the moving scene again, and the scene is
fine-tuned on them beside both clips (4Real, section 4, the optional last step)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FourRealError
from fourreal.core.gaussians import Gaussians
from fourreal.core.paths import interpolate
from fourreal.core.storage import load_tensors, read_json, save_tensors, write_json
from fourreal.deform import load_field
from fourreal.deform.storage import Field
from fourreal.fit.checkpoint import fingerprint
from fourreal.fit.clips import Clips
from fourreal.fit.dynamic import dynamic_objective, render_dynamic
from fourreal.fit.formed import CameraIncrements, motion_of
from fourreal.fit.loop import Evaluation, Objective, Progress
from fourreal.fit.losses import IMAGE_LOSSES
from fourreal.fit.moving import inner_space
from fourreal.fit.phases import Phase
from fourreal.fit.state import FitState
from fourreal.fit.static import Targets
from fourreal.guidance.views import RADIUS, perturb
from fourreal.io.frames import resize_frames
from fourreal.io.images import write_image
from fourreal.raster import select
from fourreal.raster.base import Rasterizer, Splats
from fourreal.video.base import Upsamples

from .canonical import told
from .fitting import Beginning, Curve, Glances, OnProgress, OnState, fit_from
from .lifted import LIFTED, MOTION, NOTES, SCENE, WARP, load_lift, save_lift
from .news import Desk, News, Tell, nobody
from .poses import read_run_clips
from .scoring import rendered

REPORT, PICTURE = "detail/report.json", "detail/redrawn.png"
_KIND = "redrawn pictures"
_LOSSES = {"l1": 0.8, "dssim": 0.2}


@dataclass(frozen=True)
class DetailConfig:
    """How the scene learns from pictures that the video model drew again.

    Attributes:
        on: whether it does at all.
        phases: to go through.
        clips: that are drawn again.
        weight: of these pictures beside the clips.
        seed: of everything random.

    Raises:
        FourRealError: if a number is out of range.
    """

    on: bool = False
    phases: tuple[Phase, ...] = ()
    clips: int = 4
    weight: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise FourRealError(f"detail.clips must be at least 1, got {self.clips}")
        if self.weight <= 0:
            raise FourRealError(
                f"detail.weight must be positive, got {self.weight:g}; to leave it out: detail.on=false"
            )


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Pictures of the scene that were drawn again.

    Attributes:
        targets: the pictures, at the size of the clips, with cameras and times.
        renders: [N, 3, H, W] what they were drawn from.
        frames: of one clip of them.
    """

    targets: Targets
    renders: Tensor
    frames: int


def detail_paths(clips: Clips, focus: Float[Tensor, " 3"], frames: int, config: DetailConfig) -> list[Cameras]:
    """Cameras that move while time runs, forwards or backwards: `frames` of them for each clip, on the CPU.

    Each path goes by three cameras near those of the freeze-time clip, through at least half of that clip and of the
    reference clip's time. Without a reference, time stands still.
    """
    generator = torch.Generator().manual_seed(config.seed)
    around = replace(clips.freeze.cameras.to("cpu"), times=None)
    last = 0 if clips.reference is None else len(clips.reference.cameras) - 1
    paths = []
    for number in range(config.clips):
        cut = torch.rand(2, 2, generator=generator) / 4
        where, when = cut[0] * (len(around) - 1), cut[1] * last
        first, final = round(float(where[0])), len(around) - 1 - round(float(where[1]))
        via = [first, (first + final) // 2, final]
        near = [perturb(around[i], focus, RADIUS, generator) for i in (via[::-1] if number % 2 else via)]
        times = torch.linspace(float(when[0]), float(last - when[1]), frames)
        paths.append(interpolate(joined(near), frames, times=times.flip(0) if number // 2 % 2 else times))
    return paths


def learning(objective: Objective, redrawn: Redrawn, config: DetailConfig, render: Rasterizer) -> Objective:
    """`objective`, which reconstructs the clips, with a random one of the redrawn pictures beside it."""
    targets = redrawn.targets

    def both(state: FitState, phase: Phase) -> Evaluation:
        evaluation = objective(state, phase)
        index = torch.randint(len(targets.cameras), (1,), generator=state.generator)
        shown = rendered(state, targets.cameras[index], render)
        share = torch.stack([w * IMAGE_LOSSES[k](shown, targets.images[index]) for k, w in _LOSSES.items()]).sum()
        terms: Mapping[str, Tensor] = {**evaluation.terms, "redrawn": share.detach()}
        return evaluation._replace(loss=evaluation.loss + config.weight * share, terms=terms)

    return both


def redraw(state: FitState, paths: Sequence[Cameras], model: Upsamples, seed: int = 0, tell: Tell = nobody) -> Redrawn:
    """Renders of the scene along `paths`, each of `model.spec.frames` cameras, drawn again by the model."""
    device = state.params["means"].device
    motion = motion_of(state)
    splats = Splats(*(v.detach() for v in state.splats()))
    pictures, before = [], []
    for number, path in enumerate(paths):
        tell(News(doing="drawing again", share=0.2 * number / len(paths)))
        shown = render_dynamic(splats, motion, path.to(device), select(device)).cpu()
        pictures.append(resize_frames(model.upsample(shown, seed=seed + number).clamp(0, 1), *shown.shape[-2:]))
        before.append(shown)
    return Redrawn(Targets(torch.cat(pictures), joined(paths)), torch.cat(before), model.spec.frames)


def joined(paths: Sequence[Cameras]) -> Cameras:
    """All cameras of some paths of one size, one after the other."""
    return Cameras(
        torch.cat([p.viewmats for p in paths]),
        torch.cat([p.Ks for p in paths]),
        paths[0].width,
        paths[0].height,
        torch.cat([p.moments for p in paths]),
    )


def fit_detail(
    clips: Clips,
    gaussians: Gaussians,
    modules: Mapping[str, nn.Module],
    config: DetailConfig,
    redrawn: Redrawn,
    *,
    checkpoint: Path | None = None,
    on_progress: OnProgress = lambda _: None,
    on_state: OnState = lambda _: None,
) -> FitState:
    """Fine-tune a lifted scene on both clips and pictures that were drawn again.

    Args:
        clips: that were lifted, on the device to work on.
        gaussians: of the canonical scene, there as well.
        modules: its "warp", "poses" and, if it moves, "motion".
        config: phases, weight, seed.
        redrawn: see `redraw`.
        checkpoint, on_progress, on_state: see `fit_from`.
    """
    device = gaussians.means.device
    beginning = Beginning(gaussians, clips.freeze.extent(), config.seed + 2, modules)
    run = fingerprint(config.phases, str(asdict(replace(config, phases=()))), device.type)
    targets = Targets(redrawn.targets.images.to(device), redrawn.targets.cameras.to(device))
    objective = dynamic_objective(clips, select(device))
    objective = learning(objective, replace(redrawn, targets=targets), config, select(device))
    return fit_from(
        beginning, config.phases, objective, run, checkpoint=checkpoint, on_progress=on_progress, on_state=on_state
    )


def why_not(model: Upsamples | None, clips: Clips) -> str:
    """Why pictures cannot be drawn again to any use; empty if they can."""
    if model is None:
        return "no video model with an upsampler takes part in this run"
    (height, width), cameras = model.spec.size, clips.freeze.cameras
    if height * width < cameras.height * cameras.width:
        return f"{model.spec.name} draws {width}x{height}, less than the {cameras.width}x{cameras.height} of the clips"
    return ""


def make_detail(
    config: DetailConfig, device: torch.device, desk: Desk, tell: Tell, choose: Callable[[], Upsamples | None]
) -> None:
    """Let the run's scene learn from pictures that are drawn again, or publish it as it is.

    Args:
        config: how, and whether at all.
        device: where to work.
        desk: of the stage.
        tell: told how it goes.
        choose: opens the video model that draws; asked only if it is wanted.

    Raises:
        FourRealError: if a file is missing or damaged, or the fit diverges.
    """
    if not config.on:
        _pass_on(desk)
        return
    if not config.phases:
        raise FourRealError("detail.on is true, but detail.phases is empty; --recipe default and paper have phases")
    clips, fps = read_run_clips(desk.run)
    model = choose()
    reason = why_not(model, clips)
    if model is None or reason:
        tell(News(f"detail is left out: {reason}"))
        _pass_on(desk)
        return
    scene, motion = load_lift(desk.run / LIFTED, device)
    clips = replace(clips, freeze=replace(clips.freeze, cameras=scene.cameras["freeze"])).to(device)
    gaussians = scene.gaussians.to(device)
    modules = _modules(desk.run / LIFTED, clips, gaussians, motion)
    before = FitState.begin(gaussians, clips.freeze.extent(), config.seed, modules)
    redrawn = _redrawn(before, clips, model, config, desk, tell)
    curve = Curve.open(desk.scratch / "curve.jsonl")

    def progress(news: Progress) -> None:
        curve.add(news)
        tell(replace(told(news), share=0.2 + 0.8 * news.step / news.steps))

    def glance(state: FitState) -> None:
        tell(News(picture=beside(state, redrawn)))

    state = fit_detail(
        clips, gaussians, modules, config, redrawn, checkpoint=desk.scratch / "checkpoint.safetensors",
        on_progress=progress, on_state=Glances(glance),
    )  # fmt: skip
    save_lift(desk.out, state, clips, fps, dict(read_json(desk.run / LIFTED / NOTES)))
    write_image(desk.out / PICTURE, beside(state, redrawn))
    write_json(desk.out / REPORT, {"gaussians": len(state.params["means"]), "curve": curve.rows})


@torch.no_grad()
def beside(state: FitState, redrawn: Redrawn) -> Float[Tensor, "3 three_H three_W"]:
    """Three pictures of the first clip: the renders, drawn again below, and how they look in the state."""
    some = [0, redrawn.frames // 2, redrawn.frames - 1]
    device = state.params["means"].device
    after = torch.cat([rendered(state, redrawn.targets.cameras[i], select(device)).cpu() for i in some])
    rows = (redrawn.renders[some], redrawn.targets.images[some], after.clamp(0, 1))
    return torch.cat([torch.cat([*row], -1) for row in rows], -2)


def _pass_on(desk: Desk) -> None:
    """The scene as the stage before left it."""
    for name in (SCENE, MOTION, WARP, NOTES):
        if (desk.run / LIFTED / name).exists():
            shutil.copyfile(desk.run / LIFTED / name, desk.out / name)


def _modules(folder: Path, clips: Clips, gaussians: Gaussians, motion: Field | None) -> dict[str, nn.Module]:
    """The scene's fields, and increments of its cameras, which are final."""
    device = gaussians.means.device
    warp = load_field(folder / WARP, device)
    warp.rebind(gaussians.means)
    still = CameraIncrements(len(clips.freeze.cameras), clips.canonical, 1.0, device)
    return {"warp": warp, "poses": still, **({} if motion is None else {"motion": motion})}


def _redrawn(state: FitState, clips: Clips, model: Upsamples, config: DetailConfig, desk: Desk, tell: Tell) -> Redrawn:
    """The redrawn pictures, from the desk if a stopped attempt left them there."""
    focus = inner_space(clips.freeze, state.params["means"].detach()).centre.cpu()
    paths = detail_paths(clips, focus, model.spec.frames, config)
    kept = desk.scratch / "redrawn.safetensors"
    if kept.exists():
        tensors, _ = load_tensors(kept, kind=_KIND)
        return Redrawn(Targets(tensors["redrawn"], joined(paths)), tensors["renders"], model.spec.frames)
    made = redraw(state, paths, model, config.seed, tell)
    save_tensors(kept, {"redrawn": made.targets.images, "renders": made.renders}, {}, kind=_KIND)
    return made
