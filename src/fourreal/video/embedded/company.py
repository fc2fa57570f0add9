"""Clips of two subjects: whether both are there, or one of them has taken the other's look."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from fourreal.video.base import DRAFTS_APART
from fourreal.worlds.captions import CLOTHED
from fourreal.worlds.facing import SIDES

from .network import BaseNetwork, Conditions
from .objective import noised
from .phrasebook import ARTICLES, Words, entries
from .sampling import noise_of
from .tokens import encode_captions, vocabulary_of

_LEVEL = 0.7  # share of noise at which shapes are still open: at 0.5 and 0.85 good and bad drafts lie closer together
_MIXED = 20.0  # log odds by which a mixed draft is liked less
# By which one drawn by halves is liked less: the critic does not see that it lacks what reaches over the middle. Looked
# at, 96 drafts of ten captions: whole ones are better in six, though liked less by up to 0.2, as good in three; a fox
# beside a horse is better by halves, and liked more by 1.1.
_BY_HALVES = 0.5
# Of the clearest draft's margin; true clips of two horses have 0.48 of the mean margin of those of a horse and a
# penguin (eight worlds each); of eight drafts of earlier weights two that showed two horses had 0.3, the others 0.7.
_LEAST = 0.55


def mixed_last(
    values: Sequence[float],
    base: BaseNetwork,
    vocabulary: Sequence[str],
    clips: Sequence[Float[Tensor, "1 F 3 H W"]],
    given: Conditions,
    by_halves: Sequence[bool],
) -> list[float]:
    """How drafts are liked: of two subjects a little less if drawn by halves, and least if they may be mixed.

    Args:
        values: how they are liked: log odds of the critic.
        base: the network.
        vocabulary: its words.
        clips: the drafts, in [-1, 1].
        given: what all were drawn from. Where a frame is given it says who is there, and nothing changes.
        by_halves: which were drawn so, and show both; the network mends better what it would have drawn whole.
    """
    row = given.words[0]
    captions = in_both_places(tuple(vocabulary[int(i) - 1] for i in row.tolist() if i))
    if not captions or bool(given.known.any()):
        return list(values)
    others = encode_captions([" ".join(words) for words in captions], vocabulary_of(vocabulary), len(row)).to(
        row.device
    )
    clear = unmixed([margins(base, clip, given, others) for clip in clips])
    return [
        value - _BY_HALVES if halves else value if both else value - _MIXED
        for value, both, halves in zip(values, clear, by_halves, strict=True)
    ]


def drawn_whole(seed: int) -> bool:
    """Whether two subjects are drawn whole from a seed, as in every other draft of a clip.

    What is wider than half of the picture has no room in a half.
    """
    return bool(seed // DRAFTS_APART % 2)


def of_two(row: Int64[Tensor, " L"], vocabulary: Sequence[str]) -> bool:
    """Whether a caption has two subjects; see `words_of_halves`."""
    return words_of_halves(row, vocabulary) is not None


def words_of_halves(row: Int64[Tensor, " L"], vocabulary: Sequence[str]) -> Int64[Tensor, "2 1 L"] | None:
    """What to draw the left and the right half from: ids of words; None unless the caption has two subjects.

    Args:
        row: ids of a caption, 0 at the end.
        vocabulary: the network's words; ids begin with 1.
    """
    words = tuple(vocabulary[int(i) - 1] for i in row.tolist() if i)
    captions = in_both_places(words)
    if not captions:
        return None
    ordered = captions if first_is_left(words) else captions[::-1]
    ids = encode_captions([" ".join(caption) for caption in ordered], vocabulary_of(vocabulary), len(row))
    return ids[:, None].to(row.device)


def in_both_places(words: Words) -> tuple[Words, ...]:
    """A caption of two subjects with the first of them in both places, and with the second; nothing for other captions.

    Args:
        words: in the grammar of captions.
    """
    found = _named(words)
    if len(found) != 2:
        return ()
    first, second = (words[place] for place in found)
    return _replaced(words, found[1], first), _replaced(words, found[0], second)


def first_is_left(words: Words) -> bool:
    """Whether the first of two subjects stands on the left: it does unless their words say otherwise."""
    first, second = _named(words)
    for i in range(first.stop, len(words)):
        side = " ".join(words[i : i + 3])
        if side in SIDES:
            return (side == SIDES[0]) == (i < second.start)
    return True


def _named(words: Words) -> list[slice]:
    """Where a caption names its subjects, each once, with articles and colours."""
    found: list[slice] = []
    values: set[str] = set()
    i = 0
    while i < len(words):
        name = next((words[i : i + n] for n in (3, 2, 1) if words[i : i + n] in _subjects()), ())
        value = _subjects().get(name, "")
        if name and value not in values:
            start = next((k for k in range(i - 1, max(i - 4, -1), -1) if words[k] in ARTICLES), i)
            clothed = value in CLOTHED and words[i + len(name) : i + len(name) + 1] == ("in",)
            found.append(slice(start, i + len(name) + 2 * (clothed and _is_color(words[i + len(name) + 1 :]))))
            values.add(value)
        i += max(len(name), 1)
    return found


@lru_cache(maxsize=1)
def _subjects() -> dict[Words, str]:
    """Which subject each name of one stands for."""
    return {entry.words: entry.value for entry in entries() if entry.factor == "subject"}


def _is_color(words: Words) -> bool:
    return words[:1] in {entry.words for entry in entries() if entry.factor == "color"}


def _replaced(words: Words, place: slice, new: Words) -> Words:
    return (*words[: place.start], *new, *words[place.stop :])


@torch.no_grad()
def margins(
    base: BaseNetwork, clip: Float[Tensor, "1 F 3 H W"], given: Conditions, others: Int64[Tensor, "P L"], seed: int = 0
) -> Float[Tensor, " P"]:
    """By how much the network mends a noisy clip better if told its words than if told others.

    A diffusion model is a classifier so (arXiv 2303.16203): mean squared errors of the clip in [-1, 1], their
    difference.

    Args:
        base: the network.
        clip: what was drawn.
        given: what it was drawn from.
        others: ids of other words.
        seed: of the noise, the same for clips that are compared.
    """
    count = 1 + len(others)
    told = Conditions(*(value.expand(count, *value.shape[1:]) for value in given))
    told = told._replace(words=torch.cat((given.words, others)), guidance=torch.ones_like(told.guidance))
    level = torch.full((count,), _LEVEL, device=clip.device)
    clips = clip.expand(count, *clip.shape[1:])
    noise = noise_of([seed], clip.shape[1:], clip.device).expand_as(clips)
    with torch.autocast(clip.device.type, torch.bfloat16, enabled=clip.is_cuda):
        mended = base(noised(clips, noise, level, told.known), level, told).float()
    missed = (mended - clips).square().flatten(1).mean(1)
    return missed[1:] - missed[0]


def unmixed(found: Sequence[Float[Tensor, " P"]]) -> list[bool]:
    """Of several drafts' `margins`, which are not far less clear than the clearest for any of the other words."""
    each = torch.stack(list(found))
    return (each >= _LEAST * each.max(0).values).all(1).tolist()
