"""What the loader says about folders that are wrong, half downloaded, unsupported or too large, and about settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fourreal.core.errors import FourRealError, MissingDependencyError
from fourreal.video import (
    FrameCountError,
    KnownFrames,
    ModelSourceError,
    SizeError,
    UnsupportedConditionError,
)
from fourreal.video.choose import open_models, open_video_model
from fourreal.video.embedded.model import EmbeddedVideoModel
from fourreal.video.latent.load import _place, load_latent_model
from fourreal.video.latent.memory import parameters
from fourreal.video.latent.source import find_source
from fourreal.video.latent.text import FOLDER, TextEncoder

from .tiny_latent import scratch, tiny_folder, tiny_latent, tiny_settings

LINE = 400


def refusal(name: Path | str) -> str:
    with pytest.raises(ModelSourceError) as caught:
        find_source(str(name))
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < LINE
    return message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_folder("wan"), tmp_path / "model"))


class TestFolders:
    def test_a_whole_one(self, folder: Path) -> None:
        source = find_source(str(folder))
        assert (source.kind, source.family, source.name) == ("WanPipeline", "wan", "model")

    def test_no_such_folder(self, tmp_path: Path) -> None:
        assert "no such folder" in refusal(tmp_path / "nowhere")
        assert "no such folder" in refusal("just-a-word")

    def test_a_file(self, folder: Path) -> None:
        assert "is a file" in refusal(folder / "model_index.json")

    def test_a_folder_of_something_else(self, tmp_path: Path) -> None:
        assert "model_index.json" in refusal(tmp_path)

    def test_one_folder_too_high(self, folder: Path) -> None:
        assert f"did you mean {folder}" in refusal(folder.parent)

    def test_one_folder_too_deep(self, folder: Path) -> None:
        assert "another layout" in refusal(folder / "vae")

    def test_a_pipeline_that_is_not_supported(self, folder: Path) -> None:
        index = json.loads((folder / "model_index.json").read_text())
        (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableVideoDiffusionPipeline"}))
        message = refusal(folder)
        assert "StableVideoDiffusionPipeline" in message
        assert "WanVACEPipeline" in message

    def test_an_index_that_is_no_json(self, folder: Path) -> None:
        (folder / "model_index.json").write_text("{")
        assert "not valid JSON" in refusal(folder)

    def test_code_of_others_is_not_run(self, folder: Path) -> None:
        index = json.loads((folder / "model_index.json").read_text())
        index["vae"] = ["mymodule", "MyVAE"]
        (folder / "model_index.json").write_text(json.dumps(index))
        with pytest.raises(ModelSourceError, match=r"mymodule.*not run"):
            load_latent_model(str(folder), "cpu", tiny_settings("wan"))


class TestDownloads:
    @pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
    def test_a_component_without_weights(self, folder: Path, part: str) -> None:
        for path in (folder / part).glob("*.safetensors"):
            path.unlink()
        message = refusal(folder)
        assert f"{part} has no weights" in message
        assert "hf download" in message

    def test_a_shard_is_missing(self, folder: Path) -> None:
        index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
        (folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
        assert "lacks model-00001-of-00002.safetensors (2 files" in refusal(folder)

    @pytest.mark.parametrize("share", [0.0, 0.0001, 0.5, 0.999])
    def test_a_file_is_cut_short(self, folder: Path, share: float) -> None:
        (path,) = (folder / "transformer").glob("*.safetensors")
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        assert "cut short" in refusal(folder)

    def test_pickles_are_never_opened(self, folder: Path) -> None:
        (path,) = (folder / "transformer").glob("*.safetensors")
        path.rename(path.with_suffix(".bin"))
        assert "only pickled weights, which are never opened" in refusal(folder)

    def test_weights_of_another_shape(self, folder: Path) -> None:
        config = json.loads((folder / "transformer" / "config.json").read_text())
        (folder / "transformer" / "config.json").write_text(json.dumps({**config, "ffn_dim": 64}))
        model = load_latent_model(str(folder), "cpu", tiny_settings("wan"))
        with pytest.raises(ModelSourceError, match="the networks cannot be loaded") as caught:
            _ = model.family
        assert len(str(caught.value)) < 2 * LINE

    def test_a_hub_id_without_a_network(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        message = refusal("Wan-AI/Wan2.1-VACE-1.3B-diffusers")
        assert "hf download Wan-AI/Wan2.1-VACE-1.3B-diffusers --local-dir" in message

    def test_a_download_goes_on_where_it_was_stopped(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """A snapshot that lacks a file is completed; of what lies beside the pipeline nothing is fetched."""
        import huggingface_hub

        (path,) = (folder / "vae").glob("*.safetensors")
        whole, asked = path.read_bytes(), []
        path.unlink()

        def snapshot(name: str, local_files_only: bool = False, allow_patterns: list[str] | None = None) -> str:
            if not local_files_only:
                asked.extend(allow_patterns or [])
                path.write_bytes(whole)
            return str(folder)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: str(folder / "model_index.json"))
        news: list[str] = []
        assert find_source("some/model", news.append).kind == "WanPipeline"
        assert news == ["fetching some/model from the hub; what has arrived stays if this is stopped"]
        assert "vae/*.safetensors" in asked
        assert not {"*.safetensors", "*"} & set(asked)
        news.clear()
        find_source("some/model", news.append)
        assert not news

    def test_an_unsupported_model_of_the_hub_is_not_fetched(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        import huggingface_hub

        def snapshot(name: str, local_files_only: bool = False, **_: object) -> str:
            assert local_files_only, "gigabytes for nothing"
            raise FileNotFoundError

        (folder / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: str(folder / "model_index.json"))
        assert "FluxPipeline, which is not supported" in refusal("some/model")

    def test_other_precisions_beside_the_weights_do_not_count(self, folder: Path) -> None:
        before = parameters(folder / "transformer")
        (path,) = (folder / "transformer").glob("*.safetensors")
        shutil.copy(path, path.with_name("diffusion_pytorch_model.fp16.safetensors"))
        assert parameters(find_source(str(folder)).folder / "transformer") == before

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        import importlib.util

        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "diffusers" else found(name))
        with pytest.raises(MissingDependencyError, match=r"pip install 'fourreal\[models\]'"):
            find_source(str(folder))


class TestSettings:
    def test_frames_are_never_rounded(self) -> None:
        """diffusers would make 17 of 16 without a word."""
        with pytest.raises(FrameCountError, match=r"4 k \+ 1 frames, not 16; --frames 17 is the next"):
            load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan", frames=16))
        assert load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan", frames=9)).spec.frames == 9

    def test_a_schedule_that_one_step_has_not(self) -> None:
        model = tiny_latent("ltx-first")
        with pytest.raises(UnsupportedConditionError, match=r"--steps 1; 2 are the least"):
            model.generate(model.encode_text("a fox"), steps=1)

    def test_the_next_valid_counts(self) -> None:
        spec = tiny_latent("wan-vace").spec
        assert [spec.nearest_frames(n) for n in (1, 2, 8, 16, 17, 18)] == [1, 5, 9, 17, 17, 21]
        assert [spec.prefix_frames(n) for n in (1, 8, 9, 16, 40)] == [1, 9, 9, 17, 17]

    def test_no_known_frame_of_eight_is_dropped(self) -> None:
        """diffusers trims eight known frames of LTX to one; here all of them count, and come back."""
        model, text = tiny_latent("ltx"), tiny_latent("ltx").encode_text("a fox")
        frames = torch.rand(8, 3, *model.spec.size)
        clip = model.generate(text, known=KnownFrames(tuple(range(8)), frames))
        assert torch.equal(clip[:8], frames)
        other = frames.clone()
        other[7] = 1 - other[7]
        changed = model.generate(text, known=KnownFrames(tuple(range(8)), other))
        assert not torch.equal(changed[8:], clip[8:])

    @pytest.mark.parametrize("size", [(30, 64), (0, 64), (8, 8)])
    def test_sizes(self, size: tuple[int, int]) -> None:
        with pytest.raises(SizeError, match=r"multiples of 16 .*nearest is \d+x\d+"):
            load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan", size=size))

    @pytest.mark.parametrize("wrong", [{"guidance": 0.5}, {"steps": 0}, {"lora_scale": 9.0}, {"fov": 0.0}])
    def test_numbers_out_of_range(self, wrong: dict[str, float]) -> None:
        with pytest.raises(FourRealError):
            tiny_settings("wan", **wrong)

    def test_offload_needs_a_gpu(self) -> None:
        with pytest.raises(ModelSourceError, match="on the CPU leave it out"):
            load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan", offload="model"))

    def test_offloaded_models_rest_but_for_the_autoencoder(self) -> None:
        """On a CPU nothing moves, but it is seen what would: both experts by turns, and never the autoencoder."""
        plain = tiny_latent("wan-experts")
        model = load_latent_model(str(tiny_folder("wan-experts")), "cpu", tiny_settings("wan-experts"), cache=scratch())
        pipe = model.family.pipe  # type: ignore[attr-defined]
        _place(pipe, tiny_settings("wan-experts", offload="model"), torch.device("cpu"))
        resting: list[str] = []
        for hook in pipe._all_hooks:
            name = next(k for k, v in pipe.components.items() if v is hook.model)
            hook.offload = lambda name=name: resting.append(name)
        assert {id(hook.model) for hook in pipe._all_hooks} == {id(pipe.transformer), id(pipe.transformer_2)}
        text, known = model.encode_text("a fox"), KnownFrames((0,), torch.full((1, 3, 32, 64), 0.2))
        x = torch.zeros(model.spec.encoded_frames, model.spec.channels, *model.spec.score_size)
        for sigma in (30.0, 20.0, 1.0, 0.5, 30.0):
            made = model.denoise(x, sigma, text, known=known)
            assert torch.equal(made, plain.denoise(x, sigma, text, known=known))
        assert resting == ["transformer", "transformer_2"]

    def test_guidance_and_negative_prompt_are_heard(self) -> None:
        folder = str(tiny_folder("wan"))
        made = []
        for more in ({}, {"guidance": 1.0}, {"negative": "snow"}, {"prefix": "Look:"}):
            model = load_latent_model(folder, "cpu", tiny_settings("wan", **more), cache=scratch())
            made.append(model.generate(model.encode_text("a fox", context="freeze")))
        for i, one in enumerate(made):
            assert not any(torch.equal(one, other) for other in made[:i])

    def test_tiles_change_memory_and_hardly_the_clip(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan", tiling=True), cache=scratch())
        vae, seen = model.codec.vae, []
        monkeypatch.setattr(vae, "tile_sample_min_height", 16)
        monkeypatch.setattr(vae, "tile_sample_stride_height", 8)
        decode = vae.tiled_decode
        monkeypatch.setattr(vae, "tiled_decode", lambda *a, **k: seen.append(1) or decode(*a, **k))
        text = model.encode_text("a fox")
        tiled = model.generate(text)
        whole = tiny_latent("wan").generate(tiny_latent("wan").encode_text("a fox"))
        assert seen
        assert not vae.use_tiling
        assert float((tiled - whole).abs().mean()) < 0.1


class TestText:
    def test_embeddings_are_read_from_the_run_without_the_text_encoder(self, tmp_path: Path, folder: Path) -> None:
        settings = tiny_settings("wan")
        first = load_latent_model(str(folder), "cpu", settings, cache=tmp_path).encode_text("a fox")
        assert len(list((tmp_path / FOLDER).glob("*.safetensors"))) == 2, "time running and frozen"
        news: list[str] = []
        model = load_latent_model(str(folder), "cpu", settings, cache=tmp_path, tell=news.append)
        again = model.encode_text("a fox")
        assert torch.equal(again.payload.prompt, first.payload.prompt)
        assert not any("text encoder" in line for line in news)
        model.encode_text("a bear")
        assert any("text encoder" in line for line in news)

    def test_damaged_embeddings_are_made_again(self, tmp_path: Path, folder: Path) -> None:
        settings = tiny_settings("wan")
        first = load_latent_model(str(folder), "cpu", settings, cache=tmp_path).encode_text("a fox")
        for path in (tmp_path / FOLDER).glob("*.safetensors"):
            path.write_bytes(path.read_bytes()[:-7])
        again = load_latent_model(str(folder), "cpu", settings, cache=tmp_path).encode_text("a fox")
        assert torch.equal(again.payload.prompt, first.payload.prompt)

    def test_the_text_encoder_is_gone_afterwards(self) -> None:
        model = load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan"))
        model.encode_text("a fox")
        assert model.family.pipe.text_encoder is None  # type: ignore[attr-defined]

    def test_it_is_loaded_once_for_time_running_and_frozen(self) -> None:
        """A run needs both, and the text encoder may not fit beside the networks, which come in between."""
        news: list[str] = []
        model = load_latent_model(str(tiny_folder("wan")), "cpu", tiny_settings("wan"), tell=news.append)
        model.encode_text("a fox")
        _ = model.family
        model.encode_text("a fox", context="freeze")
        assert sum("text encoder" in line for line in news) == 1

    def test_models_with_one_text_encoder_share_embeddings(self) -> None:
        """Wan 2.1 of all sizes has one; LTX has another, whose embeddings are refused by name."""
        wan, vace, ltx = tiny_latent("wan"), tiny_latent("wan-vace"), tiny_latent("ltx")
        text = wan.encode_text("a fox")
        assert vace.generate(text).shape[0] == 17
        with pytest.raises(UnsupportedConditionError, match="encoded by another model"):
            ltx.generate(text)

    def test_the_encoder_is_named_by_its_files(self, folder: Path) -> None:
        def identity() -> str:
            return TextEncoder(find_source(str(folder)), torch.device("cpu"), torch.float32, 512).identity

        before = identity()
        config = folder / "text_encoder" / "config.json"
        config.write_text(config.read_text().replace('"num_heads": 4', '"num_heads": 2'))
        assert identity() != before


class TestChoice:
    def test_by_name(self) -> None:
        assert isinstance(open_video_model(None), EmbeddedVideoModel)
        assert isinstance(open_video_model("embedded"), EmbeddedVideoModel)
        assert open_video_model(str(tiny_folder("ltx")), settings=tiny_settings("ltx")).spec.name == "tiny-ltx"

    def test_generator_and_teacher(self) -> None:
        """One that draws from a picture, a smaller one that scores: they share the autoencoder in memory."""
        big, small = str(tiny_folder("wan-experts")), str(tiny_folder("wan-vace"))
        settings = tiny_settings("wan")
        pair = open_models(big, small, "cpu", settings)
        assert pair.teacher is not None
        assert (pair.generator.spec.name, pair.teacher.spec.name) == ("tiny-wan-experts", "tiny-wan-vace")
        assert pair.generator.codec is pair.teacher.codec  # type: ignore[attr-defined]
        one = open_models(small, None, "cpu", settings)
        assert one.generator is one.teacher
        assert open_models(small, "none", "cpu", settings).teacher is None

    def test_two_autoencoders_stay_two(self) -> None:
        pair = open_models(str(tiny_folder("wan")), str(tiny_folder("wan-ti2v")), "cpu", tiny_settings("wan"))
        assert pair.generator.codec is not pair.teacher.codec  # type: ignore[attr-defined,union-attr]


def test_nothing_of_it_is_imported_without_a_model() -> None:
    code = (
        "import sys; from fourreal.video.choose import open_video_model; open_video_model(None);"
        "from fourreal.commands.models import ModelOptions;"
        "loaded = {'diffusers', 'transformers', 'accelerate', 'huggingface_hub'} & set(sys.modules);"
        "sys.exit(f'imported {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
