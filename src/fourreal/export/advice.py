"""What to try next, from what a run found out about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import NamedTuple

_POOR, _FAIR = 22.0, 27.0  # dB of the fitted frames
_NARROW = 100.0  # degrees


@dataclass(frozen=True)
class Advice:
    """What the advice depends on.

    Attributes:
        run: the run folder.
        arc: degrees that the freeze-time clip covers.
        quality: mean PSNR of fitted frames by group, dB.
        doubts: what speaks against the cameras.
        prompt: the sentence that the clips were made from, "" for a user's own.
        asked: degrees that the freeze-time clip was asked to cover; 0 if that is not known.
        moving: whether the scene has a motion.
    """

    run: Path
    arc: float
    quality: Mapping[str, float]
    doubts: Sequence[str]
    prompt: str
    asked: float
    moving: bool


class Tip(NamedTuple):
    """A sentence and a command that goes with it, which may be empty."""

    words: str
    command: str = ""


def advise(found: Advice) -> list[Tip]:
    """Tips in order of urgency; the last ones are always there."""
    tips, run = [], quote(str(found.run))
    if found.doubts:
        cure = "Another take of the clips may move more evenly" if found.prompt else (
            "If you know the cameras, give them with --cameras; else film a slower, wider walk with more overlap"
        )  # fmt: skip
        tips.append(Tip(f"The cameras look doubtful: {found.doubts[0]}. {cure}."))
    reference, freeze = found.quality.get("ref"), found.quality.get("freeze")
    if reference is not None and reference < _POOR:
        tips.append(Tip("The reference clip is matched poorly: give the fit more steps (--effort 2).", ""))
    elif reference is not None and reference < _FAIR:
        tips.append(Tip("More steps sharpen the moving parts: --effort 2."))
    if freeze is not None and reference is not None and freeze < reference - 5:
        tips.append(
            Tip(
                "The freeze-time clip is matched much worse than the reference clip: its frames disagree with each "
                "other or with the reference. Look at the comparison; "
                + (
                    "of several takes, the one that agrees best is kept:"
                    if found.prompt
                    else "another clip may agree better."
                ),
                f"4real generate {quote(found.prompt)} --takes 3" if found.prompt else "",
            )
        )
    if found.asked > 1.3 * found.arc:
        tips.append(
            Tip(
                f"The camera was asked to go round {found.asked:.0f}° and went {found.arc:.0f}°: "
                "another seed may follow better.",
                f"4real generate {quote(found.prompt)} --seed 1",
            )
        )
    elif found.arc < _NARROW:
        wider = f"4real generate {quote(found.prompt)} --coverage 180" if found.prompt else ""
        tips.append(Tip(f"Only {found.arc:.0f}° are covered; a longer walk round shows more sides.", wider))
    if not found.moving:
        tips.append(Tip("This scene stands still; with a reference clip of the action (--reference) it moves."))
    tips.append(Tip("Fly through it live, change speed, record camera paths as films.", f"4real view {run}"))
    tips.append(Tip("Take the splats of every moment to Blender, Unity or SuperSplat.", f"4real export {run} --to ply"))
    return tips
