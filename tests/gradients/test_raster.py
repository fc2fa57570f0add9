"""The reference's gradients against finite differences, absgrad against a sum over pixels; numba against both."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fourreal.raster import Splats, Views, select
from fourreal.raster import torch_reference as reference
from raster.scenes import BACKGROUND, IMAGES, difference, everything, leaves, make_splats, make_views, random_loss

INPUTS = (*Splats._fields, "viewmats")
STEP = 1e-6


def _loss(values: dict[str, Tensor], views: Views) -> Tensor:
    splats = Splats(*(values[name] for name in Splats._fields))
    background = torch.tensor(BACKGROUND, dtype=torch.float64)
    return random_loss(reference.render(splats, views._replace(viewmats=values["viewmats"]), background))


def _central(values: dict[str, Tensor], views: Views, name: str, direction: Tensor) -> float:
    ends = []
    with torch.no_grad():
        for sign in (1, -1):
            ends.append(float(_loss(values | {name: values[name] + sign * STEP * direction}, views)))
    return (ends[0] - ends[1]) / (2 * STEP)


@pytest.fixture(
    scope="module", params=[(), ("means", "quats", "scales", "opacities", "colors")], ids=["shared", "per_camera"]
)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Tensor], Views, dict[str, Tensor], dict[str, Tensor]]:
    """A scene, the reference's float64 gradients and numba's float32 ones."""
    splats, views = make_splats(50, 2, request.param), make_views(2, 24, 14)
    values = {name: value.detach() for name, value in (*splats._asdict().items(), ("viewmats", views.viewmats))}
    exact = everything(reference.render, splats, views, torch.float64)
    fast = everything(select("cpu"), splats, views, torch.float32)
    return values, views, exact, fast


@pytest.mark.parametrize("name", INPUTS)
def test_finite_differences(case: tuple, name: str) -> None:
    values, views, exact, fast = case
    g = torch.Generator().manual_seed(3)
    for _ in range(4):
        direction = torch.randn(values[name].shape, generator=g, dtype=torch.float64)
        if name == "viewmats":
            direction[:, 3] = 0  # the last row of a rigid transform is no input
        slope = _central(values, views, name, direction)
        gradient, single = exact[f"d {name}"], fast[f"d {name}"]
        # Scaled by the gradient's length: a direction may be nearly orthogonal to it.
        length = float(gradient.norm() * direction.norm())
        assert abs(float((gradient * direction).sum()) - slope) <= 1e-7 * length
        assert abs(float((single * direction).sum()) - slope) <= 1e-5 * length


@pytest.mark.parametrize("name", INPUTS)
def test_every_entry_of_a_few_gaussians(name: str) -> None:
    """No entry hides in a sum: each one of three Gaussians and of the camera."""
    splats, views = make_splats(3, 1, low=0.4), make_views(1, 12, 8)
    near = splats._replace(means=splats.means * torch.tensor([0.4, 0.4, 1.0]), scales=splats.scales * 4)
    exact = everything(reference.render, near, views, torch.float64)[f"d {name}"]
    values = {key: value.detach() for key, value in (*near._asdict().items(), ("viewmats", views.viewmats))}
    found = torch.zeros_like(exact)
    for i in range(exact.numel()):
        direction = torch.zeros(exact.numel(), dtype=torch.float64)
        direction[i] = 1
        found.view(-1)[i] = _central(values, views, name, direction.view_as(exact))
    if name == "viewmats":
        found[:, 3] = 0
    assert difference(found, exact) <= 1e-7


def test_absgrad_is_the_sum_of_each_pixels_gradient() -> None:
    splats, views = make_splats(12, 2), make_views(2, 6, 5)
    taken = {
        name: everything(select("cpu", name), splats, views, torch.float32)["absgrad"]
        for name in ("numba_cpu", "torch_reference")
    }
    leaf_splats, leaf_views = leaves(splats, views, torch.float64)
    out = reference.render(leaf_splats, leaf_views, torch.tensor(BACKGROUND, dtype=torch.float64))
    g = torch.Generator().manual_seed(1)
    per_pixel = torch.zeros(2, 5, 6, dtype=torch.float64)
    for name in IMAGES:
        image: Tensor = getattr(out, name)
        per_pixel = per_pixel + (image * torch.randn(image.shape, generator=g, dtype=torch.float64)).sum(1)
    total = torch.zeros_like(out.means2d)
    for pixel in per_pixel.reshape(-1):
        total += torch.autograd.grad(pixel, out.means2d, retain_graph=True)[0].abs()
    for name, found in taken.items():
        assert difference(found, total.detach()) <= 1e-5, name
