"""Trials on worlds of which all is known, and ablations over them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fourreal.commands.ablate import Film, OwnClips, ablate
from fourreal.core.errors import FieldError, FourRealError
from fourreal.core.geometry import Similarity, quat_exp, quat_to_matrix
from fourreal.core.video import Video
from fourreal.io.cameras_json import CameraGroup, CameraSet, write_cameras_json
from fourreal.io.images import read_image
from fourreal.io.video import write_video
from fourreal.recipes import Ablations
from fourreal.stages.ablation import FULL, RESULTS, SHEET, Ablation, Fit, run_ablation, variants
from fourreal.stages.lift import LiftConfig
from fourreal.stages.trial import TUNING, Case, Filming, files_case, judge, lift_case, world_case

CPU = torch.device("cpu")
SMALL = Filming(32, 18, frames=3, views=5, degrees=60.0)


@pytest.fixture(scope="module")
def case() -> Case:
    return world_case(TUNING + 5, SMALL, CPU)


def test_truth_is_seen_from_where_it_says(case: Case) -> None:
    arc, reference = case.truth["arc"], case.clips.reference
    assert reference is not None
    assert torch.equal(arc.images, case.clips.freeze.images)
    torch.testing.assert_close(arc.images[0], reference.images[0])
    torch.testing.assert_close(case.truth["seen"].images[::2], reference.images)
    assert case.truth["seen"].cameras.moments.tolist() == [0, 0.5, 1, 1.5, 2]
    fitted = torch.cat([arc.cameras.positions, reference.cameras.positions])
    for name in (*case.heldout, "frozen", "outside"):
        others = case.truth[name].cameras.positions
        assert torch.cdist(others, fitted).min() > 0.05, name
    assert set(case.truth["frozen"].cameras.moments.tolist()) == {0.0}
    moving = case.truth["heldout3"].cameras
    assert (moving.moments % 1 == 0.5).all()
    assert len(torch.unique(moving.positions.round(decimals=3), dim=0)) == len(moving)


def test_spoiled_clips_keep_their_truth_and_their_first_frame(case: Case) -> None:
    spoiled = world_case(TUNING + 5, Filming(32, 18, 3, 5, 60.0, warp=1.0), CPU)
    assert torch.equal(spoiled.truth["arc"].images, case.truth["arc"].images)
    torch.testing.assert_close(spoiled.clips.freeze.images[0], case.clips.freeze.images[0])
    assert (spoiled.clips.freeze.images[1:] - case.clips.freeze.images[1:]).abs().mean() > 0.005
    thawed = world_case(TUNING + 5, Filming(32, 18, 3, 5, 60.0, thaw=1.0), CPU)
    assert not torch.equal(thawed.clips.freeze.images[2:], case.clips.freeze.images[2:])


def test_a_lift_is_judged_in_its_own_frame_too(case: Case) -> None:
    result = lift_case(case.clips, effort=0.01, seeds=300)
    scores = judge(result, case)
    assert set(scores) == {*case.truth, "heldout"}
    assert scores["heldout"]["psnr"] == pytest.approx(sum(scores[f"heldout{i}"]["psnr"] for i in range(4)) / 4)
    assert scores["seen"]["psnr"] > 10
    turned = Similarity(torch.tensor(1.0), quat_to_matrix(quat_exp(torch.tensor([0.0, 1.5, 0]))), torch.zeros(3))
    assert judge(result, case, turned)["arc"]["psnr"] < scores["arc"]["psnr"] - 1


def test_filming_says_what_is_out_of_range() -> None:
    with pytest.raises(FieldError, match=r"Filming.views must be at least 3, got 2"):
        Filming(views=2)
    with pytest.raises(FieldError, match=r"Filming.instant must lie in 0\.\.15, got 16"):
        Filming(instant=16)


def test_variants_leave_out_one_part_each() -> None:
    every = variants()
    assert every[FULL] == Ablations()
    assert every["without warp"] == Ablations(warp=False)
    assert len(every) == 1 + len(Ablations.__dataclass_fields__)
    assert list(variants(["growth"])) == [FULL, "without growth"]
    with pytest.raises(FourRealError, match="no part 'wrap' to leave out; choose from warp"):
        variants(["wrap"])


def test_gains_compare_the_same_world_and_seed(tmp_path: Path) -> None:
    ablation = Ablation(tmp_path, {})
    for world, base in (("a", 20.0), ("b", 30.0)):
        for variant, gain in ((FULL, 0.0), ("without warp", -2.0 if world == "a" else -4.0)):
            scores = {"heldout": {"psnr": base + gain, "ssim": 0.5}}
            ablation.add(Fit(world, variant, 0, 1.0, scores), torch.zeros(3, 4, 8))
    full, bare = ablation.summary()
    assert full["heldout"]["mean"] == 25
    assert full["heldout"]["spread"] == pytest.approx(50**0.5)
    assert bare["heldout"]["gain"]["mean"] == pytest.approx(-3)
    assert bare["heldout"]["gain"]["spread"] == pytest.approx(2**0.5)


def test_an_ablation_goes_on_where_it_was_stopped(case: Case, tmp_path: Path) -> None:
    parts, done = variants(["warp"]), []
    made = {"world": lambda: case}
    first = Ablation.open(tmp_path, {"size": 32})

    def stop(fit: Fit) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_ablation(first, made, parts, [0], effort=0.004, gaussians=100, on_fit=stop)
    again = Ablation.open(tmp_path, {"size": 32})
    assert [f.variant for f in again.fits] == [FULL]
    run_ablation(again, made, parts, [0], effort=0.004, gaussians=100, on_fit=lambda f: done.append(f.variant))
    assert done == ["without warp"]
    sheet = read_image(tmp_path / SHEET)
    strip = read_image(again.strip("world", FULL, 0))
    assert sheet.shape[1] == 3 * (strip.shape[1] + 2)
    with pytest.raises(FourRealError, match="an ablation with other settings"):
        Ablation.open(tmp_path, {"size": 64})
    run_ablation(Ablation.open(tmp_path, {"size": 32}), {"world": _never}, parts, [0], effort=1, gaussians=1)


def _never() -> Case:
    raise AssertionError("nothing is left to do")


def test_own_clips_with_cameras_and_truth(case: Case, tmp_path: Path) -> None:
    reference = case.clips.reference
    assert reference is not None
    clips = {"freeze": case.clips.freeze, "ref": reference, "heldout0": case.truth["heldout0"]}
    for name, targets in clips.items():
        big = torch.nn.functional.interpolate(targets.images, scale_factor=2.0)
        write_video(tmp_path / f"{name}.mp4", Video(big), chroma="444", crf=1)
    path = tmp_path / "cameras.json"
    groups = {name: CameraGroup(t.cameras.resized(64, 36)) for name, t in clips.items()}
    write_cameras_json(path, CameraSet(groups, n_times=3))
    config = LiftConfig(tmp_path / "freeze.mp4", tmp_path / "ref.mp4", path, width=32)
    found = files_case(config, tmp_path, ["heldout0"], CPU)
    assert found.heldout == ("heldout0",)
    torch.testing.assert_close(found.truth["heldout0"].images, case.truth["heldout0"].images, atol=0.15, rtol=0)
    own = OwnClips(config.freeze, config.reference, path, tmp_path, "heldout0")
    film, out = Film(size=64), tmp_path / "out"
    assert ablate("growth", 1, film, 0.004, out, own, "cpu") == 0
    rows = json.loads((out / RESULTS).read_text())["summary"]
    assert [r["variant"] for r in rows] == [FULL, "without growth"]
    assert rows[0]["heldout"]["mean"] > 8
    with pytest.raises(FourRealError, match=r"need --own\.freeze"):
        ablate(own=OwnClips(config.freeze), device="cpu")
    with pytest.raises(FourRealError, match="--worlds must be at least 1, got 0"):
        ablate(film=Film(worlds=0), device="cpu")
