"""The first stage: a sentence becomes a reference clip and a freeze-time clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.errors import FourRealError
from fourreal.core.storage import write_json
from fourreal.core.video import Video
from fourreal.io.frames import cover
from fourreal.io.images import read_image, write_image
from fourreal.io.video import write_video
from fourreal.video.base import CameraPath, Context, KnownFrames, TextCondition, VideoModel
from fourreal.video.camera_text import parse_camera

Which = Literal["both", "dynamic", "freeze"]
REFERENCE, FREEZE, SHEET, NOTES = "reference.mp4", "freeze.mp4", "clips.png", "videos.json"


@dataclass(frozen=True)
class VideosConfig:
    """What to make.

    Attributes:
        prompt: the sentence.
        which: the dynamic (reference) clip, the freeze-time clip, or both.
        seed: of the reference clip; the freeze-time clip takes the next one.
        camera: path of the freeze-time camera in words, from the frozen frame on.
        from_frame: picture to start the reference clip from (or to freeze, without one).
        frame: frame of the reference clip that is frozen.
        steps: evaluations of the network; None for the model's own choice.
    """

    prompt: str
    which: Which = "both"
    seed: int = 0
    camera: str = "orbit 60 right"
    from_frame: Path | None = None
    frame: int = 0
    steps: int | None = None


def make_videos(
    config: VideosConfig,
    model: VideoModel,
    out: Path,
    *,
    on_text: Callable[[str], None] = lambda _: None,
    on_step: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Path]:
    """Make the clips and write them to `out` with a contact sheet and what was asked; returns the clips' paths.

    Args:
        config: what to make.
        model: which model makes it.
        out: folder; files of an earlier run are replaced, each when its successor is whole.
        on_text: told once how the prompt was understood.
        on_step: told the clip's name, evaluations done and in all.

    Raises:
        FourRealError: if a setting does not fit the model, the picture cannot be read, or the prompt says nothing.
    """
    spec = model.spec
    if not 0 <= config.frame < spec.frames:
        raise FourRealError(f"--frame must lie in 0..{spec.frames - 1}, got {config.frame}")
    path = parse_camera(config.camera, spec.frames)
    texts = _texts(config, model)
    picture = None if config.from_frame is None else _picture(config.from_frame, spec.size)
    on_text(texts[0].understood)
    clips: dict[str, Tensor] = {}
    if config.which != "freeze":
        known = None if picture is None else KnownFrames((0,), picture[None])
        clips[REFERENCE] = _clip(config, model, texts[0], known, None, 0, on_step)
        picture = clips[REFERENCE][config.frame]
    if config.which != "dynamic":
        known = None if picture is None else KnownFrames((0,), picture[None])
        clips[FREEZE] = _clip(config, model, texts[-1], known, path, 1, on_step)
    for name, clip in clips.items():
        write_video(out / name, Video(clip, spec.fps))
    write_image(out / SHEET, torch.cat([_row(clip) for clip in clips.values()], -2))
    write_json(out / NOTES, _notes(config, model, texts[0], path))
    return [out / name for name in clips]


def _texts(config: VideosConfig, model: VideoModel) -> list[TextCondition]:
    contexts: tuple[Context, ...] = ("dynamic", "freeze") if config.which == "both" else (config.which,)
    return [model.encode_text(config.prompt, context=context) for context in contexts]


def _picture(path: Path, size: tuple[int, int]) -> Float[Tensor, "3 H W"]:
    """A picture cropped and resized to the clip."""
    return cover(Video(read_image(path)[None], 1.0), *size).frames[0]


def _clip(
    config: VideosConfig,
    model: VideoModel,
    text: TextCondition,
    known: KnownFrames | None,
    camera: CameraPath | None,
    number: int,
    on_step: Callable[[str, int, int], None],
) -> Float[Tensor, "F 3 H W"]:
    name = (REFERENCE, FREEZE)[number]
    return model.generate(
        text,
        known=known,
        camera=camera,
        seed=config.seed + number,
        steps=config.steps,
        on_step=lambda done, total: on_step(name, done, total),
    )


def _row(clip: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "3 H W"]:
    """Six frames side by side."""
    picks = torch.linspace(0, len(clip) - 1, 6).round().long()
    return torch.cat(list(clip[picks]), -1)


def _notes(config: VideosConfig, model: VideoModel, text: TextCondition, path: CameraPath) -> dict[str, Any]:
    return {
        "prompt": config.prompt,
        "understood": text.understood,
        "model": model.spec.name,
        "seed": config.seed,
        "frame": config.frame,
        "from_frame": None if config.from_frame is None else str(config.from_frame),
        "camera": config.camera,
        "camera_path": [[round(v, 6) for v in row] for row in path.values.tolist()],
    }
