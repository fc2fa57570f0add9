"""COLMAP models, against COLMAP itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.geometry import quat_normalize, quat_to_matrix, rigid
from fourreal.io.colmap import ColmapModel, read_colmap, write_colmap


def model(count: int = 5, points: int = 20, lenses: int = 2) -> ColmapModel:
    g = torch.Generator().manual_seed(count)
    views = rigid(
        quat_to_matrix(quat_normalize(torch.randn(count, 4, generator=g))), torch.randn(count, 3, generator=g)
    )
    Ks = torch.tensor([[[50.0 + i % lenses, 0, 31.5], [0, 52, 18.25], [0, 0, 1]] for i in range(count)])
    cloud = torch.randn(points, 3, generator=g)
    colors = torch.randint(0, 256, (points, 3), generator=g) / 255
    return ColmapModel(Cameras(views, Ks, 64, 36), tuple(f"a/{i}.png" for i in range(count)), cloud, colors)


def synthesize(folder: Path, *, text: bool, kind: str = "PINHOLE", params: tuple = (1280.0, 1290.0, 512.0, 380.0)):
    options = pycolmap.SyntheticDatasetOptions()
    options.camera_model_id = getattr(pycolmap.CameraModelId, kind)
    options.camera_params = list(params)
    truth = pycolmap.synthesize_dataset(options)
    folder.mkdir(parents=True, exist_ok=True)
    (truth.write_text if text else truth.write_binary)(str(folder))
    return truth


@pytest.mark.parametrize("binary", [True, False])
class TestAgainstColmap:
    def test_colmap_reads_ours(self, tmp_path, binary):
        ours = model()
        write_colmap(tmp_path, ours, binary=binary)
        theirs = pycolmap.Reconstruction(str(tmp_path))
        assert theirs.num_images() == 5
        assert theirs.num_cameras() == 2
        assert theirs.num_points3D() == 20
        for image in theirs.images.values():
            i = ours.names.index(image.name)
            matrix = image.cam_from_world().matrix()
            assert np.allclose(matrix, ours.cameras.viewmats[i, :3].numpy(), atol=1e-6)
            assert np.allclose(theirs.cameras[image.camera_id].calibration_matrix(), ours.cameras.Ks[i].numpy())
        found = {tuple(np.float32(p.xyz)): tuple(p.color) for p in theirs.points3D.values()}
        for xyz, rgb in zip(ours.points.numpy(), (ours.colors * 255).round().int().tolist(), strict=True):
            assert found[tuple(xyz)] == tuple(rgb)

    def test_we_read_colmaps(self, tmp_path, binary):
        theirs = synthesize(tmp_path / "sparse" / "0", text=not binary)
        ours = read_colmap(tmp_path)
        assert len(ours.names) == theirs.num_images() == 10
        assert (ours.cameras.width, ours.cameras.height) == (1024, 768)
        for image in theirs.images.values():
            i = ours.names.index(image.name)
            assert np.allclose(ours.cameras.viewmats[i, :3], image.cam_from_world().matrix(), atol=1e-5)
            assert np.allclose(ours.cameras.Ks[i], theirs.cameras[image.camera_id].calibration_matrix())
            assert np.allclose(ours.cameras.positions[i], image.projection_center(), atol=1e-5)
        cloud = sorted(tuple(np.float32(p.xyz).tolist()) for p in theirs.points3D.values())
        assert np.allclose(sorted(map(tuple, ours.points.tolist())), cloud, atol=1e-6)

    def test_round_trip(self, tmp_path, binary):
        ours = model()
        write_colmap(tmp_path, ours, binary=binary)
        back = read_colmap(tmp_path)
        assert back.names == ours.names
        assert torch.allclose(back.cameras.viewmats, ours.cameras.viewmats, atol=1e-6)
        assert torch.equal(back.cameras.Ks, ours.cameras.Ks)
        assert torch.equal(back.points, ours.points)
        assert torch.equal(back.colors, ours.colors)

    def test_without_points(self, tmp_path, binary):
        write_colmap(tmp_path, model(points=0), binary=binary)
        assert read_colmap(tmp_path).points.shape == (0, 3)

    def test_distortion_must_be_undone_first(self, tmp_path, binary):
        synthesize(tmp_path, text=not binary, kind="SIMPLE_RADIAL", params=(1280.0, 512.0, 384.0, 0.05))
        with pytest.raises(FileFormatError, match=r"SIMPLE_RADIAL has lens distortion \[0.05\]; undistort"):
            read_colmap(tmp_path)

    def test_a_distortion_of_zero_is_a_pinhole(self, tmp_path, binary):
        synthesize(tmp_path, text=not binary, kind="SIMPLE_RADIAL", params=(1280.0, 512.0, 384.0, 0.0))
        assert read_colmap(tmp_path).cameras.Ks[0].tolist() == [[1280, 0, 512], [0, 1280, 384], [0, 0, 1]]

    def test_fisheye_is_named(self, tmp_path, binary):
        synthesize(tmp_path, text=not binary, kind="OPENCV_FISHEYE", params=(900.0, 900.0, 512.0, 384.0, 0, 0, 0, 0))
        with pytest.raises(FileFormatError, match="OPENCV_FISHEYE is not a pinhole; undistort"):
            read_colmap(tmp_path)

    @pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
    def test_a_missing_file_is_named(self, tmp_path, binary, name):
        write_colmap(tmp_path, model(), binary=binary)
        next(tmp_path.glob(f"{name}.*")).unlink()
        with pytest.raises(FileFormatError, match=f"{name}|no COLMAP model"):
            read_colmap(tmp_path)


def test_views_come_in_the_order_in_which_people_count(tmp_path):
    shuffled = model(12)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0)).tolist()
    names = tuple(shuffled.names[i] for i in order)
    write_colmap(tmp_path, ColmapModel(shuffled.cameras[order], names))
    back = read_colmap(tmp_path)
    assert back.names == shuffled.names
    assert torch.allclose(back.cameras.viewmats, shuffled.cameras.viewmats, atol=1e-6)


def test_names_with_spaces_survive_in_binary_and_are_refused_as_text(tmp_path):
    spaced = ColmapModel(model(2).cameras, ("a b.png", "c d.png"))
    write_colmap(tmp_path, spaced)
    assert read_colmap(tmp_path).names == spaced.names
    assert {image.name for image in pycolmap.Reconstruction(str(tmp_path)).images.values()} == set(spaced.names)
    with pytest.raises(FileFormatError, match=r"spaces in names such as 'a b.png'"):
        write_colmap(tmp_path, spaced, binary=False)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
@pytest.mark.parametrize("keep", [0, 5, 40, -3])
def test_truncated_binaries_are_reported(tmp_path, name, keep):
    write_colmap(tmp_path, model())
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FileFormatError, match=f"{name} is truncated"):
        read_colmap(tmp_path)


CAMERA, IMAGE = "1 PINHOLE 64 36 50 50 32 18\n", "1 1 0 0 0 0 0 0 1 a.png\n\n"


@pytest.mark.parametrize(
    ("cameras", "images", "points", "why"),
    [
        (CAMERA, "# nothing\n", "", "no registered image"),
        (
            CAMERA + "2 PINHOLE 32 18 25 25 16 9\n",
            IMAGE + IMAGE.replace("1 a", "2 b"),
            "",
            "one size, got 32x18, 64x36",
        ),
        (CAMERA, IMAGE.replace("1 a", "7 a"), "", "refers to a camera that is not listed"),
        ("1 PINHOLE 64 36 50 50 32\n", IMAGE, "", "PINHOLE has 4 parameters, got 3"),
        ("1 PINHOLE 64\n", IMAGE, "", "cannot read the line '1 PINHOLE 64'"),
        ("1 HOLOGRAM 64 36 1\n", IMAGE, "", "HOLOGRAM is not a pinhole"),
        (CAMERA, "1 1 0 zero 0 0 0 0 1 a.png\n\n", "", "cannot read the line"),
        (CAMERA, IMAGE, "1 2 3\n", "cannot read the line '1 2 3'"),
        (CAMERA, IMAGE, "1 2 3 4 300 0 0 0\n", r"must lie in \[0, 1\]"),
        (CAMERA, IMAGE.replace("a.png", "../a.png"), "", "must stay inside"),
        (CAMERA, IMAGE + IMAGE, "", "unique names"),
        (CAMERA.replace("50 50", "-50 50"), IMAGE, "", "positive focal"),
    ],
)
def test_mistakes_in_text_models_are_named(tmp_path, cameras, images, points, why):
    for name, text in (("cameras", cameras), ("images", images), ("points3D", points)):
        (tmp_path / f"{name}.txt").write_text(text)
    with pytest.raises(FileFormatError, match=why):
        read_colmap(tmp_path)


def test_names_must_match_the_cameras():
    with pytest.raises(FieldError, match="2 unique names"):
        ColmapModel(model(2).cameras, ("a.png", "a.png"))
