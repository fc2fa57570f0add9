"""Formats of others hold the scene upright, in motion, and can be read by their own libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import fourdgs
import numpy as np
import pytest
import torch
from fourdgs.keyframe_delta_file import decode_streamed, render_at

from fourreal.commands.export import export
from fourreal.core.errors import FourRealError, MissingDependencyError
from fourreal.core.geometry import quat_to_matrix
from fourreal.export import Lifted
from fourreal.export.exchange import write_exchange
from fourreal.export.splats import gaussians_at

from .conftest import FRAMES


def upright(lifted: Lifted, time: float) -> np.ndarray:
    """Positions of what is drawn: x to the right of the reference camera, y up, z towards it."""
    camera = lifted.home.viewmats[0]
    right, up = camera[0, :3], lifted.up
    axes = torch.stack((right, up, torch.linalg.cross(right, up)))
    return ((gaussians_at(lifted, time).means[:-1] - lifted.pivot) @ axes.T).numpy()


def test_usd_holds_every_moment(run: Path, lifted: Lifted, tmp_path: Path) -> None:
    from pxr import Usd, UsdGeom

    assert export(run, "usd", tmp_path / "scene.usdc", device="cpu") == 0
    stage = Usd.Stage.Open(str(tmp_path / "scene.usdc"))
    splat = stage.GetDefaultPrim()
    assert splat.GetTypeName() == "ParticleField3DGaussianSplat"
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    positions = splat.GetAttribute("positions")
    assert positions.GetTimeSamples() == list(range(FRAMES))
    for time in (0, 3):
        assert np.allclose(np.array(positions.Get(time)), upright(lifted, time), atol=1e-4)
    quats = [(q.GetReal(), *q.GetImaginary()) for q in splat.GetAttribute("orientations").Get(3)]
    turned = quat_to_matrix(torch.tensor(quats))
    original = quat_to_matrix(gaussians_at(lifted, 3.0).quats[:-1])
    right, up = lifted.home.viewmats[0, 0, :3], lifted.up
    axes = torch.stack((right, up, torch.linalg.cross(right, up)))
    assert torch.allclose(turned, axes @ original, atol=1e-4)


def test_4dgs_composes_to_the_same_states(lifted: Lifted, tmp_path: Path) -> None:
    write_exchange(tmp_path / "scene.4dgs", lifted, "4dgs")
    decoded = decode_streamed((tmp_path / "scene.4dgs").read_bytes())
    tolerance = 0.03 * float(lifted.scene.gaussians.scales.median())
    for time in (0, 2, 4):
        state = render_at(decoded, time / lifted.scene.fps + 1e-4)
        found = state["centers"][np.lexsort(state["centers"].T)]
        wanted = upright(lifted, float(time))
        wanted = wanted[np.lexsort(wanted.T)]
        assert len(found) == len(wanted)
        gap = np.linalg.norm(found[:, None] - wanted[None], axis=2).min(1)
        assert gap.max() < 2 * tolerance


def test_glb_holds_the_asked_moment(run: Path, lifted: Lifted, tmp_path: Path) -> None:
    assert export(run, "glb", tmp_path / "scene.glb", times="3", device="cpu") == 0
    back = fourdgs.from_gltf(str(tmp_path / "scene.glb")).gaussians
    assert np.allclose(back.positions, upright(lifted, 3.0), atol=1e-4)
    assert np.allclose(back.colors[:, :3], lifted.scene.gaussians.colors[:-1].numpy(), atol=0.02)


def test_a_static_scene_can_be_taken_too(still: Path, tmp_path: Path) -> None:
    for form, name in (("usd", "a.usda"), ("4dgs", "a.4dgs"), ("glb", "a.glb")):
        assert export(still, form, tmp_path / name, device="cpu") == 0
        assert (tmp_path / name).stat().st_size > 1000


def test_a_wrong_suffix_and_a_missing_library_are_said(
    lifted: Lifted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FourRealError, match=r"a usd file ends in \.usdc or \.usda or \.usd"):
        write_exchange(tmp_path / "scene.glb", lifted, "usd")
    monkeypatch.setitem(sys.modules, "pxr.UsdVol", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "fourreal\[formats\]"'):
        write_exchange(tmp_path / "scene.usdc", lifted, "usd")
    assert not list(tmp_path.iterdir()), "nothing is left behind"
