"""English inflections, undone by rule: which dictionary forms a word may stand for."""

from __future__ import annotations

import re
from functools import lru_cache

_SHORT = re.compile("[^aeiou]+[aeiou][^aeiouwxy]")  # "hop"
_PLURALS = {
    "calves": "calf",
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "hooves": "hoof",
    "leaves": "leaf",
    "lice": "louse",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "people": "person",
    "scarves": "scarf",
    "teeth": "tooth",
    "women": "woman",
}
_VERBS = {
    "ate": "eat",
    "bent": "bend",
    "came": "come",
    "crept": "creep",
    "danced": "dance",
    "dived": "dive",
    "dove": "dive",
    "drank": "drink",
    "drawn": "draw",
    "drew": "draw",
    "driven": "drive",
    "drove": "drive",
    "drunk": "drink",
    "eaten": "eat",
    "fell": "fall",
    "fled": "flee",
    "flew": "fly",
    "flown": "fly",
    "flung": "fling",
    "knelt": "kneel",
    "lain": "lie",
    "lay": "lie",
    "leant": "lean",
    "leapt": "leap",
    "ran": "run",
    "ridden": "ride",
    "rode": "ride",
    "sang": "sing",
    "sat": "sit",
    "slept": "sleep",
    "sped": "speed",
    "sprang": "spring",
    "spun": "spin",
    "stood": "stand",
    "sung": "sing",
    "swam": "swim",
    "swum": "swim",
    "swung": "swing",
    "threw": "throw",
    "thrown": "throw",
    "took": "take",
    "went": "go",
    "woke": "wake",
}


@lru_cache(maxsize=4096)
def noun_forms(word: str) -> tuple[str, ...]:
    """Singulars and plurals that `word` may belong to, likeliest first: "wolves" gives wolf, "tree" gives trees."""
    out = []
    if word in _PLURALS:
        out.append(_PLURALS[word])
    if word.endswith("ies"):
        out.append(word[:-3] + "y")
    if word.endswith("ves"):
        out += [word[:-3] + "f", word[:-3] + "fe"]
    if word.endswith("s") and not word.endswith("ss"):
        out += [word[:-1], word[:-2]] if word.endswith("es") else [word[:-1]]
    else:
        out += [word + "s", word + "es"]
    return tuple(w for w in dict.fromkeys(out) if len(w) > 1)


@lru_cache(maxsize=4096)
def verb_forms(word: str) -> tuple[str, ...]:
    """Forms in -ing that `word` may belong to, likeliest first: "dances", "danced" and "dance" give dancing."""
    out = [form for base in _bases(word) for form in _ing(base)]
    return tuple(w for w in dict.fromkeys(out) if w != word)


def _bases(word: str) -> list[str]:
    """The verb itself without its ending, as far as spelling tells."""
    if word in _VERBS:
        return [_VERBS[word]]
    out = [word]
    for ending in ("es", "s", "ed", "d", "in"):  # "dancin'" loses its apostrophe
        if word.endswith(ending) and len(word) > len(ending) + 1:
            out.append(word[: -len(ending)])
    if word.endswith(("ies", "ied")):
        out.append(word[:-3] + "y")
    if word.endswith("ed") and len(word) > 5 and word[-3] == word[-4]:
        out.append(word[:-3])
    return out


def _ing(base: str) -> list[str]:
    """How a verb takes -ing."""
    if base.endswith("ie"):
        return [base[:-2] + "ying"]
    if _SHORT.fullmatch(base):
        return [base + base[-1] + "ing"]  # "starring", which is not "staring"
    out = [base + "ing"]
    if base.endswith("e") and not base.endswith("ee"):
        out.insert(0, base[:-1] + "ing")
    if base[-1] not in "aeiouwxy":
        out.append(base + base[-1] + "ing")
    return out
