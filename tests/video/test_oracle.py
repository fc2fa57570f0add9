"""The oracle shows its world exactly, in both contexts, and cheaply the second time."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fourreal.io.frames import resize_frames
from fourreal.metrics import psnr
from fourreal.video import (
    CameraPath,
    FrameCountError,
    KnownFrames,
    SizeError,
    UnsupportedConditionError,
    VideoModel,
    VideoModelError,
    oracle,
)
from fourreal.video.camera_text import parse_camera
from fourreal.video.oracle import OracleVideoModel
from fourreal.worlds import orbit_cameras, reference_cameras, render, sample_worlds

WORLDS = sample_worlds([3])
SIZE, SCORE, FRAMES = (36, 64), (18, 32), 6
PAGE = Path(__file__).parents[2] / "docs" / "video_models.md"


def make(**changes) -> OracleVideoModel:
    return OracleVideoModel(WORLDS, **({"size": SIZE, "score_size": SCORE, "frames": FRAMES} | changes))


@pytest.fixture(scope="module")
def model() -> OracleVideoModel:
    return make()


def test_it_is_a_video_model() -> None:
    anything: VideoModel = OracleVideoModel(3)
    assert anything.spec.size == (144, 256)
    assert anything.spec.score_size == (36, 64)
    assert (anything.spec.frames, anything.spec.fps) == (16, 8.0)


def test_a_dynamic_clip_is_the_reference_clip(model: OracleVideoModel) -> None:
    made = model.generate(model.encode_text("anything"))
    assert torch.equal(made, render(WORLDS, reference_cameras(WORLDS, FRAMES, 64, 36)).rgb[0])


def test_a_dynamic_clip_follows_a_path_while_time_runs(model: OracleVideoModel) -> None:
    made = model.generate(model.encode_text("anything"), camera=parse_camera("orbit 40 right", FRAMES))
    shots = orbit_cameras(WORLDS, FRAMES, 64, 36, degrees=40.0, moment=None)
    torch.testing.assert_close(made, render(WORLDS, shots).rgb[0])


@pytest.mark.parametrize("moment", [0.0, 0.5])
def test_a_frozen_clip_orbits_to_the_right_by_default(moment: float) -> None:
    frozen = make(moment=moment)
    made = frozen.generate(frozen.encode_text("anything", context="freeze"))
    shots = orbit_cameras(WORLDS, FRAMES, 64, 36, degrees=60.0, moment=moment)
    assert torch.equal(made, render(WORLDS, shots).rgb[0])


def test_freeze_holds_time_still_and_dynamic_does_not(model: OracleVideoModel) -> None:
    still = parse_camera("static", FRAMES)
    frozen = model.generate(model.encode_text("anything", context="freeze"), camera=still)
    moving = model.generate(model.encode_text("anything"), camera=still)
    assert torch.equal(frozen, frozen[:1].expand_as(frozen))
    assert torch.equal(moving[0], frozen[0]), "both begin at the reference view and moment 0"
    assert float((moving[1:] - moving[:-1]).abs().amax((1, 2, 3)).min()) > 0.05


def test_a_seed_names_the_same_world() -> None:
    prompt, seeded = "anything", OracleVideoModel(3, size=(9, 16), frames=2)
    given = OracleVideoModel(WORLDS, size=(9, 16), frames=2)
    assert torch.equal(seeded.generate(seeded.encode_text(prompt)), given.generate(given.encode_text(prompt)))


@pytest.mark.parametrize("context", ["dynamic", "freeze"])
def test_what_it_denoises_to_is_what_it_generates(context) -> None:
    full = make(size=(144, 256), score_size=(36, 64), frames=3)
    text = full.encode_text("anything", context=context)
    encoded = full.encode(full.generate(text))
    clean = full.denoise(encoded + torch.randn_like(encoded), 1.0, text)
    # Not equal: a coarse pixel takes fewer samples, and far patterns are filtered to its size.
    assert float(psnr(clean / 2 + 0.5, encoded / 2 + 0.5).min()) > 33


def test_encoding_averages_areas(model: OracleVideoModel) -> None:
    frames = torch.rand(FRAMES, 3, *SIZE)
    expected = frames.unflatten(2, (18, 2)).unflatten(4, (32, 2)).mean((3, 5)) * 2 - 1
    torch.testing.assert_close(model.encode(frames), expected)
    assert float(model.encode(torch.ones(FRAMES, 3, 41, 77)).min()) == 1


def test_descent_along_its_score_finds_the_world(model: OracleVideoModel) -> None:
    text = model.encode_text("anything")
    frames, x = torch.full((FRAMES, 3, *SIZE), 0.5), torch.zeros(FRAMES, 3, *SCORE)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        frames.requires_grad_()
        encoded = model.encode(frames)
        x = encoded.detach() + 0.5 * torch.randn(encoded.shape, generator=generator)
        clean = model.denoise(x, 0.5, text)
        ((encoded - clean).square().sum() / 2).backward()
        assert frames.grad is not None
        frames = (frames - 0.5 * frames.grad).detach()
    torch.testing.assert_close(model.encode(frames), model.denoise(x, 0.5, text), atol=1e-4, rtol=0)


def test_known_frames_are_resized_with_antialiasing_in_both_directions(model: OracleVideoModel) -> None:
    text, x = model.encode_text("anything"), torch.zeros(FRAMES, 3, *SCORE)
    for size in ((9, 16), (72, 128)):
        known = KnownFrames((2, 4), torch.rand(2, 3, *size))
        assert torch.equal(model.generate(text, known=known)[[2, 4]], resize_frames(known.frames, *SIZE))
        area = torch.nn.functional.interpolate(known.frames, SCORE, mode="area")
        torch.testing.assert_close(model.denoise(x, 1.0, text, known=known)[[2, 4]], area * 2 - 1)


def test_repeated_requests_render_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(oracle, "render", lambda *a, **k: calls.append(1) or render(*a, **k))
    model = make(frames=2)
    x, paths = torch.zeros(2, 3, *SCORE), [None, *(parse_camera(f"orbit {d}", 2) for d in (5, 10))]
    text, frozen = model.encode_text("anything"), model.encode_text("anything", context="freeze")
    for condition, path in [(c, p) for _ in range(3) for c in (frozen, text) for p in paths]:
        model.denoise(x, 1.0, condition, camera=path)
    assert len(calls) == 6
    for degrees in range(30, 45):
        model.denoise(x, 1.0, text, camera=parse_camera(f"orbit {degrees}", 2))
    model.denoise(x, 1.0, text, camera=paths[1])
    assert len(calls) == 6 + 15 + 1, "old clips must leave"


def test_progress_is_one_step(model: OracleVideoModel) -> None:
    calls = []
    model.generate(model.encode_text("anything"), on_step=lambda *step: calls.append(step))
    assert calls == [(1, 1)]


def test_what_it_understood_names_the_world(model: OracleVideoModel) -> None:
    assert "time stands still" in model.encode_text("anything", context="freeze").understood
    assert "time runs" in model.encode_text("anything").understood


@pytest.mark.parametrize("payload", [None, "slow", torch.zeros(3)])
def test_a_text_of_another_model(model: OracleVideoModel, payload: object) -> None:
    foreign = replace(model.encode_text("a fox"), payload=payload)
    with pytest.raises(UnsupportedConditionError, match="encoded by another model"):
        model.generate(foreign)


def test_a_single_frame_and_a_half_precision_input() -> None:
    one = make(frames=1)
    text = one.encode_text("anything", context="freeze")
    assert one.generate(text, camera=CameraPath(torch.zeros(1, 3))).shape == (1, 3, *SIZE)
    assert one.denoise(torch.zeros(1, 3, *SCORE, dtype=torch.bfloat16), 1.0, text).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"frames": 0}, FrameCountError, "at least 1 frame, got 0"),
        ({"size": (0, 64)}, SizeError, "0x64"),
        ({"score_size": (36, -1)}, SizeError, "36x-1"),
        ({"moment": 1.5}, VideoModelError, "0..1 .* got 1.5"),
        ({"moment": math.nan}, VideoModelError, "got nan"),
    ],
)
def test_impossible_oracles(changes: dict, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        make(**changes)


def test_one_world_only() -> None:
    with pytest.raises(VideoModelError, match=r"one world, got 2; pass one"):
        OracleVideoModel(sample_worlds([1, 2]))


def test_the_examples_of_the_page_run() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
