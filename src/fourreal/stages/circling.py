"""Which frame to freeze of a subject that turns about itself: the one that, turned, meets the clip best.

Who turns stands in every frame as in the others, but not every frame tells the model what its far side looks like: a
kitten in whose shade tail and head look alike gets two heads. The reference clip shows such a subject from all sides,
and so does the walk round any of its frames. So a small one is drawn round each of a few frames, a static scene is
fitted to it and turned as the clip speaks for: where the model went astray the two disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourreal.core.storage import read_json, write_json
from fourreal.core.video import Video
from fourreal.fit.clips import Clips
from fourreal.fit.moving import inner_space, moving
from fourreal.fit.spin import find_spin, upwards
from fourreal.fit.static import Targets, views_of
from fourreal.fit.stereo import find_ground
from fourreal.io.frames import resize_frames
from fourreal.raster.base import Splats
from fourreal.raster.choose import select
from fourreal.video.extend import Walk, draw_link, plan, reach_of

from .news import News
from .small import CPU, small_scene
from .studio import Studio, row_of, text_of

MOST = 3  # frames that are tried: a minute each on two CPU cores
_EVALUATIONS = 6  # of the network for each clip of a circle; ten rank alike
_WIDTH, _SEEDS, _STEPS = 128, 8000, 300  # of each fit; at 96 and 80 the subject is too blurred to be turned
_CHANGE = 0.1  # a pixel that differs from the scene without the subject by so much shows the subject
_ALIKE = 0.01  # as good as the best, so that the sharpest is taken


def circle_cost(links: int) -> float:
    """What trying one frame costs, in small clips drawn: those of its circle, and the fit."""
    return 0.6 * links + 4.0


def try_circles(
    studio: Studio, clip: Float[Tensor, "F 3 H W"], walk: Walk, tried: Sequence[int]
) -> list[dict[str, Any]]:
    """How badly the subject frozen at each of some frames, turned, meets the clip; and which frame is kept.

    Every result is kept on the desk, so that none is found twice.

    Args:
        studio: whose model draws small, takes known frames and closes circles.
        clip: the reference clip, in which a subject turns.
        walk: all the way round, as the freeze-time clip goes.
        tried: frames of the clip that are tried, best score first.

    Returns:
        For every frame that was tried, in that order: `frame`, `missed` (see there), `kept`.
    """
    found = []
    for number, frame in enumerate(tried):
        path = studio.desk.scratch / f"circle-{frame:03d}.json"
        if not path.exists():
            circle = _circle(studio, walk, clip[frame])
            share = studio.share((number + 0.6) / len(tried), studio.work.tries)
            studio.tell(News(doing=f"the circle round frame {frame} is turned", share=share, picture=row_of(circle)))
            fps = studio.model.spec.fps
            write_json(path, {"missed": missed(Video(circle, fps), clip, walk, frame, studio.device)})
        found.append(float(read_json(path)["missed"]))
        share = studio.share((number + 1) / len(tried), studio.work.tries)
        studio.tell(News(doing=f"the frame to freeze: {number + 1} of {len(tried)} tried", share=share))
    kept = next(i for i, value in enumerate(found) if value <= min(found) + _ALIKE)
    return [
        {"frame": frame, "missed": round(value, 3), "kept": i == kept}
        for i, (frame, value) in enumerate(zip(tried, found, strict=True))
    ]


def _circle(studio: Studio, walk: Walk, picture: Tensor) -> Float[Tensor, "N 3 h w"]:
    """The walk round a picture, drawn small."""
    config, model = studio.config, studio.model
    text, size = text_of(config, model, "freeze"), model.spec.score_size
    steps = _EVALUATIONS if config.steps is None else config.steps
    pictures = {walk.start: resize_frames(picture[None], *size)[0]}
    for number, link in enumerate(plan(walk, reach_of(model.spec))):
        seed = config.seed + 1 + number
        pictures |= draw_link(model, text, walk, link, pictures, size=size, seed=seed, steps=steps)
    return torch.stack([pictures[i] for i in range(len(walk))])


def missed(circle: Video, clip: Float[Tensor, "F 3 H W"], walk: Walk, frame: int, device: torch.device = CPU) -> float:
    """How much of a clip's turning subject another one misses, that is frozen in a circle and turned.

    The mean of two shares: of the clip's changes, what the turned one leaves (L1, as a share of that at rest); and of
    both outlines' union, what only one of them covers. The frozen subject turns with its light, so that colours alone
    would blame a far side in the shade more than one with a second head.

    Args:
        circle: a walk round `frame` of the clip, all the way.
        clip: in which time runs.
        walk: that the circle follows.
        frame: of the clip.
        device: where to fit.

    Returns:
        0 to about 1; 1 if no turning meets the clip.
    """
    gaussians, freeze = small_scene(circle, walk.values, device, width=_WIDTH, seeds=_SEEDS, steps=_STEPS)
    times, render = torch.arange(len(clip), device=device).float(), select(device)
    cameras = replace(freeze.cameras[[walk.start] * len(clip)], times=times)
    images = resize_frames(clip, cameras.height, cameras.width).to(device)
    clips = Clips(freeze, Targets(images, cameras), walk.start, frame)
    space, ground = inner_space(freeze, gaussians.means), find_ground(freeze)
    busy = moving(clips, gaussians.means, space.centre, space.extent, ground)
    spin = find_spin(gaussians, clips, busy, upwards(clips, ground), render, told=True)
    if spin is None:
        return 1.0
    turning, splats = busy & spin.room.holds(gaussians.means), Splats.of(gaussians)
    with torch.no_grad():
        shown = render(spin.poses(splats, turning), views_of(cameras), None).color
        empty = render(splats._replace(opacities=splats.opacities * ~turning), views_of(cameras), None).color
    return (spin.worth + 1 - _shared(_outlines(shown, empty), _outlines(images, empty), frame)) / 2


def _outlines(frames: Float[Tensor, "F 3 H W"], empty: Float[Tensor, "F 3 H W"]) -> Bool[Tensor, "F H W"]:
    """Where frames show what is not in the empty scene."""
    return (frames - empty).abs().amax(1) > _CHANGE


def _shared(a: Bool[Tensor, "F H W"], b: Bool[Tensor, "F H W"], frame: int) -> float:
    """Intersection over union, the mean over all frames but one."""
    shares = (a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp_min(1)
    return float((shares.sum() - shares[frame]) / max(len(shares) - 1, 1))
