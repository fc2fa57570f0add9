"""Score distillation joins the fit: clips of the scene are rendered, and a video model says how they should look."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.paths import look_target
from fourreal.fit.clips import Clips
from fourreal.fit.formed import motion_of
from fourreal.fit.loop import Evaluation, Objective
from fourreal.fit.phases import Guidance, Phase
from fourreal.fit.state import FitState
from fourreal.guidance import (
    Augmentation,
    Known,
    annealed_level,
    augment,
    camera_path_of,
    fixed_view_clip,
    freeze_time_clip,
    multi_view_clip,
    sds_loss,
    sigma_of,
)
from fourreal.raster.base import Rasterizer, Splats, Views
from fourreal.video.base import CameraPath, TextCondition, VideoModel
from fourreal.video.teach import Gradient
from fourreal.video.teach import teacher as teach

_SUMMED = 3 * 288 * 512  # numbers of the reconstruction that the paper's weights stand beside


@dataclass(frozen=True, eq=False)
class Teacher:
    """A video model that scores renderings, and what it is told of the scene.

    Attributes:
        model: with the features "score" and "first_frame".
        dynamic, freeze: the prompt where time runs and where it stands still.
        gradient: for models of latents, see `video.teach`.
    """

    model: VideoModel
    dynamic: TextCondition
    freeze: TextCondition
    gradient: Gradient = "pixel"

    @classmethod
    def of(cls, model: VideoModel, prompt: str, gradient: Gradient = "pixel") -> Teacher:
        """A teacher that is told `prompt`. Raises `PromptError` if it says nothing."""
        dynamic, freeze = (model.encode_text(prompt, context=context) for context in ("dynamic", "freeze"))
        return cls(model, dynamic, freeze, gradient)


@dataclass(frozen=True, eq=False)
class _Shot:
    """A clip to be scored."""

    cameras: Cameras  # on the CPU, with their times
    text: TextCondition
    known: Float[Tensor, "3 H W"] | None  # its first frame; None: the render itself
    moves: bool  # whether the motion applies


def scored(
    objective: Objective, clips: Clips, teacher: Teacher, render: Rasterizer, focus: Float[Tensor, " 3"]
) -> Objective:
    """`objective` with the teacher's score beside it, in phases that have a `guidance`.

    The sum of squares that the paper weighs stands beside its sum over a picture of 288x512; the losses here are
    means, so the same share is kept: weight * sum / (3 * 288 * 512). A score is drawn every few steps and counts for
    all of them.

    Args:
        objective: what reconstructs.
        clips: for the real first frames, and the cameras that paths lead to.
        teacher: who scores.
        render: the rasterizer.
        focus: what the scene is about, world units, on the CPU.
    """
    pyramid: dict[int, Clips] = {}

    def both(state: FitState, phase: Phase) -> Evaluation:
        evaluation = objective(state, phase)
        wanted = phase.guidance
        if wanted is None or state.step % wanted.every:
            return evaluation
        planned = phase.shrink_of(*clips.freeze.images.shape[-2:])
        factor = _least_shrunk(clips, planned, teacher.model.spec.picture_size)
        level = pyramid.setdefault(factor, clips.shrunk(factor))
        shot = _shot(level, wanted, teacher, focus, state.generator)
        shot = replace(shot, cameras=_large_enough(shot.cameras, teacher.model.spec.picture_size))
        frames = rendered(state, shot.cameras, render, moves=shot.moves and level.reference is not None)
        noise = annealed_level(state.step, phase.steps, highest=wanted.highest, lowest=wanted.lowest)
        share = _score(frames, shot, level, teacher, sigma_of(noise), focus, state.generator) / _SUMMED
        terms: Mapping[str, Tensor] = {**evaluation.terms, "score": share.detach()}
        return evaluation._replace(loss=evaluation.loss + wanted.weight * wanted.every * share, terms=terms)

    return both


def _least_shrunk(clips: Clips, factor: int, least: tuple[int, int]) -> int:
    """`factor`, or the largest below it whose pictures are not smaller than `least` (height, width)."""
    height, width = clips.freeze.images.shape[-2:]
    return max([1, *(f for f in range(2, factor + 1) if height // f >= least[0] and width // f >= least[1])])


def _large_enough(cameras: Cameras, least: tuple[int, int]) -> Cameras:
    """The same views, larger where a teacher takes only larger pictures than the clips have."""
    scale = max(least[0] / cameras.height, least[1] / cameras.width)
    if scale <= 1:
        return cameras
    return cameras.resized(math.ceil(cameras.width * scale), math.ceil(cameras.height * scale))


def taught(objective: Objective, clips: Clips, teacher: Teacher | None, render: Rasterizer) -> Objective:
    """`objective`, with the teacher's score if there is one; what the scene is about is where its cameras look."""
    if teacher is None:
        return objective
    return scored(objective, clips, teacher, render, look_target(clips.freeze.cameras.to("cpu")))


def _shot(clips: Clips, wanted: Guidance, teacher: Teacher, focus: Tensor, generator: torch.Generator) -> _Shot:
    """Cameras and times as the paper draws them; a joint score is of either kind with equal chance."""
    count = teacher.model.spec.frames
    around = replace(clips.freeze.cameras.to("cpu"), times=None)
    if wanted.clips == "multi-view" or clips.reference is None:
        canonical = clips.freeze.cameras[clips.canonical].to("cpu")
        path = multi_view_clip(canonical, around, focus, generator, count=count)
        return _Shot(path, teacher.freeze, clips.freeze.images[clips.canonical], moves=False)
    reference = clips.reference.cameras.to("cpu")
    if float(torch.rand((), generator=generator)) < 0.5:
        path = fixed_view_clip(around, focus, len(reference), generator, count=count)
        return _Shot(path, teacher.dynamic, None, moves=True)
    path = freeze_time_clip(reference, around, focus, generator, count=count)
    moment = int(path.moments[0].round())
    return _Shot(path, teacher.freeze, clips.reference.images[moment], moves=True)


def rendered(state: FitState, cameras: Cameras, render: Rasterizer, *, moves: bool = True) -> Float[Tensor, "F 3 H W"]:
    """The scene from `cameras` at their times, with gradients; in motion if it has one and it `moves`.

    All frames of one time share one state of the Gaussians.
    """
    p = state.params
    device = p["means"].device
    views = Views(cameras.viewmats.to(device), cameras.Ks.to(device), cameras.width, cameras.height)
    means, quats, log_scales = p["means"], p["quats"], p["log_scales"]
    motion = motion_of(state)
    if moves and motion is not None:
        times = cameras.moments.to(device)
        still = bool((times == times[0]).all())
        offsets = motion.offsets(means, float(times[0]) if still else times)
        means, quats, log_scales = offsets.apply(means, quats, log_scales)
    splats = Splats(means, quats, log_scales.exp(), torch.sigmoid(p["logit_opacities"]), p["colors"])
    return render(splats, views, None).color


def _score(
    frames: Float[Tensor, "F 3 H W"],
    shot: _Shot,
    clips: Clips,
    teacher: Teacher,
    sigma: float,
    focus: Tensor,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    model = teacher.model
    first = frames[0].detach() if shot.known is None else shot.known
    if first.shape != frames.shape[1:]:
        first = F.interpolate(first[None], frames.shape[-2:], mode="bilinear", antialias=True)[0]
    known = Known((0,), first[None].clamp(0, 1))
    clip, told, window = augment(frames, known, model.spec.picture_size, generator)
    path = _path(shot.cameras, window, clips, focus)
    asked = teach(model, shot.text, camera=path, gradient=teacher.gradient)
    return sds_loss(
        clip, asked.encode, asked.denoise, sigma=sigma, generator=generator, known=told, decode=asked.decode
    )


def _path(cameras: Cameras, window: Augmentation, clips: Clips, focus: Tensor) -> CameraPath:
    """Where the clip's camera goes, relative to the canonical camera, and what exactly it sees."""
    start = clips.freeze.cameras[clips.canonical].to("cpu")
    way = Cameras(
        torch.cat([start.viewmats, cameras.viewmats]), torch.cat([start.Ks, cameras.Ks]), cameras.width, cameras.height
    )
    frames = 1 if clips.reference is None else len(clips.reference.cameras)
    views = replace(window.seen(cameras), times=cameras.moments / frames)
    return CameraPath(camera_path_of(way, focus)[1:], views)
