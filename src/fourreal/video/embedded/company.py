"""Clips of two subjects: whether both are there, or one of them has taken the other's look."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .network import BaseNetwork, Conditions
from .objective import noised
from .phrasebook import Words, entries
from .sampling import noise_of
from .tokens import encode_captions, vocabulary_of

_LEVEL = 0.7  # share of noise at which shapes are still open: at 0.5 and 0.85 good and bad drafts lie closer together
_MIXED = 20.0  # log odds by which a mixed draft is liked less
_LEAST = 0.45  # of the clearest draft's margin; looked at: of eight two that showed two horses had 0.3, the others 0.7


def mixed_last(
    values: Sequence[float],
    base: BaseNetwork,
    vocabulary: Sequence[str],
    clips: Sequence[Float[Tensor, "1 F 3 H W"]],
    given: Conditions,
) -> list[float]:
    """How drafts are liked, those less than any other in which one of two subjects may have taken the other's look.

    Args:
        values: how they are liked: log odds of the critic.
        base: the network.
        vocabulary: its words.
        clips: the drafts, in [-1, 1].
        given: what all were drawn from. Where a frame is given it says who is there, and nothing changes.
    """
    row = given.words[0]
    captions = in_both_places(tuple(vocabulary[int(i) - 1] for i in row.tolist() if i))
    if not captions or bool(given.known.any()):
        return list(values)
    others = encode_captions([" ".join(words) for words in captions], vocabulary_of(vocabulary), len(row)).to(
        row.device
    )
    clear = unmixed([margins(base, clip, given, others) for clip in clips])
    return [value if both else value - _MIXED for value, both in zip(values, clear, strict=True)]


def in_both_places(words: Words) -> tuple[Words, ...]:
    """A caption of two subjects with the first of them in both places, and with the second; nothing for other captions.

    Args:
        words: in the grammar of captions.
    """
    found: list[tuple[Words, str]] = []
    i = 0
    while i < len(words):
        name = next((words[i : i + n] for n in (3, 2, 1) if words[i : i + n] in _subjects()), ())
        if name and _subjects()[name] not in {value for _, value in found}:
            found.append((name, _subjects()[name]))
        i += max(len(name), 1)
    if len(found) != 2:
        return ()
    (one, _), (other, _) = found
    return _replaced(words, other, one), _replaced(words, one, other)


@lru_cache(maxsize=1)
def _subjects() -> dict[Words, str]:
    """Which subject each name of one stands for."""
    return {entry.words: entry.value for entry in entries() if entry.factor == "subject"}


def _replaced(words: Words, old: Words, new: Words) -> Words:
    """With one name for another, and the article that it takes."""
    i = next(i for i in range(len(words)) if words[i : i + len(old)] == old)
    before = words[:i]
    if before and before[-1] in {"a", "an"}:
        before = (*before[:-1], "an" if new[0][0] in "aeiou" else "a")
    return (*before, *new, *words[i + len(old) :])


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
