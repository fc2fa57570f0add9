"""Files appear whole or not at all."""

from __future__ import annotations

import stat
import sys

import pytest
import torch

from fourreal.core.errors import FileFormatError
from fourreal.core.storage import atomic_path, load_tensors, read_json, save_tensors, write_json


def test_an_exception_midway_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def interrupted() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_an_exception_midway_leaves_no_new_file(tmp_path):
    with pytest.raises(ValueError, match="boom"), atomic_path(tmp_path / "a.bin"):
        raise ValueError("boom")
    assert not list(tmp_path.iterdir())


def test_the_target_is_untouched_until_the_block_ends(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent  # one file system, so that the renaming is atomic
        assert temporary.suffix == ".txt"
    assert path.read_text() == "whole"


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions there")
def test_the_file_is_as_readable_as_any_other(tmp_path):
    write_json(tmp_path / "a.json", 1)
    (tmp_path / "plain").touch()
    modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert len(modes) == 1


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])
    with pytest.raises(ValueError, match=r"not JSON compliant|Out of range"):
        write_json(path, float("nan"))
    assert read_json(path) == [1]


def test_tensors_come_back_with_their_dtypes_and_meta(tmp_path):
    tensors = {
        "a": torch.rand(2, 3).T,  # not contiguous
        "b": torch.arange(4),
        "c": torch.zeros(0, 3),
        "d": torch.tensor(True),
    }
    tensors["e"] = tensors["b"]  # shares memory
    save_tensors(tmp_path / "t.safetensors", tensors, {"step": 3}, kind="test")
    back, meta = load_tensors(tmp_path / "t.safetensors", kind="test")
    assert meta == {"kind": "test", "step": 3}
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)


@pytest.mark.parametrize(
    ("content", "why"), [(b"{", "not valid JSON"), (b"\xff\xfe", "not valid JSON"), (None, "does not exist")]
)
def test_unreadable_json_names_the_file(tmp_path, content, why):
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(FileFormatError, match=rf"a\.json.*{why}"):
        read_json(tmp_path / "a.json")


def test_a_folder_in_place_of_a_file_is_an_error_not_a_loss(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError, match=r"directory|denied"):
        write_json(tmp_path / "a.json", 1)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
