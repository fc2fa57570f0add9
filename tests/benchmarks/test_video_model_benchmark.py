"""The video model benchmark runs on any size of network, and sees a perfect model as perfect."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fourreal.video.embedded.network import BaseConfig, BaseNetwork
from fourreal.video.embedded.upsampler import UpsamplerConfig, UpsamplerNetwork
from fourreal.video.embedded.weights import BASE, UPSAMPLER, History, save_base, save_upsampler
from fourreal.worlds import caption_words

pytestmark = pytest.mark.usefixtures("one_thread")

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_FEW = ["--device", "cpu", "--count", "2", "--steps", "1", "--sds", "pixels", "--sds-steps", "3"]
_JUDGE = ["--classifier-clips", "8", "--classifier-epochs", "1", "--classifier-width", "8"]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(_FOLDER)
    return importlib.import_module("video_model")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of untrained networks for clips of 4x12x16."""
    folder, words = tmp_path_factory.mktemp("weights"), caption_words()
    config = BaseConfig(4, 12, 16, 16, 64, 1, 32, 64, 1, vocabulary=len(words))
    save_base(folder / BASE, BaseNetwork(config).state_dict(), config, words, History(0))
    larger = UpsamplerConfig(4, 32, 1, 16)
    save_upsampler(folder / UPSAMPLER, UpsamplerNetwork(larger).state_dict(), larger, History(0))
    return folder


def test_every_section_without_a_prompt(module: ModuleType, weights: Path, tmp_path: Path) -> None:
    wanted = ["time", "draw", "distribution", "freeze", "score", "sds", "extend", "upsample"]
    out = tmp_path / "figures.json"
    files = ["--json", str(out), "--classifier", str(tmp_path / "judge.safetensors")]
    module.main(["--weights", str(weights), *_FEW, *_JUDGE, *files, "--only", *wanted])
    figures = json.loads(out.read_text())
    assert set(figures) == {"weights", "clips", "distilled", *wanted}
    assert len(figures["freeze"]["generated"]) == 3
    assert (tmp_path / "judge.safetensors").exists()


def test_a_perfect_model(module: ModuleType, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = importlib.import_module("_video_setting").Setting
    monkeypatch.setattr(setting, "generate", lambda self, given, clear, **_: clear)
    monkeypatch.setattr(setting, "denoise", lambda self, x, sigma, given, clear, guidance: clear)
    out = tmp_path / "figures.json"
    few = [*_FEW, "--sds-steps", "60", "--json", str(out)]
    module.main(["--weights", str(weights), *few, "--only", "freeze", "score", "sds"])
    figures = json.loads(out.read_text())
    assert figures["freeze"]["generated"] == [60.0] * 3
    assert all(v["guided"] == 60.0 > v["first frame"] for v in figures["score"].values())
    assert figures["sds"]["pixels"]["fall"] > 0.9


def test_a_chain_of_clips_follows_its_camera(module: ModuleType, weights: Path, monkeypatch) -> None:
    """A model that paints each frame as bright as its azimuth shows the whole path, link after link."""
    cameras = importlib.import_module("_video_cameras")
    arguments = module.parser().parse_args(["--weights", str(weights), *_FEW])
    options = module.Options(**{k: v for k, v in vars(arguments).items() if k not in ("only", "json")})
    setting = module.Setting.load(weights, options)

    def paint(self, given, clear):
        start = clear[:, :1] if given.known[0, 1:].any() else torch.zeros_like(clear[:, :1])
        made = start + given.camera[..., :1, None, None].expand(-1, -1, 3, 12, 16)
        return torch.where(given.known[:, :, None, None, None], clear, made)

    monkeypatch.setattr(module.Setting, "generate", paint)
    camera = torch.zeros(1, 10, 3)
    camera[..., 0] = torch.arange(10) / 10
    made = cameras._chained(setting, ["a fox walking"], torch.zeros(1, 1, 3, 12, 16), camera)
    assert torch.allclose(made.mean((2, 3, 4)), camera[..., 0], atol=1e-6)


def test_what_is_missing_is_said(module: ModuleType, weights: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        module.main(["--weights", str(weights), *_FEW, "--only", "sheet"])
    assert "sheet --pictures" in capsys.readouterr().err
