"""transforms.json: cameras that look along -z."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.geometry import look_at, quat_normalize, quat_to_matrix, rigid
from fourreal.io.images import write_image
from fourreal.io.transforms import read_transforms, write_transforms

# A camera at (0, 0, 4) with OpenGL axes equal to the world's: it looks down the -z axis at the origin, y is up.
POSE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]
HAND = {
    "w": 64,
    "h": 36,
    "fl_x": 50.0,
    "cx": 31.0,
    "frames": [{"file_path": "./images/a.png", "transform_matrix": POSE}],
}


def hand(tmp_path, frame: dict | None = None, **changes):
    data = copy.deepcopy(HAND) | changes
    if frame is not None:
        data["frames"][0] |= frame
    data = {k: v for k, v in data.items() if v is not None}
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    return tmp_path / "transforms.json"


def cameras(count: int = 4, same_lens: bool = True) -> Cameras:
    g = torch.Generator().manual_seed(count)
    views = rigid(
        quat_to_matrix(quat_normalize(torch.randn(count, 4, generator=g))), torch.randn(count, 3, generator=g)
    )
    focal = [50.0 if same_lens else 50.0 + i for i in range(count)]
    Ks = torch.tensor([[[f, 0, 31.5], [0, 52, 18.25], [0, 0, 1]] for f in focal])
    return Cameras(views, Ks, 64, 36, torch.arange(float(count)))


def test_an_opengl_camera_sees_what_it_should(tmp_path):
    found, names = read_transforms(hand(tmp_path))
    assert names == ("images/a.png",)
    assert found.Ks[0].tolist() == [[50, 0, 31], [0, 50, 18], [0, 0, 1]]
    up = torch.tensor([0.0, 1.0, 0.0])
    expected = look_at(torch.tensor([0.0, 0.0, 4.0]), torch.zeros(3), up)
    assert torch.allclose(found.viewmats[0], expected)
    right_and_above = found.viewmats[0] @ torch.tensor([1.0, 1.0, 0.0, 1.0])
    assert right_and_above.tolist() == [1, -1, 4, 1]


@pytest.mark.parametrize("same_lens", [True, False])
def test_round_trip(tmp_path, same_lens):
    ours = cameras(same_lens=same_lens)
    names = tuple(f"images/{i}.png" for i in range(4))
    write_transforms(tmp_path / "t.json", ours, names, n_times=9)
    back, found = read_transforms(tmp_path / "t.json", n_times=9)
    assert found == names
    assert torch.allclose(back.viewmats, ours.viewmats, atol=1e-6)
    assert torch.equal(back.Ks, ours.Ks)
    assert torch.allclose(back.moments, ours.moments, atol=1e-6)
    data = json.loads((tmp_path / "t.json").read_text())
    assert ("fl_x" in data) == same_lens
    assert read_transforms(tmp_path / "t.json")[0].moments.tolist() == [0, 0, 0, 0]


def test_a_frames_own_lens_wins(tmp_path):
    found, _ = read_transforms(hand(tmp_path, {"fl_x": 80.0, "fl_y": 70.0}))
    assert (found.Ks[0, 0, 0], found.Ks[0, 1, 1]) == (80, 70)


def test_focal_length_from_the_angle_of_view(tmp_path):
    found, _ = read_transforms(hand(tmp_path, fl_x=None, cx=None, camera_angle_x=math.pi / 2))
    assert found.Ks[0].tolist() == [[pytest.approx(32), 0, 32], [0, pytest.approx(32), 18], [0, 0, 1]]
    found, _ = read_transforms(hand(tmp_path, fl_x=None, camera_angle_x=math.pi / 2, camera_angle_y=math.pi / 2))
    assert float(found.Ks[0, 1, 1]) == pytest.approx(18)


def test_the_size_may_come_from_the_first_image_with_its_suffix_left_away(tmp_path):
    write_image(tmp_path / "images" / "a.png", torch.zeros(3, 20, 30))
    for name in ("images/a.png", "images/a"):
        path = hand(tmp_path, {"file_path": name}, w=None, h=None)
        found, _ = read_transforms(path)
        assert (found.width, found.height) == (30, 20)


def test_three_rows_are_enough_and_zero_distortion_is_none(tmp_path):
    found, _ = read_transforms(hand(tmp_path, {"transform_matrix": POSE[:3]}, camera_model="OPENCV", k1=0.0, p1=0))
    assert found.positions.tolist() == [[0, 0, 4]]


SECOND = {"file_path": "b.png", "transform_matrix": POSE, "w": 32}


@pytest.mark.parametrize(
    ("frame", "changes", "why"),
    [
        ({}, {"frames": []}, '"frames" must be a non-empty list'),
        ({}, {"frames": None}, '"frames" must be a non-empty list'),
        ({}, {"k1": 0.1}, r"images/a.png: lens distortion {'k1': 0.1}; wanted a pinhole, undistort"),
        ({}, {"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE"),
        ({}, {"is_fisheye": True}, "fisheye"),
        ({}, {"fl_x": None}, 'neither "fl_x" nor "camera_angle_x"'),
        ({}, {"fl_x": "wide"}, "\"fl_x\" must be a number, got 'wide'"),
        ({}, {"fl_x": -3}, "positive focal"),
        ({}, {"w": 0}, "whole numbers of at least 1, got 0"),
        ({}, {"w": None}, "first image 'images/a.png' is not there"),
        ({}, {"frames": [*HAND["frames"], SECOND]}, r"one size, got \[\(32, 36\), \(64, 36\)\]"),
        ({"file_path": "../a.png"}, {}, "must stay inside its folder, got '../a.png'"),
        ({"file_path": "/a.png"}, {}, "must stay inside"),
        ({"file_path": None}, {}, "non-empty text, got None"),
        ({"transform_matrix": [[1, 2]]}, {}, "must be 4 rows"),
        ({"transform_matrix": "none"}, {}, "must be 4 rows"),
        ({"transform_matrix": [[2, 0, 0, 0], *POSE[1:]]}, {}, "is not rigid"),
        ({"transform_matrix": [[float("nan"), 0, 0, 0], *POSE[1:]]}, {}, "is not rigid"),
        ({"transform_matrix": [[-1, 0, 0, 0], *POSE[1:]]}, {}, "mirrored"),
        ({"time": "late"}, {}, '"time" must be a number'),
    ],
)
def test_each_mistake_is_named(tmp_path, frame, changes, why):
    path = hand(tmp_path, **changes) if "frames" in changes else hand(tmp_path, frame, **changes)
    with pytest.raises(FileFormatError, match=why):
        read_transforms(path)


def test_names_must_match_and_stay_inside(tmp_path):
    with pytest.raises(FieldError, match="one name for each of 4 cameras, got 1"):
        write_transforms(tmp_path / "t.json", cameras(), ("a.png",))
    with pytest.raises(FileFormatError, match="must stay inside"):
        write_transforms(tmp_path / "t.json", cameras(1), ("../a.png",))
