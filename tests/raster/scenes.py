"""Small random scenes, and everything one render and backward yields, shared by the rasterizer's tests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fourreal.raster import Rasterizer, Rendering, Splats, Views

IMAGES = ("color", "alpha", "depth")
BACKGROUND = (0.2, 0.5, 0.7)


def make_views(cameras: int, width: int, height: int, *, seed: int = 0) -> Views:
    """Cameras near the origin that look along +z, each shifted and turned a little."""
    g = torch.Generator().manual_seed(seed)
    viewmats = torch.eye(4, dtype=torch.float64).repeat(cameras, 1, 1)
    turn = torch.linalg.matrix_exp(
        0.05 * torch.tensor([[0.0, -1, 2], [1, 0, -1], [-2, 1, 0]], dtype=torch.float64)
        * torch.randn(cameras, 1, 1, generator=g, dtype=torch.float64)
    )  # fmt: skip
    viewmats[:, :3, :3] = turn
    viewmats[:, :3, 3] = 0.1 * torch.randn(cameras, 3, generator=g, dtype=torch.float64)
    focal = 0.9 * max(width, height)
    ks = torch.tensor([[focal, 0, width / 2], [0, 1.1 * focal, height / 2], [0, 0, 1]], dtype=torch.float64)
    return Views(viewmats, ks.repeat(cameras, 1, 1), width, height)


def make_splats(
    count: int, cameras: int, per_camera: Sequence[str] = (), *, seed: int = 0, low: float = 0.05
) -> Splats:
    """Random Gaussians in front of the cameras, float64; the tensors named in `per_camera` differ from view to view."""
    g = torch.Generator().manual_seed(seed)

    def rand(name: str, *trailing: int) -> Tensor:
        leading = (cameras, count) if name in per_camera else (count,)
        return torch.rand(*leading, *trailing, generator=g, dtype=torch.float64)

    return Splats(
        (rand("means", 3) - 0.5) * torch.tensor([3.0, 2.0, 2.0]) + torch.tensor([0.0, 0.0, 3.0]),
        rand("quats", 4) - 0.5,
        rand("scales", 3) * 0.12 + 0.02,
        rand("opacities") * (0.98 - low) + low,
        rand("colors", 3),
    )


def leaves(splats: Splats, views: Views, dtype: torch.dtype, device: str = "cpu") -> tuple[Splats, Views]:
    """Copies that require gradients."""
    moved = Splats(*(t.detach().to(device, dtype).requires_grad_() for t in splats))
    viewmats = views.viewmats.detach().to(device, dtype).requires_grad_()
    return moved, Views(viewmats, views.Ks.to(device, dtype), views.width, views.height)


def random_loss(out: Rendering, *, seed: int = 1) -> Tensor:
    """A weighted sum of every pixel of every image, so that no gradient is missed."""
    g = torch.Generator().manual_seed(seed)
    total = out.color.new_zeros(())
    for name in IMAGES:
        image: Tensor = getattr(out, name)
        total = total + (image * torch.randn(image.shape, generator=g, dtype=torch.float64).to(image)).sum()
    return total


def everything(
    render: Rasterizer,
    splats: Splats,
    views: Views,
    dtype: torch.dtype,
    device: str = "cpu",
    background: Tensor | None = None,
) -> dict[str, Tensor]:
    """Images, means2d, radii, all gradients and absgrad of `random_loss`, float64 on the CPU."""
    splats, views = leaves(splats, views, dtype, device)
    if background is None:
        background = torch.tensor(BACKGROUND)
    out = render(splats, views, background.to(device, dtype), absgrad=True)
    out.means2d.retain_grad()
    random_loss(out).backward()
    found = {name: getattr(out, name) for name in (*IMAGES, "means2d", "radii")}
    found["d means2d"] = out.means2d.grad
    found["absgrad"] = getattr(out.means2d, "absgrad")  # noqa: B009
    found |= {f"d {name}": value.grad for name, value in splats._asdict().items()}
    found["d viewmats"] = views.viewmats.grad
    return {name: value.detach().cpu().double() for name, value in found.items()}


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Relative L2 difference; absolute where `theirs` is 0."""
    norm = float(theirs.norm())
    return float((ours - theirs).norm()) / (norm if norm > 0 else 1.0)


def differences(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, float]:
    """`difference` of every entry."""
    return {name: difference(ours[name], theirs[name]) for name in theirs}
