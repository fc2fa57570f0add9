"""The first stage: a sentence becomes a reference clip and a freeze-time clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.digest import digest
from fourreal.core.errors import FourRealError
from fourreal.core.storage import load_tensors, read_json, save_tensors, write_json
from fourreal.core.video import Video
from fourreal.io.frames import cover
from fourreal.io.images import read_image, write_image
from fourreal.io.video import write_video
from fourreal.video.base import KnownFrames, TextCondition, VideoModel, VideoModelSpec
from fourreal.video.extend import FULL, Walk, check_walk, closes, orbit_walk, plan, reach_of, text_walk
from fourreal.video.soundness import choose_frame, frame_scores

from .circling import MOST, circle_cost, try_circles
from .freezing import candidates, tries_frames, try_frames
from .news import Desk, News, Tell
from .small import CPU
from .studio import KIND, Studio, VideosConfig, drawn, row_of, text_of
from .walking import best_take
from .work import Work, planned

REFERENCE, FREEZE = "videos/reference.mp4", "videos/freeze.mp4"
SHEET, NOTES = "videos/clips.png", "videos/videos.json"
_USUAL = 180.0  # degrees
_CRF = 10  # of the clips: what is lost here is lost to the fit


def covered(config: VideosConfig, *, turns: bool) -> float:
    """Degrees that the freeze-time clip shall cover, if its path is not told; `turns` is whether its subject does."""
    if config.coverage != "auto":
        return config.coverage
    return FULL if turns and config.which == "both" else _USUAL


def check_videos(config: VideosConfig, spec: VideoModelSpec, *, turns: bool = False) -> Walk:
    """The camera's walk, if everything fits the model; `turns` is whether the subject turns about itself.

    Raises:
        FourRealError: for a setting that is impossible, alone or with this model.
    """
    if config.frame != "auto" and not 0 <= config.frame < spec.frames:
        raise FourRealError(f"--frame must lie in 0..{spec.frames - 1}, or be auto, got {config.frame}")
    if config.steps is not None and not 1 <= config.steps <= 1000:
        raise FourRealError(f"--steps must lie in 1..1000, got {config.steps}; 10 is usual")
    if not 0 <= config.retries <= 20:
        raise FourRealError(f"videos.retries must lie in 0..20, got {config.retries}")
    if not 1 <= config.drafts <= 100:
        raise FourRealError(f"--drafts must lie in 1..100, got {config.drafts}; 4 is a good number")
    if not 1 <= config.candidates <= 100:
        raise FourRealError(f"videos.candidates must lie in 1..100, got {config.candidates}; 5 is a good number")
    if not 1 <= config.takes <= 20:
        raise FourRealError(f"--takes must lie in 1..20, got {config.takes}; 3 is a good number")
    reach = reach_of(spec)
    if config.camera is None:
        walk = orbit_walk(covered(config, turns=turns and closes(spec)), reach, step=config.step)
    else:
        walk = text_walk(config.camera, reach, step=config.step)
    if config.which != "dynamic":
        check_walk(walk, spec)
    return walk


def planned_work(config: VideosConfig, links: int, *, tries: bool, chooses: bool, circles: bool = False) -> Work:
    """What drawing costs.

    Args:
        config: what to draw.
        links: clips that draw a walk.
        tries: whether the model can try frames to freeze.
        chooses: whether it chooses among drafts.
        circles: whether whole circles are tried round the frames to freeze, not short walks.
    """
    tried = tries and config.which == "both" and config.frame == "auto" and config.candidates > 1
    cost = min(config.candidates, MOST) * circle_cost(links) if circles else config.candidates
    clips = 0 if config.which == "dynamic" else config.takes * links
    return planned(config.drafts, tried * cost, clips, dynamic=config.which != "freeze", chooses=chooses)


def make_videos(config: VideosConfig, model: VideoModel, desk: Desk, tell: Tell, device: torch.device = CPU) -> None:
    """Draw the clips and write them with a contact sheet and notes; every clip drawn is kept on the desk.

    Raises:
        FourRealError: if a setting does not fit the model, the picture cannot be read, or the prompt says nothing.
    """
    spec, text = model.spec, text_of(config, model, "freeze" if config.which == "freeze" else "dynamic")
    walk = check_videos(config, spec, turns=text.turns)
    links, chooses = len(plan(walk, reach_of(spec))), "likeness" in spec.features
    # Who turns stands in every frame as in the others, so short walks rank a back first, which is explained best.
    circles, tries = text.turns and walk.closed, tries_frames(spec)
    tries = tries and (circles or not text.turns)
    work = planned_work(config, links, tries=tries, chooses=chooses, circles=circles)
    studio = Studio(config, model, desk, tell, device, work)
    picture = None if config.from_frame is None else read_picture(config.from_frame, spec.size)
    tell(News(text.understood))
    if walk.closed and config.coverage == "auto":
        tell(News("it turns, so the freeze-time clip goes all the way round; --coverage 180 draws half of it"))
    clips: dict[str, Tensor] = {}
    notes: dict[str, Any] = {}
    if config.which != "freeze":
        reference, drafts = _reference(studio, text, picture)
        notes |= {"drafts": drafts} if drafts else {}
        clips[REFERENCE] = reference
        frozen, chosen = _frozen(studio, reference, walk if circles else None)
        notes |= chosen
        tell(News(f"frame {frozen} of the reference clip is frozen"))
        picture = reference[frozen]
    if config.which != "dynamic":
        clips[FREEZE], links, takes = best_take(studio, walk, picture)
        notes |= {"canonical": walk.start, "coverage": round(walk.degrees, 1), "closed": walk.closed}
        notes |= {"camera_told": "camera" in spec.features}
        notes |= {"camera_path": [[round(v, 6) for v in row] for row in walk.values.tolist()], "links": links}
        notes |= {"takes": takes} if takes else {}
    for name, clip in clips.items():
        write_video(desk.out / name, Video(clip, spec.fps), crf=_CRF)
    write_image(desk.out / SHEET, torch.cat([row_of(clip) for clip in clips.values()], -2))
    files = {name: digest(desk.out / name) for name in clips}
    about = {"prompt": config.prompt, "understood": text.understood, "turns": text.turns}
    about |= {"model": spec.name, "license": spec.license}
    write_json(desk.out / NOTES, {**about, "fps": spec.fps, "seed": config.seed, **notes, "files": files})


def read_picture(path: Path, size: tuple[int, int]) -> Float[Tensor, "3 H W"]:
    """A picture cropped and resized to (height, width). Raises `FourRealError` if it cannot be read."""
    if not path.is_file():
        raise FourRealError(f"{path} does not exist; --from-frame takes a picture")
    return cover(Video(read_image(path)[None], 1.0), *size).frames[0]


def _reference(
    studio: Studio, text: TextCondition, picture: Tensor | None
) -> tuple[Float[Tensor, "F 3 H W"], list[dict[str, Any]]]:
    """The clip while time runs, and its drafts (none if there was no choice)."""
    path, config = studio.desk.scratch / "reference.safetensors", studio.config
    if path.exists():
        tensors, meta = load_tensors(path, kind=KIND)
        clip, drafts = tensors["frames"], meta["drafts"]
    else:
        known = None if picture is None else KnownFrames((0,), picture[None])
        clip, chosen = drawn(
            studio,
            "reference clip",
            text,
            config.seed,
            known,
            None,
            studio.work.reference,
            lambda seed, step: studio.model.generate(text, known=known, seed=seed, steps=config.steps, on_step=step),
        )
        drafts = chosen.drafts
        save_tensors(path, {"frames": clip}, {"drafts": drafts}, kind=KIND)
    studio.done += studio.work.reference
    studio.tell(News(doing="reference clip", share=studio.share(), picture=row_of(clip)))
    return clip, drafts


def _frozen(studio: Studio, reference: Tensor, circle: Walk | None) -> tuple[int, dict[str, Any]]:
    """The frame to freeze, and how it was chosen; `circle` is the walk where the subject turns."""
    config, path = studio.config, studio.desk.scratch / "frozen.json"
    scores = frame_scores(reference)
    notes: dict[str, Any] = {"frame_scores": [round(v, 3) for v in scores.tolist()]}
    if config.frame != "auto":
        return config.frame, {"frozen_frame": config.frame, "frame_chosen_by": "user"} | notes
    if not studio.work.tries:
        frozen = choose_frame(reference)
        return frozen, {"frozen_frame": frozen, "frame_chosen_by": "score"} | notes
    if path.exists():
        tried = read_json(path)["tried"]
    else:
        tried = _tried(studio, reference, circle, scores)
        write_json(path, {"tried": tried})
    studio.done += studio.work.tries
    frozen = next(one["frame"] for one in tried if one["kept"])
    chosen = "walk" if circle is None else "circle"
    return frozen, {"frozen_frame": frozen, "frame_chosen_by": chosen, "frames_tried": tried} | notes


def _tried(studio: Studio, reference: Tensor, circle: Walk | None, scores: Tensor) -> list[dict[str, Any]]:
    """What walks, or circles round who turns, find of the best frames."""
    config, model = studio.config, studio.model
    frames = candidates(scores, config.candidates if circle is None else min(config.candidates, MOST))

    def trying(done: int, total: int) -> None:
        share = studio.share(done / total, studio.work.tries)
        studio.tell(News(doing=f"the frame to freeze: {done} of {total} tried", share=share))

    trying(0, len(frames))
    if circle is not None:
        return try_circles(studio, reference, circle, frames)
    text, seed, steps, device = text_of(config, model, "freeze"), config.seed + 1, config.steps, studio.device
    return try_frames(model, text, reference, frames, seed=seed, steps=steps, device=device, on_try=trying)
