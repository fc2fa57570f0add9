"""What a model needs in memory, said before it is loaded, and LoRA weights that are put on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fourreal.video import (
    ModelSourceError,
)
from fourreal.video.latent.load import load_latent_model
from fourreal.video.latent.memory import Estimate, check_memory, estimate, parameters
from fourreal.video.latent.source import find_source

from .tiny_latent import scratch, tiny_folder, tiny_latent, tiny_settings


class TestMemory:
    def test_parameters_are_counted_from_the_headers(self) -> None:
        folder = tiny_folder("wan")
        model = tiny_latent("wan")
        count = sum(p.numel() for p in model.family.pipe.transformer.parameters())  # type: ignore[attr-defined]
        assert parameters(folder / "transformer") == count
        source = find_source(str(folder))
        need = estimate(source, {"vae": torch.float32, "others": torch.bfloat16}, (480, 832), "none")
        assert need.parts["transformer"] == 2 * count
        assert need.work > 8e9, "decoding 480p takes gigabytes whatever the weights"

    def test_what_lies_on_the_device_at_once(self) -> None:
        parts = {"text_encoder": 11.4e9, "transformer": 28.0e9, "transformer_2": 28.0e9, "vae": 0.5e9}
        work = 6e9
        assert Estimate(parts, work, "none").resident == pytest.approx(56.5e9)
        assert Estimate(parts, work, "model").resident == pytest.approx(28.5e9)
        assert Estimate(parts, work, "group").resident < 5e9
        assert "transformer 28.0" in Estimate(parts, work, "none").words()

    def test_the_verdict_in_words(self) -> None:
        need = Estimate({"transformer": 20e9, "vae": 0.5e9}, 5e9, "none")
        with pytest.raises(ModelSourceError, match=r"25\.5 GB at once .*has 10\.0 GB free; use --offload model"):
            check_memory(need, 10e9, "the GPU")
        assert "tight" in check_memory(need, 22e9, "the GPU")
        assert "tight" not in check_memory(need, 80e9, "the GPU")


class TestLora:
    @pytest.fixture
    def lora(self, tmp_path: Path) -> Path:
        """Weights as PEFT writes them, for the cross-attention of the tiny network."""
        from safetensors.torch import save_file

        g = torch.Generator().manual_seed(3)
        name = "transformer.blocks.0.attn2.to_q.lora_"
        weights = {
            f"{name}A.weight": torch.randn(4, 24, generator=g),
            f"{name}B.weight": torch.randn(24, 4, generator=g),
        }
        save_file(weights, tmp_path / "orbit.safetensors")
        return tmp_path

    def test_it_shows_in_frozen_time_only(self, lora: Path) -> None:
        plain = tiny_latent("wan")
        styled = load_latent_model(
            str(tiny_folder("wan")), "cpu", tiny_settings("wan", lora=lora, trigger="0rb4it 360 degree orbit")
        )
        frozen = styled.encode_text("a fox", context="freeze")
        assert frozen.understood.count("0rb4it 360 degree orbit, ") == 1
        assert torch.equal(styled.generate(styled.encode_text("a fox")), plain.generate(plain.encode_text("a fox")))
        assert not torch.equal(styled.generate(frozen), plain.generate(frozen))

    def test_its_weight_counts(self, lora: Path) -> None:
        folder = str(tiny_folder("wan"))
        made = []
        for scale in (0.0, 0.5, 1.0):
            model = load_latent_model(folder, "cpu", tiny_settings("wan", lora=lora, lora_scale=scale), cache=scratch())
            made.append(model.generate(model.encode_text("a fox", context="freeze")))
        plain = tiny_latent("wan")
        assert torch.allclose(made[0], plain.generate(plain.encode_text("a fox", context="freeze")), atol=1e-5)
        assert not torch.equal(made[1], made[2])

    def test_a_folder_without_weights_and_weights_that_do_not_fit(self, lora: Path, tmp_path: Path) -> None:
        def opened(path: Path) -> None:
            _ = load_latent_model(str(tiny_folder("ltx")), "cpu", tiny_settings("ltx", lora=path)).family

        (tmp_path / "empty").mkdir()
        with pytest.raises(ModelSourceError, match=r"holds no \.safetensors"):
            opened(tmp_path / "empty")
        with pytest.raises(ModelSourceError, match="does not fit LTXConditionPipeline"):
            opened(lora)
