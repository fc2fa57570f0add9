"""The 4D page, as a file: what is in it, and that it holds what the scene says."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import numpy as np
import torch

from fourreal.deform import MlpConfig, NodeConfig
from fourreal.export import Lifted, read_lifted, write_page
from fourreal.export.coverage import find_coverage

from .conftest import CPU, PROMPT, make_run, swinging


def contents(page: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What a browser would unpack."""
    text = page.read_text("utf-8")
    (about,) = re.findall(r'<script type="application/json" id="about">(.*?)</script>', text, re.DOTALL)
    (scene,) = re.findall(r'<script type="text/plain" id="scene">(.*?)</script>', text, re.DOTALL)
    blob = gzip.decompress(base64.b64decode(scene))
    facts = json.loads(about)
    arrays = {a["name"]: np.frombuffer(blob, f"<{a['kind']}", a["length"], a["start"]) for a in facts["arrays"]}
    return facts, arrays


def test_the_page_needs_nothing_but_itself(lifted: Lifted, tmp_path: Path) -> None:
    write_page(tmp_path / "scene.html", lifted, title=PROMPT)
    text = (tmp_path / "scene.html").read_text("utf-8")
    without_namespaces = text.replace("http://www.w3.org", "")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|https?://|@import|import\(""", without_namespaces)
    assert "default-src 'none'" in text
    assert "{{ code }}" not in text
    assert "three balls &lt;swinging&gt; over a floor &amp; a { { sky }}" in text


def test_the_page_holds_the_gaussians_that_can_be_seen(lifted: Lifted, tmp_path: Path) -> None:
    write_page(tmp_path / "scene.html", lifted)
    facts, arrays = contents(tmp_path / "scene.html")
    g = lifted.scene.gaussians
    assert facts["count"] == len(g) - 1, "the one below 1/255 is left out"
    assert np.array_equal(arrays["means"].reshape(-1, 3), g.means[:-1].numpy())
    low, high = facts["logScales"]
    scales = low + (high - low) * arrays["log_scales"].reshape(-1, 3) / 65535
    assert np.abs(scales - g.log_scales[:-1].numpy()).max() < 1e-4
    assert np.abs(arrays["opacities"] / 65535 - g.opacities[:-1].numpy()).max() < 1e-5
    turns = torch.nn.functional.normalize(g.quats[:-1], dim=1).numpy()
    assert np.abs(arrays["quats"].reshape(-1, 4) / 32767 - turns).max() < 2e-5
    assert facts["instant"] == 1
    assert facts["background"] == lifted.scene.background.tolist()


def test_any_motion_finds_its_way_into_the_page(tmp_path: Path) -> None:
    """A field that the player does not know is sampled at whole times, to a thousandth of its motion."""
    run = make_run(tmp_path, MlpConfig(layers=2, width=16))
    lifted = read_lifted(run, CPU)
    assert lifted.motion is not None
    write_page(tmp_path / "scene.html", lifted)
    facts, arrays = contents(tmp_path / "scene.html")
    assert facts["motion"]["kind"] == "frames"
    means = lifted.scene.gaussians.means
    for time in range(facts["frames"]):
        offsets = lifted.motion.offsets(means, float(time))
        shift = arrays["shifts"].reshape(facts["frames"], 3, -1)[time] * arrays["shift_size"]
        turn = arrays["turns"].reshape(facts["frames"], 4, -1)[time] * arrays["turn_size"]
        assert np.abs(shift.T - offsets.means[:-1].detach().numpy()).max() < 1e-3
        assert np.abs(turn.T - offsets.quats[:-1].detach().numpy()).max() < 1e-2


def test_nodes_cost_less_than_samples(lifted: Lifted, tmp_path: Path) -> None:
    """For 16 times, the page of a node field is less than half of that of the same motion sampled."""
    from fourreal.export.motion_data import _of_nodes, _of_samples

    means = torch.randn(4000, 3)
    field = NodeConfig(nodes=64).build(means, 16)
    with torch.no_grad():
        field.motions.normal_(std=0.1)
    keep = torch.arange(4000)
    sizes = [sum(v.nbytes for v in f(field, means, keep).arrays.values()) for f in (_of_nodes, _of_samples)]
    assert sizes[0] < sizes[1] / 2


def test_coverage_and_cameras_come_along(run: Path, lifted: Lifted, tmp_path: Path) -> None:
    write_page(tmp_path / "scene.html", lifted, coverage=find_coverage(run, lifted))
    facts, arrays = contents(tmp_path / "scene.html")
    assert facts["coverage"] is True
    assert len(arrays["coverage"]) == facts["count"]
    assert arrays["coverage"].max() == 255
    names = {group["name"]: len(group["poses"]) for group in facts["groups"]}
    assert names == {"ref": 1, "freeze": 7}, "a camera at rest is one camera"
    assert abs(facts["arc"] - 60) < 1
    eye = facts["home"]["eye"]
    assert np.allclose(eye, lifted.home.positions[0].numpy(), atol=1e-6)


def test_a_static_scene_has_no_motion(still: Path, tmp_path: Path) -> None:
    write_page(tmp_path / "scene.html", read_lifted(still, CPU))
    facts, _ = contents(tmp_path / "scene.html")
    assert facts["motion"] is None
    assert facts["frames"] == 1


def test_the_motion_of_the_tests_moves() -> None:
    means = torch.randn(50, 3)
    field = swinging(means, NodeConfig(nodes=6))
    assert field.offsets(means, 3.0).means.abs().max() > 0.05
    assert not field.offsets(means, 1.0).means.any()
