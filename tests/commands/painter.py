"""A model that knows one small world instead of a network, and settings that make small runs of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from fourreal.commands.running import Drawing, Fitting, Showing
from fourreal.video.oracle import OracleVideoModel

PROMPT = "a panda dancing on grass"
TINY = Fitting(effort=0.004, set=("canonical.seeds=300", "canonical.nodes=8", "temporal.nodes=8", "poses.width=64"))
FITTED = Fitting(effort=0.004, set=(*TINY.set, "until=detail"))  # without page and films
QUIET = Showing("cpu", quiet=True)
TWO_LINKS = Drawing(coverage=66.0)  # a first clip, and one that goes on to the left


class Painter(OracleVideoModel):
    """The oracle, counting its clips and doing something else now and then."""

    def __init__(self) -> None:
        super().__init__(3, size=(36, 64), score_size=(18, 32), frames=8)
        self.seeds: list[int] = []
        self.trick: Callable[[int, Tensor], Tensor] = lambda _, clip: clip

    def generate(self, text: Any, **options: Any) -> Tensor:
        self.seeds.append(options["seed"])
        return self.trick(len(self.seeds), super().generate(text, **options))


def log_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
