"""Splats as PLY, against an independent reader (plyfile, tests only)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plyfile
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fourreal.core.errors import FileFormatError
from fourreal.core.gaussians import Gaussians
from fourreal.io.ply import SH_C0, read_ply, write_ply

ORDER = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
         "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]  # fmt: skip


def splats(count: int, seed: int = 0) -> Gaussians:
    g = torch.Generator().manual_seed(seed)
    return Gaussians(
        means=torch.randn(count, 3, generator=g) * 10,
        quats=torch.nn.functional.normalize(torch.randn(count, 4, generator=g), dim=1),
        log_scales=torch.randn(count, 3, generator=g) - 4,
        logit_opacities=torch.randn(count, generator=g) * 3,
        colors=torch.rand(count, 3, generator=g),
    )


def table(gaussians: Gaussians, names: list[str] | None = None, kind: str = "f4") -> np.ndarray:
    """The rows as another program would make them, from the format's description."""
    out = np.zeros(len(gaussians), [(name, kind) for name in names or ORDER])
    values = {
        **dict(zip("xyz", gaussians.means.T, strict=True)),
        **{f"f_dc_{i}": (gaussians.colors[:, i] - 0.5) / 0.28209479177387814 for i in range(3)},
        "opacity": torch.log(gaussians.opacities.double() / (1 - gaussians.opacities.double())),
        **{f"scale_{i}": gaussians.scales[:, i].log() for i in range(3)},
        **{f"rot_{i}": gaussians.quats[:, i] for i in range(4)},
    }
    for name, column in values.items():
        if name in (names or ORDER):
            out[name] = column.numpy()
    return out


def put(path: Path, rows: np.ndarray, *, text: bool = False, order: str = "<", before: list | None = None) -> Path:
    elements = [*(before or []), plyfile.PlyElement.describe(rows, "vertex")]
    plyfile.PlyData(elements, text=text, byte_order=order).write(str(path))
    return path


def assert_same(a: Gaussians, b: Gaussians, atol: float = 1e-4) -> None:
    for name, tensor in a.tensors().items():
        assert torch.allclose(tensor, b.tensors()[name], rtol=1e-4, atol=atol), name


class TestWriting:
    def test_an_independent_reader_finds_what_the_format_promises(self, tmp_path):
        gaussians = splats(50)
        write_ply(tmp_path / "a.ply", gaussians)
        data = plyfile.PlyData.read(str(tmp_path / "a.ply"))
        assert (data.text, data.byte_order) == (False, "<")
        vertex = data["vertex"]
        assert [p.name for p in vertex.properties] == ORDER
        assert {p.val_dtype for p in vertex.properties} == {"f4"}
        expected = table(gaussians)
        for name in ORDER:
            assert np.allclose(vertex[name], expected[name], rtol=1e-4, atol=1e-4), name
        assert np.array_equal(vertex["x"], gaussians.means[:, 0].numpy())

    def test_quaternions_are_normalised(self, tmp_path):
        gaussians = splats(3)
        doubled = Gaussians(**{**gaussians.tensors(), "quats": gaussians.quats * 2})
        write_ply(tmp_path / "a.ply", doubled)
        assert_same(read_ply(tmp_path / "a.ply"), gaussians)

    @settings(deadline=None, max_examples=30)
    @given(count=st.integers(0, 40), seed=st.integers(0, 2**31))
    def test_what_is_written_comes_back(self, tmp_path_factory, count, seed):
        path = tmp_path_factory.mktemp("ply") / "a.ply"
        gaussians = splats(count, seed)
        write_ply(path, gaussians)
        back = read_ply(path)
        assert len(back) == count
        assert torch.equal(back.means, gaussians.means)
        assert torch.equal(back.log_scales, gaussians.log_scales)
        assert torch.equal(back.logit_opacities, gaussians.logit_opacities)
        assert_same(back, gaussians, atol=1e-6)


class TestReadingOthers:
    @pytest.mark.parametrize(("text", "order"), [(True, "="), (False, "<"), (False, ">")])
    @pytest.mark.parametrize("kind", ["f4", "f8"])
    def test_every_encoding(self, tmp_path, text, order, kind):
        gaussians = splats(9)
        path = put(tmp_path / "a.ply", table(gaussians, kind=kind), text=text, order=order)
        assert_same(read_ply(path), gaussians)

    def test_another_order_extra_properties_and_other_elements(self, tmp_path):
        gaussians = splats(9)
        names = [*reversed(ORDER), *(f"f_rest_{i}" for i in range(45)), "confidence"]
        names.remove("nx")
        other = plyfile.PlyElement.describe(np.zeros(3, [("a", "u1"), ("b", "f8")]), "chunk")
        assert_same(read_ply(put(tmp_path / "a.ply", table(gaussians, names), before=[other])), gaussians)
        path = put(tmp_path / "t.ply", table(gaussians, names), before=[other], text=True)
        assert_same(read_ply(path), gaussians)

    def test_no_splats(self, tmp_path):
        for text in (True, False):
            assert len(read_ply(put(tmp_path / "a.ply", table(splats(0)), text=text))) == 0

    def test_out_of_range_values_are_clamped_as_documented(self, tmp_path):
        rows = table(splats(2))
        rows["f_dc_0"] = [-9, 9]
        rows["opacity"] = [-np.inf, 99]
        rows["scale_1"] = [-np.inf, 31]
        back = read_ply(put(tmp_path / "a.ply", rows))
        assert back.colors[:, 0].tolist() == [0, 1]
        assert back.logit_opacities.tolist() == [-50, 50]
        assert back.log_scales[:, 1].tolist() == [-30, 30]

    def test_white_and_black_are_exact(self, tmp_path):
        rows = table(splats(2))
        rows["f_dc_1"] = [-0.5 / SH_C0, 0.5 / SH_C0]
        assert read_ply(put(tmp_path / "a.ply", rows)).colors[:, 1].tolist() == pytest.approx([0, 1], abs=1e-6)


class TestBrokenFiles:
    @pytest.mark.parametrize("name", ["x", "f_dc_2", "opacity", "scale_0", "rot_3"])
    def test_a_missing_property_is_named(self, tmp_path, name):
        names = [n for n in ORDER if n != name]
        with pytest.raises(FileFormatError, match=f"lacks the vertex property '{name}'"):
            read_ply(put(tmp_path / "a.ply", table(splats(2), names)))

    def test_a_compressed_ply_is_recognised(self, tmp_path):
        rows = np.zeros(2, [("packed_position", "u4"), ("packed_color", "u4")])
        with pytest.raises(FileFormatError, match="compressed PLY"):
            read_ply(put(tmp_path / "a.ply", rows))

    @pytest.mark.parametrize(
        ("column", "value", "why"), [("x", np.nan, "means must be finite"), ("rot", 0.0, "quats.* is zero")]
    )
    def test_values_that_mean_nothing(self, tmp_path, column, value, why):
        rows = table(splats(3))
        for name in [n for n in ORDER if n == column or n.startswith(column + "_")]:
            rows[name][1] = value
        with pytest.raises(FileFormatError, match=why):
            read_ply(put(tmp_path / "a.ply", rows))

    @pytest.mark.parametrize("text", [True, False])
    def test_a_truncated_file_says_how_much_is_there(self, tmp_path, text):
        path = put(tmp_path / "a.ply", table(splats(9)), text=text)
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rindex(b"\n", 0, -1)] if text else whole[:-10])
        with pytest.raises(FileFormatError, match="8 of 9 entries of 'vertex'"):
            read_ply(path)

    @pytest.mark.parametrize("cut", range(0, 300, 23))
    def test_a_cut_header_is_damaged_not_a_crash(self, tmp_path, cut):
        path = put(tmp_path / "a.ply", table(splats(9)))
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(FileFormatError):
            read_ply(path)

    @settings(deadline=None, max_examples=60)
    @given(st.binary(max_size=200))
    def test_no_bytes_crash_the_reader(self, tmp_path_factory, junk):
        path = tmp_path_factory.mktemp("ply") / "a.ply"
        header = "ply\nformat binary_little_endian 1.0\n"
        for content in (junk, b"ply\n" + junk, header.encode() + b"element vertex 99999999999\n" + junk):
            path.write_bytes(content)
            with pytest.raises(FileFormatError):
                read_ply(path)

    @pytest.mark.parametrize(
        ("header", "why"),
        [
            ("plx\n", "not a PLY file"),
            ("ply\nformat binary_middle_endian 1.0\nend_header\n", "binary_middle_endian"),
            ("ply\nformat ascii 1.0\nend_header\n", "no vertex element"),
            ("ply\nformat ascii 1.0\nelement vertex -1\nend_header\n", "header is damaged"),
            (
                "ply\nformat ascii 1.0\nelement vertex 1\nproperty list uchar int x\nend_header\n1 1\n",
                "holds lists",
            ),
            (
                "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float x\nend_header\n",
                "twice",
            ),
            (
                "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\nhello\n",
                "not a row of numbers",
            ),
            (
                "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1 2\n",
                "has 2 values, wanted 1",
            ),
        ],
    )
    def test_other_damage_is_named(self, tmp_path, header, why):
        (tmp_path / "a.ply").write_text(header)
        with pytest.raises(FileFormatError, match=why):
            read_ply(tmp_path / "a.ply")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(FileFormatError, match="does not exist"):
            read_ply(tmp_path / "a.ply")
