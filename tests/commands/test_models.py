"""Options about video models, and a whole run with a tiny model of diffusers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fourreal.commands.generate import generate
from fourreal.commands.models import ModelOptions
from fourreal.commands.running import Drawing, Fitting, Showing
from fourreal.core.errors import FourRealError
from fourreal.core.scene import Scene
from fourreal.io.video import read_video
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.latent.text import FOLDER
from fourreal.video.teach import Gradient
from video.tiny_latent import tiny_folder

CPU = torch.device("cpu")
SMALL = {"size": "32x64", "score_size": "32x32"}


def test_nothing_said_is_the_embedded_model() -> None:
    assert ModelOptions().is_default
    pair = ModelOptions().open(CPU)
    assert isinstance(pair.generator, EmbeddedVideoModel)
    assert pair.teacher is pair.generator
    assert ModelOptions(teacher="none").open(CPU).teacher is None


def test_one_name_is_both_and_each_can_be_replaced() -> None:
    wan, vace = str(tiny_folder("wan")), str(tiny_folder("wan-vace"))
    one = ModelOptions(model=wan, **SMALL).open(CPU, steps=2)
    assert one.generator is one.teacher
    assert (one.generator.spec.size, one.generator.spec.picture_size) == ((32, 64), (32, 32))
    two = ModelOptions(model=vace, generator=wan, **SMALL).open(CPU)
    assert two.teacher is not None
    assert (two.generator.spec.name, two.teacher.spec.name) == ("tiny-wan", "tiny-wan-vace")
    assert two.teacher.spec.picture_size == (32, 32)
    three = ModelOptions(generator=wan, teacher="embedded", **SMALL).open(CPU)
    assert isinstance(three.teacher, EmbeddedVideoModel)


def test_words_reach_the_recipe() -> None:
    options = ModelOptions(
        model=str(tiny_folder("wan")), freeze_prefix="Look round", freeze_suffix="still", lora_trigger="0rb4it", **SMALL
    )
    text = options.open(CPU).generator.encode_text("a fox", context="freeze")
    assert '"0rb4it, Look round a fox, still"' in text.understood


@pytest.mark.parametrize("size", ["480", "480x", "0x64", "axb", "-1x64", "480x832x3"])
def test_a_size_that_is_none(size: str) -> None:
    with pytest.raises(FourRealError, match=r"--size must be HEIGHTxWIDTH .*480x832"):
        ModelOptions(model="m", size=size).settings()


def test_choices_that_nobody_would_follow() -> None:
    with pytest.raises(FourRealError, match=r"--frames, --tiling would do nothing.*--model"):
        ModelOptions(frames=17, tiling=True).open(CPU)


@pytest.mark.slow
@pytest.mark.parametrize("gradient", ["pixel", "latent"])
def test_a_whole_run_with_a_model_of_diffusers(tmp_path: Path, gradient: Gradient) -> None:
    """`4real generate PROMPT --model FOLDER` through all stages, as small as it goes; nothing needs a network."""
    models = ModelOptions(model=str(tiny_folder("wan-vace")), size="48x80", score_size="32x32", score_gradient=gradient)
    fitting = Fitting("default", 0.004, ("canonical.seeds=400", "poses.width=80", "videos.retries=0"))
    drawing = Drawing(coverage=40, steps=1)
    run = tmp_path / "run"
    assert generate("a fox jumping on grass", run, None, drawing, fitting, models, Showing("cpu", quiet=True)) == 0
    clip = read_video(run / "videos" / "reference.mp4")
    assert (len(clip), clip.height, clip.width) == (17, 48, 80)
    notes = json.loads((run / "videos" / "videos.json").read_text())
    assert notes["model"] == "tiny-wan-vace"
    assert len(list((run / "cache" / FOLDER).glob("*.safetensors"))) == 2, "a dynamic and a frozen prompt"
    for stage in ("canonical", "temporal"):
        curve = json.loads((run / stage / "report.json").read_text())["curve"]
        assert any(row["losses"].get("score", 0) > 0 for row in curve), f"nobody scored the {stage} stage"
    scene = Scene.load(run / "scene.safetensors")
    assert scene.n_times == 17
    assert len(scene.gaussians.means) > 0
    for name in ("scene.html", "report.html", "orbit.mp4"):
        assert (run / name).stat().st_size > 1000
