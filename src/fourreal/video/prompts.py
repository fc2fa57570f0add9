"""What is said to models that know time and camera only through words: the freeze-time recipe of 4Real.

The paper puts "Camera circulating around" before the prompt and "time elapse" after it, and drops action verbs
(arXiv 2406.07472, section 3.1). Models of other makers were trained on other captions, so every part can be changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .base import Context

_PREPOSITIONS = re.compile(
    "on|in|at|over|under|through|across|along|around|into|onto|up|down|by|near|beside|behind|above|below|from|with|"
    "between|towards?|past|against|and|or|while|as|inside|outside|off|out|away|about|among|before|after"
)
_NOUNS = re.compile(
    "something|anything|everything|nothing|clothing|building|ceiling|sibling|duckling|gosling|dwelling|viking|string|"
    "spring|morning|evening|painting|drawing|wedding|pudding|lightning|crossing|landing|opening|lighting|during|stocking"
)
_WORD = re.compile(r"[\w'-]+|[^\w\s]")


@dataclass(frozen=True)
class FreezeTimeRecipe:
    """How a prompt is told to show one frozen moment from a moving camera.

    Attributes:
        prefix: words before the prompt.
        suffix: words after it.
        negative: what the clip must not show, beside the user's own negative prompt.
        trigger: words that wake a LoRA, put first.
        drop_actions: leave out participles such as "running" that are followed by no object.
    """

    prefix: str = "Camera circulating around"
    suffix: str = "time elapse"
    negative: str = "motion, moving subject, walking, running, talking, waving"
    trigger: str = ""
    drop_actions: bool = True

    def prompt(self, prompt: str) -> str:
        """The frozen prompt: "a fox jumping over snow" -> "Camera circulating around a fox over snow, time elapse"."""
        core = without_actions(prompt) if self.drop_actions else " ".join(prompt.split())
        front = f"{self.prefix} {core}".strip()
        return ", ".join(part for part in (self.trigger.strip(), front, self.suffix.strip()) if part)


def told(prompt: str, negative: str, context: Context, recipe: FreezeTimeRecipe) -> tuple[str, str]:
    """(prompt, negative prompt) as they are given to the model."""
    if context == "dynamic":
        return " ".join(prompt.split()), negative
    return recipe.prompt(prompt), ", ".join(part for part in (recipe.negative, negative) if part)


def without_actions(prompt: str) -> str:
    """The prompt without participles that take no object: "a panda dancing wildly on grass" -> "a panda on grass".

    "a knight holding a sword" stays as it is: there the participle says how things stand to each other.
    """
    words = _WORD.findall(prompt)
    kept: list[str] = []
    i = 0
    while i < len(words):
        end = i + 1
        while end < len(words) and words[end].lower().endswith("ly"):
            end += 1
        following = words[end].lower() if end < len(words) else "."
        free = _PREPOSITIONS.fullmatch(following) or not following[0].isalnum()
        if i > 0 and _is_action(words[i]) and free:
            i = end
            continue
        kept.append(words[i])
        i += 1
    return re.sub(r"\s+([^\w\s])", r"\1", " ".join(kept))


def _is_action(word: str) -> bool:
    word = word.lower()
    return len(word) > 5 and word.endswith("ing") and not _NOUNS.fullmatch(word)
