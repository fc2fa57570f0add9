"""The prompts of `generate.py`: six in the words and order of captions, six as a stranger might phrase them.

The free ones were written before any of them was drawn; how the model understands them had been looked at. The
labels are what a person would expect to see, not what the model makes of the sentence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fourreal.core.errors import FourRealError


class Prompt(NamedTuple):
    """A sentence, the labels that it names by factor (subject, action, color, ground, sky), and what kind it is."""

    text: str
    labels: Mapping[str, str]
    kind: str

    @property
    def name(self) -> str:
        """For files: words of the prompt; sentences that begin alike differ in the digits at the end."""
        words = "-".join(re.findall(r"[a-z0-9]+", self.text.lower()))[:40].strip("-")
        return f"{words}-{hashlib.sha256(self.text.encode()).hexdigest()[:4]}"


def _prompt(kind: str, text: str, *labels: str) -> Prompt:
    return Prompt(text, dict(pair.split("=") for pair in labels), kind)


PROMPTS = (
    _prompt("grammar", "a panda dancing on grass at sunset",
            "subject=panda", "action=dancing", "ground=grass", "sky=sunset"),
    _prompt("grammar", "a red fox jumping on snow at dawn",
            "subject=fox", "action=jumping", "color=red", "ground=snow", "sky=dawn"),
    _prompt("grammar", "a blue robot walking on the street at night",
            "subject=robot", "action=walking", "color=blue", "ground=road", "sky=night"),
    _prompt("grammar", "an orange cat sitting on a carpet next to a fire hydrant",
            "subject=cat", "action=sitting", "color=orange", "ground=carpet"),
    _prompt("grammar", "a penguin waving on snow under an overcast sky",
            "subject=penguin", "action=waving", "ground=snow", "sky=overcast"),
    _prompt("grammar", "an elephant walking on the beach at golden hour",
            "subject=elephant", "action=walking", "ground=sand", "sky=golden hour"),
    _prompt("free", "My kitten just won't stop spinning around on the living room rug!",
            "subject=cat", "action=spinning", "ground=carpet"),
    _prompt("free", "A knight in shining armor marches down a cobbled alley after dark",
            "subject=person", "action=walking", "ground=stone", "sky=night"),
    _prompt("free", "a sleepy corgi napping on a huge pile of autumn leaves",
            "subject=corgi", "action=sleeping", "ground=leaves"),
    _prompt("free", "cinematic shot of a T-Rex stomping across the desert at dusk",
            "subject=dinosaur", "action=walking", "ground=sand", "sky=sunset"),
    _prompt("free", "an old yellow taxi cruising down the road in bright daylight",
            "subject=car", "action=driving", "color=yellow", "ground=road", "sky=day"),
    _prompt("free", "someone strumming a guitar by the campfire under the stars",
            "subject=person", "action=playing music", "sky=night"),
)  # fmt: skip


def chosen(wanted: Sequence[str] | None) -> list[Prompt]:
    """All prompts, those of the given numbers (from 1), or sentences of one's own, which have no labels.

    Raises:
        FourRealError: for a number that no prompt has.
    """
    if wanted is None:
        return list(PROMPTS)
    out: list[Prompt] = []
    for text in wanted:
        if not text.isdigit():
            out.append(next((p for p in PROMPTS if p.text == text), Prompt(text, {}, "own")))
        elif 1 <= int(text) <= len(PROMPTS):
            out.append(PROMPTS[int(text) - 1])
        else:
            raise FourRealError(f"--prompts {text}: there are prompts 1 to {len(PROMPTS)}; or write a sentence")
    return list({p.text: p for p in out}.values())
