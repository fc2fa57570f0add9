"""cameras.json: the exchange form of cameras."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.geometry import quat_normalize, quat_to_matrix, rigid
from fourreal.io.cameras_json import CameraGroup, CameraSet, read_cameras_json, write_cameras_json

EYE = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 4.5], [0.0, 0.0, 0.0, 1.0]]
SIDE = [[0.0, 0.0, -1.0, 0.25], [0, 1, 0, 0], [1, 0, 0, 4.5], [0, 0, 0, 1]]
K = [[574.9854141194793, 0, 256.0], [0, 574.9854141194793, 144.0], [0, 0, 1]]
# Written by hand, in the form that other renderers give.
HAND = {
    "convention": "OpenCV: x right, y down, z forward; X_cam = R X_world + t; w2c row-major 4x4",
    "width": 512,
    "height": 288.0,
    "K": K,
    "fps": 8,
    "n_times": 16,
    "t_freeze": 0,
    "scene": "a key that nobody knows",
    "groups": {
        "ref": [{"time": i, "w2c": EYE, "video": "ref.mp4", "frame": i, "spp": 8} for i in range(16)],
        "heldout": [{"time": 14.5, "w2c": SIDE, "file": "./views/000.png", "K": [[9, 0, 4], [0, 8, 3], [0, 0, 1]]}],
    },
}


def hand(tmp_path, **changes):
    data = copy.deepcopy(HAND) | changes
    (tmp_path / "cameras.json").write_text(json.dumps({k: v for k, v in data.items() if v is not None}))
    return tmp_path / "cameras.json"


def entry(**changes):
    return {"x": [{"time": 0, "w2c": EYE} | changes]}


def cameras(seed: int, count: int) -> Cameras:
    g = torch.Generator().manual_seed(seed)
    views = rigid(
        quat_to_matrix(quat_normalize(torch.randn(count, 4, generator=g))), torch.randn(count, 3, generator=g)
    )
    Ks = torch.eye(3).repeat(count, 1, 1)
    Ks[:, :2] = torch.rand(count, 2, 1, generator=g) * 100 * torch.eye(3)[:2] + torch.tensor([[0, 0, 16.0], [0, 0, 9]])
    return Cameras(views, Ks + 0.0, 32, 18, torch.rand(count, generator=g) * 7)


def test_a_file_made_by_hand(tmp_path):
    found = read_cameras_json(hand(tmp_path))
    assert (found.fps, found.n_times, found.t_freeze) == (8.0, 16, 0.0)
    ref, heldout = found.groups["ref"], found.groups["heldout"]
    assert (ref.cameras.width, ref.cameras.height) == (512, 288)
    assert ref.cameras.moments.tolist() == list(range(16))
    assert ref.files == ("ref.mp4",) * 16
    assert ref.frames == tuple(range(16))
    assert torch.equal(ref.cameras.Ks[3], torch.tensor(K))
    assert heldout.cameras.moments.tolist() == [14.5]
    assert heldout.files == ("views/000.png",)
    assert heldout.frames == ()
    assert heldout.cameras.Ks[0, 1].tolist() == [0, 8, 3]
    assert torch.allclose(heldout.cameras.positions[0], torch.tensor([-4.5, 0, 0.25]))


def test_what_is_left_out_has_defaults(tmp_path):
    path = hand(tmp_path, fps=None, n_times=None, t_freeze=None, groups=entry(time=2.5))
    found = read_cameras_json(path)
    assert (found.fps, found.n_times, found.t_freeze) == (8.0, 4, 0.0)
    assert found.groups["x"].files == ()


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 5))
def test_what_is_written_comes_back_to_the_last_bit(tmp_path_factory, seed, count):
    path = tmp_path_factory.mktemp("json") / "cameras.json"
    names = tuple(f"a/{i}.png" for i in range(count))
    groups = {
        "still": CameraGroup(cameras(seed, count), names),
        "clip": CameraGroup(cameras(seed + 1, 2), ("b.mp4", "b.mp4"), (3, 4)),
        "bare": CameraGroup(cameras(seed + 2, 1)),
    }
    write_cameras_json(path, CameraSet(groups, 24000 / 1001, 9, 4.5))
    back = read_cameras_json(path)
    assert (back.fps, back.n_times, back.t_freeze) == (24000 / 1001, 9, 4.5)
    assert list(back.groups) == list(groups)
    for name, group in groups.items():
        again = back.groups[name]
        assert torch.equal(again.cameras.viewmats, group.cameras.viewmats)
        assert torch.equal(again.cameras.Ks, group.cameras.Ks)
        assert torch.equal(again.cameras.moments, group.cameras.moments)
        assert (again.files, again.frames) == (group.files, group.frames)


def test_others_find_the_keys_they_expect(tmp_path):
    group = CameraGroup(cameras(0, 2), ("a.mp4", "a.mp4"), (0, 1))
    write_cameras_json(tmp_path / "c.json", CameraSet({"ref": group}, n_times=8))
    data = json.loads((tmp_path / "c.json").read_text())
    assert set(data) == {"convention", "width", "height", "K", "fps", "n_times", "t_freeze", "groups"}
    assert data["convention"].startswith("OpenCV")
    assert set(data["groups"]["ref"][0]) == {"video", "frame", "time", "w2c"}
    assert "K" in data["groups"]["ref"][1]  # it differs from the first


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"convention": "OpenGL, camera-to-world"}, "OpenGL.*negate rows 1 and 2"),
        ({"convention": None}, 'begins with "OpenCV"'),
        ({"convention": 3}, 'begins with "OpenCV"'),
        ({"width": 0}, '"width" must be a whole number of at least 1, got 0'),
        ({"height": "288"}, "\"height\".*got '288'"),
        ({"n_times": 2.5}, '"n_times".*got 2.5'),
        ({"n_times": 8}, r"'ref'.*times must lie in \[0, 7\], but span \[0, 15\]"),
        ({"t_freeze": 99}, "t_freeze"),
        ({"fps": -1}, "fps must be a positive number, got -1"),
        ({"fps": "fast"}, "fast"),
        ({"groups": {}}, '"groups" must name'),
        ({"groups": {"x": []}}, "'x'.*non-empty list"),
        ({"groups": entry(w2c=None)}, r"groups\['x'\]\[0\]: \"w2c\" must be 4 rows of 4 numbers"),
        ({"groups": entry(w2c=EYE[:3])}, "4 rows of 4"),
        ({"groups": entry(w2c=[[1, "a"]])}, "4 rows of 4"),
        ({"groups": entry(w2c=[[2.0, 0, 0, 0], *EYE[1:]])}, "away from orthonormal"),
        ({"groups": entry(w2c=[[-1.0, 0, 0, 0], *EYE[1:]])}, "mirrored"),
        ({"groups": entry(w2c=[[float("nan"), 0, 0, 0], *EYE[1:]])}, "finite"),
        ({"groups": entry(K=[[-5, 0, 1], [0, 5, 1], [0, 0, 1]])}, "positive focal"),
        ({"K": None, "groups": entry()}, '"K" must be 3 rows of 3 numbers, got None'),
        ({"groups": entry(time="now")}, "\"time\" must be a number, got 'now'"),
        ({"groups": entry(time=-1)}, r"times must lie in \[0, 15\]"),
        ({"groups": entry(file="../../secret.png")}, "must stay inside its folder, got '../../secret.png'"),
        ({"groups": entry(file="/etc/passwd")}, "must stay inside"),
        ({"groups": entry(video="C:\\clips\\a.mp4")}, "must stay inside"),
        ({"groups": entry(file="a\\..\\..\\b.png")}, "must stay inside"),
        ({"groups": entry(file="C:a.png")}, "must stay inside"),
        ({"groups": entry(file="~/a.png")}, "must stay inside"),
        ({"groups": entry(file="")}, "non-empty text"),
        ({"groups": entry(file=7)}, "non-empty text, got 7"),
    ],
)
def test_each_mistake_is_named(tmp_path, changes, why):
    with pytest.raises(FileFormatError, match=why) as caught:
        read_cameras_json(hand(tmp_path, **changes))
    assert "cameras.json" in str(caught.value)


def test_no_json_no_object_no_file(tmp_path):
    path = tmp_path / "cameras.json"
    with pytest.raises(FileFormatError, match="does not exist"):
        read_cameras_json(path)
    path.write_text("{")
    with pytest.raises(FileFormatError, match="not valid JSON"):
        read_cameras_json(path)
    path.write_text("[]")
    with pytest.raises(FileFormatError, match="must hold a JSON object"):
        read_cameras_json(path)


def test_a_set_that_cannot_be_written_is_refused(tmp_path):
    one = cameras(0, 1)
    with pytest.raises(FieldError, match="one image size"):
        CameraSet({"a": CameraGroup(one), "b": CameraGroup(one.resized(64, 36))}, n_times=9)
    with pytest.raises(FieldError, match=r"files must have one entry for each of 1 cameras, got 2"):
        CameraSet({"a": CameraGroup(one, ("a", "b"))}, n_times=9)
    with pytest.raises(FileFormatError, match="must stay inside"):
        write_cameras_json(tmp_path / "c.json", CameraSet({"a": CameraGroup(one, ("../a.png",))}, n_times=9))
    assert not list(tmp_path.iterdir())
