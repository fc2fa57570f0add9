"""The freeze-time clip: clips along a walk, of which each knows frames of those before; bad ones are drawn again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourreal.core.storage import load_tensors, save_tensors
from fourreal.core.video import Video
from fourreal.video.base import TextCondition
from fourreal.video.extend import Link, Walk, conditions_of, draw_link, plan, reach_of
from fourreal.video.soundness import Soundness, examine

from .news import News
from .small import explained
from .studio import KIND, Studio, drawn, row_of, text_of

_OTHER, _TAKE = 1000, 100_000  # between the seeds of successive tries, and of takes


def best_take(
    studio: Studio, walk: Walk, picture: Tensor | None
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
    studio: Studio, walk: Walk, picture: Tensor | None, take: int
) -> tuple[Float[Tensor, "N 3 H W"], list[Any]]:
    """All frames of the walk, and notes about each clip."""
    text = text_of(studio.config, studio.model, "freeze")
    pictures: dict[int, Tensor] = {} if picture is None else {walk.start: picture}
    notes = []
    for number, link in enumerate(plan(walk, reach_of(studio.model.spec))):
        fresh, note = _link(studio, walk, text, link, pictures, number, take)
        pictures |= fresh
        notes.append(note)
        studio.done += studio.work.frozen
        shown = torch.stack([pictures[f % len(walk)] for f in link.frames])
        studio.tell(News(doing=f"freeze-time clip {number + 1}", share=studio.share(), picture=row_of(shown)))
    return torch.stack([pictures[i] for i in range(len(walk))]), notes


def _link(
    studio: Studio,
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
        tensors, meta = load_tensors(path, kind=KIND)
        return dict(zip(tensors["index"].tolist(), tensors["frames"], strict=True)), meta["note"]
    best: tuple[float, dict[int, Tensor], int] | None = None
    tries, model = [], studio.model
    for attempt in range(studio.config.retries + 1):
        seed = studio.config.seed + 1 + number + _OTHER * attempt + _TAKE * take

        def draw(seed: int, step: Callable[[int, int], None]) -> dict[int, Tensor]:
            return draw_link(model, text, walk, link, pictures, seed=seed, steps=studio.config.steps, on_step=step)

        known, camera = conditions_of(model.spec, walk, link, pictures)
        name, cost = f"freeze-time clip {number + 1}", studio.work.frozen
        made, chosen = drawn(studio, name, text, seed, known, camera, cost, draw)
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
    save_tensors(path, {"index": index, "frames": frames}, {"note": note}, kind=KIND)
    return best[1], note


def _sound(walk: Walk, link: Link, pictures: Mapping[int, Tensor], made: Mapping[int, Tensor]) -> Soundness:
    places = [f % len(walk) for f in link.frames]
    known = [pictures[f] for f in places if f not in made] or [made[places[0]]]
    return examine(torch.stack(known), torch.stack([made[f] for f in places if f in made]))


def _figures(sound: Soundness) -> dict[str, float | None]:
    return {k: round(v, 3) if math.isfinite(v) else None for k, v in asdict(sound).items()}
