"""The first stage: a sentence becomes a reference clip and a freeze-time clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

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
from fourreal.video.base import CameraPath, Completes, Context, KnownFrames, TextCondition, VideoModel, VideoModelSpec
from fourreal.video.extend import (
    FULL,
    STEP,
    Link,
    Walk,
    check_walk,
    closes,
    conditions_of,
    draw_link,
    orbit_walk,
    plan,
    reach_of,
    text_walk,
)
from fourreal.video.soundness import Soundness, choose_frame, examine, frame_scores

from .drafts import SHARE, Chosen, choose_seed, drafts_for
from .freezing import candidates, tries_frames, try_frames
from .news import Desk, News, Tell
from .turning import CPU, explained
from .work import Work, planned

_Clip = TypeVar("_Clip")
Which = Literal["both", "dynamic", "freeze"]
REFERENCE, FREEZE = "videos/reference.mp4", "videos/freeze.mp4"
SHEET, NOTES = "videos/clips.png", "videos/videos.json"
_KIND = "drawn frames"
_OTHER, _TAKE = 1000, 100_000  # between the seeds of successive tries, and of takes
_USUAL = 180.0  # degrees
_CRF = 10  # of the clips: what is lost here is lost to the fit


@dataclass(frozen=True)
class VideosConfig:
    """What to draw.

    Attributes:
        prompt: the sentence.
        which: the dynamic (reference) clip, the freeze-time clip, or both.
        seed: of the reference clip; the freeze-time clips take the next ones.
        coverage: degrees of azimuth that the freeze-time clip covers, 20 to 360, about the frozen frame; "auto" is 180,
            or 360 where the prompt has its subject turn: the reference clip shows such a one from all sides.
        camera: instead, the path of its camera in words, from the frozen frame on.
        step: degrees between two of its frames, at most.
        frame: frame of the reference clip that is frozen; "auto" takes, of the sharpest with their subject in full
            view, the one that a walk round it suits best.
        candidates: so many frames are tried for that, with a small walk each; 1 for the sharpest. Only with a model
            that draws small and follows a camera.
        from_frame: picture to start the reference clip from (or to freeze, without one).
        steps: evaluations of the network a clip; None for the model's own choice.
        retries: how often a bad freeze-time clip is drawn again.
        drafts: every clip is first drawn small from so many seeds; that of them is taken whose draft looks most like a
            true clip to the model's critic. Of frozen clips with known frames, which say more than noise does, half as
            many. A model without a critic takes the first.
        takes: so many whole freeze-time clips are drawn, and the one that a static scene explains best is kept.
    """

    prompt: str
    which: Which = "both"
    seed: int = 0
    coverage: float | Literal["auto"] = "auto"
    camera: str | None = None
    step: float = STEP
    frame: int | Literal["auto"] = "auto"
    candidates: int = 5
    from_frame: Path | None = None
    steps: int | None = None
    retries: int = 2
    drafts: int = 4
    takes: int = 1


@dataclass
class _Studio:
    """What drawing clips needs, and how far it is."""

    config: VideosConfig
    model: VideoModel
    desk: Desk
    tell: Tell
    device: torch.device
    work: Work
    done: float = 0.0

    def share(self, part: float = 0.0, of: float = 0.0) -> float:
        """Of the stage, with `part` of what costs `of` done beside what is done."""
        return min((self.done + part * of) / self.work.total, 1.0)


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


def planned_work(config: VideosConfig, links: int, *, tries: bool, chooses: bool) -> Work:
    """What drawing costs.

    Args:
        config: what to draw.
        links: clips that draw a walk.
        tries: whether the model can try frames to freeze.
        chooses: whether it chooses among drafts.
    """
    tried = tries and config.which == "both" and config.frame == "auto" and config.candidates > 1
    clips = 0 if config.which == "dynamic" else config.takes * links
    return planned(config.drafts, tried * config.candidates, clips, dynamic=config.which != "freeze", chooses=chooses)


def make_videos(config: VideosConfig, model: VideoModel, desk: Desk, tell: Tell, device: torch.device = CPU) -> None:
    """Draw the clips and write them with a contact sheet and notes; every clip drawn is kept on the desk.

    Raises:
        FourRealError: if a setting does not fit the model, the picture cannot be read, or the prompt says nothing.
    """
    spec, text = model.spec, _text(config, model, "freeze" if config.which == "freeze" else "dynamic")
    walk = check_videos(config, spec, turns=text.turns)
    links, chooses = len(plan(walk, reach_of(spec))), "likeness" in spec.features
    # Who turns stands in every frame as in the others: the sharpest shows most of it, and most often a face.
    work = planned_work(config, links, tries=tries_frames(spec) and not text.turns, chooses=chooses)
    studio = _Studio(config, model, desk, tell, device, work)
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
        frozen, chosen = _frozen(studio, reference)
        notes |= chosen
        tell(News(f"frame {frozen} of the reference clip is frozen"))
        picture = reference[frozen]
    if config.which != "dynamic":
        clips[FREEZE], links, takes = _best_take(studio, walk, picture)
        notes |= {"canonical": walk.start, "coverage": round(walk.degrees, 1), "closed": walk.closed}
        notes |= {"camera_told": "camera" in spec.features}
        notes |= {"camera_path": [[round(v, 6) for v in row] for row in walk.values.tolist()], "links": links}
        notes |= {"takes": takes} if takes else {}
    for name, clip in clips.items():
        write_video(desk.out / name, Video(clip, spec.fps), crf=_CRF)
    write_image(desk.out / SHEET, torch.cat([_row(clip) for clip in clips.values()], -2))
    files = {name: digest(desk.out / name) for name in clips}
    about = {"prompt": config.prompt, "understood": text.understood, "turns": text.turns}
    about |= {"model": spec.name, "license": spec.license}
    write_json(desk.out / NOTES, {**about, "fps": spec.fps, "seed": config.seed, **notes, "files": files})


def _text(config: VideosConfig, model: VideoModel, context: Context) -> TextCondition:
    # A picture shows light and action of its own.
    if config.from_frame is None and isinstance(model, Completes):
        return model.encode_complete(config.prompt, context=context)
    return model.encode_text(config.prompt, context=context)


def read_picture(path: Path, size: tuple[int, int]) -> Float[Tensor, "3 H W"]:
    """A picture cropped and resized to (height, width). Raises `FourRealError` if it cannot be read."""
    if not path.is_file():
        raise FourRealError(f"{path} does not exist; --from-frame takes a picture")
    return cover(Video(read_image(path)[None], 1.0), *size).frames[0]


def _reference(
    studio: _Studio, text: TextCondition, picture: Tensor | None
) -> tuple[Float[Tensor, "F 3 H W"], list[dict[str, Any]]]:
    """The clip while time runs, and its drafts (none if there was no choice)."""
    path, config = studio.desk.scratch / "reference.safetensors", studio.config
    if path.exists():
        tensors, meta = load_tensors(path, kind=_KIND)
        clip, drafts = tensors["frames"], meta["drafts"]
    else:
        known = None if picture is None else KnownFrames((0,), picture[None])
        clip, chosen = _drawn(
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
        save_tensors(path, {"frames": clip}, {"drafts": drafts}, kind=_KIND)
    studio.done += studio.work.reference
    studio.tell(News(doing="reference clip", share=studio.share(), picture=_row(clip)))
    return clip, drafts


def _frozen(studio: _Studio, reference: Tensor) -> tuple[int, dict[str, Any]]:
    """The frame to freeze, and how it was chosen."""
    config, model, path = studio.config, studio.model, studio.desk.scratch / "frozen.json"
    scores = frame_scores(reference)
    notes: dict[str, Any] = {"frame_scores": [round(v, 3) for v in scores.tolist()]}
    if config.frame != "auto":
        return config.frame, {"frozen_frame": config.frame, "frame_chosen_by": "user"} | notes
    if not studio.work.tries:
        frozen = choose_frame(reference)
        return frozen, {"frozen_frame": frozen, "frame_chosen_by": "score"} | notes

    def trying(done: int, total: int) -> None:
        share = studio.share(done / total, studio.work.tries)
        studio.tell(News(doing=f"the frame to freeze: {done} of {total} tried", share=share))

    if path.exists():
        tried = read_json(path)["tried"]
    else:
        frames, text = candidates(scores, config.candidates), _text(config, model, "freeze")
        trying(0, len(frames))
        seed, steps, device = config.seed + 1, config.steps, studio.device
        tried = try_frames(model, text, reference, frames, seed=seed, steps=steps, device=device, on_try=trying)
        write_json(path, {"tried": tried})
    studio.done += studio.work.tries
    frozen = next(one["frame"] for one in tried if one["kept"])
    return frozen, {"frozen_frame": frozen, "frame_chosen_by": "walk", "frames_tried": tried} | notes


def _drawn(
    studio: _Studio,
    name: str,
    text: TextCondition,
    seed: int,
    known: KnownFrames | None,
    camera: CameraPath | None,
    cost: float,
    draw: Callable[[int, Callable[[int, int], None]], _Clip],
) -> tuple[_Clip, Chosen]:
    """What `draw` makes of the best seed, and how that was found; `cost` as planned."""

    def drafting(done: int, total: int) -> None:
        studio.tell(News(doing=f"drafts of the {name}", share=studio.share(SHARE * done / total, cost)))

    config = studio.config
    count = drafts_for(config.drafts, shown=known is not None and text.context == "freeze")
    chosen = choose_seed(
        studio.model, text, seed, count, known=known, camera=camera, steps=config.steps, on_step=drafting
    )
    begun = SHARE if chosen.drafts else 0.0

    def step(done: int, total: int) -> None:
        studio.tell(News(doing=name, share=studio.share(begun + (1 - begun) * done / total, cost)))

    return draw(chosen.seed, step), chosen


def _best_take(
    studio: _Studio, walk: Walk, picture: Tensor | None
) -> tuple[Float[Tensor, "N 3 H W"], list[Any], list[dict[str, Any]]]:
    """All frames of the walk, notes about each clip of it, and how well each take holds together (none if alone)."""
    takes = studio.config.takes
    if takes == 1:
        return *_walked(studio, walk, picture, 0), []
    told, found, figures = "camera" in studio.model.spec.features, [], []
    for take in range(takes):
        found.append(_walked(studio, walk, picture, take))
        studio.tell(News(doing=f"a static scene is fitted to take {take + 1}", share=studio.share()))
        clip = Video(found[-1][0], studio.model.spec.fps)
        # A path that was not told may turn less than it was meant to.
        worth = max(explained(clip, walk.values, share, studio.device) for share in ((1.0,) if told else (1.0, 0.5)))
        figures.append({"take": take + 1, "seed": found[-1][1][0]["seed"], "explained_db": round(worth, 2)})
        studio.tell(News(f"freeze-time clip, take {take + 1} of {takes}: a static scene explains {worth:.1f} dB of it"))
    best = max(range(takes), key=lambda i: figures[i]["explained_db"])
    studio.tell(News(f"take {best + 1} is kept"))
    return *found[best], [figure | {"kept": i == best} for i, figure in enumerate(figures)]


def _walked(
    studio: _Studio, walk: Walk, picture: Tensor | None, take: int
) -> tuple[Float[Tensor, "N 3 H W"], list[Any]]:
    """All frames of the walk, and notes about each clip."""
    text = _text(studio.config, studio.model, "freeze")
    pictures: dict[int, Tensor] = {} if picture is None else {walk.start: picture}
    notes = []
    for number, link in enumerate(plan(walk, reach_of(studio.model.spec))):
        fresh, note = _link(studio, walk, text, link, pictures, number, take)
        pictures |= fresh
        notes.append(note)
        studio.done += studio.work.frozen
        shown = torch.stack([pictures[f % len(walk)] for f in link.frames])
        studio.tell(News(doing=f"freeze-time clip {number + 1}", share=studio.share(), picture=_row(shown)))
    return torch.stack([pictures[i] for i in range(len(walk))]), notes


def _link(
    studio: _Studio,
    walk: Walk,
    text: TextCondition,
    link: Link,
    pictures: Mapping[int, Tensor],
    number: int,
    take: int,
) -> tuple[dict[int, Tensor], dict[str, Any]]:
    """The new frames of one clip: the best of the tries, which end with the first that nothing speaks against."""
    path = studio.desk.scratch / f"{f'take-{take:02d}-' if take else ''}link-{number:02d}.safetensors"
    if path.exists():
        tensors, meta = load_tensors(path, kind=_KIND)
        return dict(zip(tensors["index"].tolist(), tensors["frames"], strict=True)), meta["note"]
    best: tuple[float, dict[int, Tensor], int] | None = None
    tries, model = [], studio.model
    for attempt in range(studio.config.retries + 1):
        seed = studio.config.seed + 1 + number + _OTHER * attempt + _TAKE * take

        def draw(seed: int, step: Callable[[int, int], None]) -> dict[int, Tensor]:
            return draw_link(model, text, walk, link, pictures, seed=seed, steps=studio.config.steps, on_step=step)

        known, camera = conditions_of(model.spec, walk, link, pictures)
        name, cost = f"freeze-time clip {number + 1}", studio.work.frozen
        made, chosen = _drawn(studio, name, text, seed, known, camera, cost, draw)
        seed = chosen.seed
        sound = _sound(walk, link, pictures, made)
        drafts = {"drafts": chosen.drafts} if chosen.drafts else {}
        tries.append({"seed": seed, **drafts, "findings": sound.findings, **_figures(sound)})
        if best is None or sound.badness < best[0]:
            best = sound.badness, made, seed
        if not sound.findings:
            break
        again = "it is drawn again" if attempt < studio.config.retries else "the best try is kept"
        studio.tell(News(f"freeze-time clip {number + 1} looks bad: {'; '.join(sound.findings)}; {again}"))
    assert best is not None
    note = {"frames": list(link.frames), "known": list(link.known), "seed": best[2], "tries": tries}
    index, frames = torch.tensor(list(best[1])), torch.stack(list(best[1].values()))
    save_tensors(path, {"index": index, "frames": frames}, {"note": note}, kind=_KIND)
    return best[1], note


def _sound(walk: Walk, link: Link, pictures: Mapping[int, Tensor], made: Mapping[int, Tensor]) -> Soundness:
    places = [f % len(walk) for f in link.frames]
    known = [pictures[f] for f in places if f not in made] or [made[places[0]]]
    return examine(torch.stack(known), torch.stack([made[f] for f in places if f in made]))


def _figures(sound: Soundness) -> dict[str, float | None]:
    return {k: round(v, 3) if math.isfinite(v) else None for k, v in asdict(sound).items()}


def _row(clip: Float[Tensor, "F 3 H W"]) -> Float[Tensor, "3 H six"]:
    """Six frames side by side."""
    picks = torch.linspace(0, len(clip) - 1, 6).round().long()
    return torch.cat(list(clip[picks]), -1)
