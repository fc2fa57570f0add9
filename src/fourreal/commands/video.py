"""`4real video`: a sentence becomes two clips."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from fourreal.core.errors import FourRealError


@dataclass(frozen=True)
class Sampling:
    """How clips are drawn.

    Attributes:
        seed: another number gives other clips.
        steps: evaluations of the network a clip; more are slower and a little cleaner.
        device: auto takes a CUDA GPU if torch sees one.
        weights: folder with networks of your own from `4real train-video-model`.
    """

    seed: int = 0
    steps: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    weights: Path | None = None


def video(
    prompt: tyro.conf.Positional[str],
    out: Path = Path("out/video"),
    camera: str = "orbit 60 right",
    context: Literal["both", "dynamic", "freeze"] = "both",
    from_frame: Path | None = None,
    frame: int = 0,
    sampling: Annotated[Sampling, tyro.conf.arg(name="")] = Sampling(),
) -> int:
    """Draw a reference clip (time runs) and a freeze-time clip (time stands still, the camera moves) from a sentence.

    The embedded model knows a small world of animals, people, vehicles and robots, what they do and where; it says how
    it understood the sentence. Writes reference.mp4, freeze.mp4 (16 frames of 256x144), a contact sheet and the
    settings.

    Args:
        prompt: for example "a red fox jumping over snow at night".
        out: folder for the clips.
        camera: path of the freeze-time camera: orbit, rise, lower, dolly, e.g. "orbit 90 left, rise 10".
        context: draw both clips, or only one: dynamic is the reference clip.
        from_frame: picture to start from.
        frame: frame of the reference clip that is frozen, from 0.
        sampling: seed, steps, device, weights.
    """
    from rich.console import Console

    from fourreal.stages.videos import SHEET, VideosConfig, make_videos
    from fourreal.video.embedded.model import EmbeddedVideoModel

    from .device import torch_device
    from .display import progress_bar

    if sampling.steps is not None and not 1 <= sampling.steps <= 1000:
        raise FourRealError(f"--steps must lie in 1..1000, got {sampling.steps}; 10 is usual")
    console, begun = Console(), time.monotonic()
    model = EmbeddedVideoModel.load(sampling.weights, torch_device(sampling.device))
    config = VideosConfig(prompt, context, sampling.seed, camera, from_frame, frame, sampling.steps)
    with progress_bar(console) as bar:
        task = bar.add_task("reading", total=None, news="")

        def step(name: str, done: int, total: int) -> None:
            bar.update(task, description=name.removesuffix(".mp4"), completed=done, total=total)
            if not console.is_terminal and done == total:
                console.print(f"{name} drawn after {time.monotonic() - begun:.1f} s")

        paths = make_videos(
            config, model, out, on_text=lambda line: console.print(line, markup=False, highlight=False), on_step=step
        )
    names = " and ".join(str(p) for p in paths)
    console.print(f"look at {names}, or both at once in {out / SHEET}", markup=False, highlight=False)
    console.print(f"another take: --seed {sampling.seed + 1}; another path: --camera 'orbit 90 left, rise 10'")
    return 0
