"""LPIPS from weights of the authors' layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from fourreal.core.errors import FileFormatError
from fourreal.metrics import Lpips


def alex() -> tuple[nn.ModuleList, list[Tensor], dict[str, Tensor]]:
    """The trunk as torch builds it, cut in the authors' slices, with random weights and its state dict."""
    torch.manual_seed(0)
    slices = nn.ModuleList([
        nn.Sequential(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    ])  # fmt: skip
    lins = [torch.rand(1, c, 1, 1) for c in (64, 192, 384, 256, 256)]
    state: dict[str, Tensor] = {}
    for part, number in enumerate((0, 3, 6, 8, 10)):
        conv = next(m for m in slices[part] if isinstance(m, nn.Conv2d))  # type: ignore[union-attr]
        state[f"net.slice{part + 1}.{number}.weight"] = conv.weight.detach()
        assert conv.bias is not None
        state[f"net.slice{part + 1}.{number}.bias"] = conv.bias.detach()
        state[f"lin{part}.model.1.weight"] = lins[part]
    return slices, lins, state


def test_it_is_the_papers_formula_over_the_trunk(tmp_path: Path) -> None:
    slices, lins, state = alex()
    save_file(state, tmp_path / "alex.safetensors")
    a, b = torch.rand(2, 2, 3, 64, 72)
    found = Lpips.load(tmp_path / "alex.safetensors")(a, b)
    x, y = (
        (2 * v - 1 - torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        / torch.tensor([0.458, 0.448, 0.450])[:, None, None]
        for v in (a, b)
    )
    wanted = torch.zeros(2)
    with torch.no_grad():
        for part, lin in zip(slices, lins, strict=True):
            x, y = part(x), part(y)
            apart = torch.nn.functional.normalize(x, dim=1) - torch.nn.functional.normalize(y, dim=1)
            wanted += (lin * apart.square()).sum(1).mean((1, 2))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    assert not Lpips(state)(a, a).any()


def test_other_files_are_refused_with_what_is_missing(tmp_path: Path) -> None:
    _, _, state = alex()
    del state["lin3.model.1.weight"]
    with pytest.raises(FileFormatError, match=r"needs lin3.model.1.weight \[1, 256, 1, 1\], got nothing"):
        Lpips(state)
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(FileFormatError, match="damaged"):
        Lpips.load(tmp_path / "junk.safetensors")
