"""What every rasterizer must do, in one body run for each implementation (the GPU one with `-m gpu`)."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
import torch

from fourreal.core.errors import FieldError
from fourreal.raster import Rasterizer, Splats, Views, select
from fourreal.raster import torch_reference as reference
from raster.scenes import IMAGES, differences, everything, leaves, make_splats, make_views, random_loss


class Kind(NamedTuple):
    """An implementation under test, and how closely it must follow the float64 reference (relative L2)."""

    render: Rasterizer
    device: str
    tolerance: float


@pytest.fixture(
    params=["numba_cpu", "torch_reference", pytest.param("gsplat_cuda", marks=pytest.mark.gpu)], scope="module"
)
def kind(request: pytest.FixtureRequest) -> Kind:
    device = "cuda" if request.param == "gsplat_cuda" else "cpu"
    return Kind(select(device, request.param), device, 1e-3 if device == "cuda" else 1e-5)


def check_like_reference(
    kind: Kind, splats: Splats, views: Views, background: torch.Tensor | None = None, *, slack: float = 1.0
) -> None:
    ours = everything(kind.render, splats, views, torch.float32, kind.device, background)
    theirs = everything(reference.render, splats, views, torch.float64, "cpu", background)
    found = differences(ours, theirs)
    off = {name: value for name, value in found.items() if value > slack * kind.tolerance}
    assert not off


@pytest.mark.parametrize(
    "per_camera",
    [(), ("means", "quats", "scales"), ("opacities",), ("colors", "scales"), ("quats",), Splats._fields],
    ids=lambda names: "+".join(names) or "shared",
)
def test_follows_the_reference_with_shared_and_per_camera_states(kind: Kind, per_camera: tuple[str, ...]) -> None:
    check_like_reference(kind, make_splats(120, 2, per_camera), make_views(2, 35, 19))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 3), (8, 66), (65, 17), (64, 16), (130, 5)])
def test_any_image_size(kind: Kind, width: int, height: int) -> None:
    # In a single pixel the gradients behind many layers are differences of much larger sums in float32.
    slack = 4.0 if width == 1 else 1.0
    check_like_reference(kind, make_splats(40, 1), make_views(1, width, height), slack=slack)


def test_a_background_for_each_camera(kind: Kind) -> None:
    check_like_reference(kind, make_splats(40, 2), make_views(2, 20, 12), torch.rand(2, 3))


def test_the_background_shines_through_what_alpha_leaves(kind: Kind) -> None:
    splats, views = leaves(make_splats(50, 2), make_views(2, 20, 12), torch.float32, kind.device)
    color = torch.tensor([1.0, 0.5, 0.25], device=kind.device)
    black, lit = kind.render(splats, views), kind.render(splats, views, color)
    torch.testing.assert_close(lit.color - black.color, (1 - black.alpha) * color[:, None, None], atol=2e-6, rtol=0)
    low, high = (float(v) for v in torch.aminmax(black.alpha.detach()))
    assert 0 <= low < high <= 1


def test_opaque_stacks_stop(kind: Kind) -> None:
    """A hundred opaque layers: the transmittance stop and the 0.999 clamp decide."""
    splats = make_splats(120, 1, low=0.97)
    thick = splats._replace(scales=splats.scales * 6)
    check_like_reference(kind, thick, make_views(1, 25, 15), slack=4.0)


def test_equal_depths_keep_their_order(kind: Kind) -> None:
    """Facing cameras see the same depth for all: the first Gaussian lies in front."""
    count = 5
    means = torch.tensor([[0.0, 0.0, 2.0]]).expand(count, 3)
    quats = torch.tensor([[1.0, 0, 0, 0]]).expand(count, 4)
    colors = torch.eye(3).repeat(2, 1)[:count]
    splats = Splats(means, quats, torch.full((count, 3), 0.2), torch.full((count,), 0.9), colors)
    views = make_views(1, 9, 9)._replace(viewmats=torch.eye(4)[None])
    splats, views = leaves(splats, views, torch.float32, kind.device)
    centre = kind.render(splats, views).color[0, :, 4, 4]
    torch.testing.assert_close(centre.cpu(), torch.tensor([0.9009, 0.0900, 0.0090]), atol=2e-3, rtol=0)


def test_no_gaussian_at_all(kind: Kind) -> None:
    splats, views = leaves(make_splats(0, 2), make_views(2, 20, 12), torch.float32, kind.device)
    out = kind.render(splats, views, torch.tensor([0.25, 0.5, 0.75], device=kind.device))
    assert out.color.shape == (2, 3, 12, 20)
    assert out.means2d.shape == (2, 0, 2)
    torch.testing.assert_close(out.color[0, :, 3, 3].cpu(), torch.tensor([0.25, 0.5, 0.75]))
    assert not out.alpha.any()
    assert not out.depth.any()
    random_loss(out).backward()
    assert splats.means.grad is not None
    assert splats.means.grad.shape == (0, 3)
    assert views.viewmats.grad is not None
    assert not views.viewmats.grad.any()


def _assert_nothing_is_drawn(kind: Kind, splats: Splats, views: Views) -> None:
    found = everything(kind.render, splats, views, torch.float32, kind.device)
    for name in ("alpha", "depth", "radii", "means2d", *(key for key in found if key.startswith("d "))):
        assert not found[name].any(), name
    torch.testing.assert_close(found["color"][0, :, 0, 0], torch.tensor([0.2, 0.5, 0.7]).double(), atol=1e-6, rtol=0)


def test_all_behind_the_camera(kind: Kind) -> None:
    splats = make_splats(30, 2)
    _assert_nothing_is_drawn(kind, splats._replace(means=-splats.means), make_views(2, 20, 12))


def test_all_outside_the_image(kind: Kind) -> None:
    splats = make_splats(30, 2)
    aside = splats._replace(means=splats.means + torch.tensor([40.0, 0, 0]))
    _assert_nothing_is_drawn(kind, aside, make_views(2, 20, 12))


def test_opacity_below_the_cut_off_is_nothing(kind: Kind) -> None:
    splats = make_splats(30, 2)
    faint = torch.linspace(0, 0.99 / 255, 30)
    _assert_nothing_is_drawn(kind, splats._replace(opacities=faint), make_views(2, 20, 12))


def test_opacity_one_is_clamped_and_its_saturated_pixels_have_no_gradient(kind: Kind) -> None:
    splats = make_splats(30, 2)
    check_like_reference(kind, splats._replace(opacities=torch.ones(30).double()), make_views(2, 20, 12))


BAD = [
    *[(name, value) for name in Splats._fields for value in (math.nan, math.inf, -math.inf)],
    ("quats", 0.0),
    ("scales", 1e30),
    ("means", 1e30),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{n}={v}" for n, v in BAD])
def test_a_gaussian_that_makes_no_sense_is_not_drawn(kind: Kind, name: str, value: float) -> None:
    """The others look and learn as if it were not there; its own gradients are 0."""
    splats, views = make_splats(24, 2), make_views(2, 20, 12)
    broken = Splats(*(t.clone() for t in splats))
    bad = torch.tensor([0, 7, 23])
    good = torch.tensor([i for i in range(24) if i not in bad])
    getattr(broken, name)[bad] = value
    found = everything(kind.render, broken, views, torch.float32, kind.device)
    expected = everything(kind.render, Splats(*(t[good] for t in splats)), views, torch.float32, kind.device)
    atol = 1e-3 if kind.device == "cuda" else 1e-6
    for key, value_there in found.items():
        if key in IMAGES or key == "d viewmats":
            torch.testing.assert_close(value_there, expected[key], rtol=1e-4, atol=atol, msg=key)
            continue
        axis = 1 if key in ("means2d", "radii", "absgrad", "d means2d") else 0
        assert not value_there.index_select(axis, bad).any(), key
        torch.testing.assert_close(
            value_there.index_select(axis, good), expected[key], rtol=1e-3 if atol == 1e-3 else 1e-4, atol=atol, msg=key
        )


@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e-6, 30.0, 1e3])
def test_tiny_and_huge_gaussians(kind: Kind, factor: float) -> None:
    """From a point (a dot of the 0.3 pixel^2 blur) to one that covers everything."""
    splats, views = make_splats(12, 2), make_views(2, 20, 12)
    sized = splats._replace(scales=splats.scales * factor)
    found = everything(kind.render, sized, views, torch.float32, kind.device)
    expected = everything(reference.render, sized, views, torch.float64)
    assert all(torch.isfinite(value).all() for value in found.values())
    for name in IMAGES:
        # Covariances of 1e6 pixels^2 keep about four digits of float32.
        torch.testing.assert_close(found[name], expected[name], rtol=5e-3, atol=5e-3, msg=name)
    assert found["alpha"].any()


def test_needles(kind: Kind) -> None:
    """Long and thin: covariances that are singular but for the blur, whose float32 inverse keeps few digits."""
    splats = make_splats(40, 2)
    thin = splats._replace(scales=splats.scales * torch.tensor([30.0, 1e-3, 1e-3]))
    check_like_reference(kind, thin, make_views(2, 40, 24), slack=30.0)
    thinner = splats._replace(scales=splats.scales * torch.tensor([200.0, 1e-4, 1e-4]))
    found = everything(kind.render, thinner, make_views(2, 40, 24), torch.float32, kind.device)
    assert all(torch.isfinite(value).all() for value in found.values())


def test_close_to_the_near_plane_and_far_aside(kind: Kind) -> None:
    """The slopes of the Jacobian are clamped there, which changes the gradient's form."""
    splats = make_splats(80, 1)
    wide = splats._replace(
        means=splats.means * torch.tensor([2.5, 2.5, 0.5]), scales=splats.scales * torch.tensor([4.0, 4.0, 1.0])
    )
    check_like_reference(kind, wide, make_views(1, 30, 18))


def test_absgrad_is_at_least_the_gradient_and_only_on_demand(kind: Kind) -> None:
    found = everything(kind.render, make_splats(60, 2), make_views(2, 20, 12), torch.float32, kind.device)
    assert (found["absgrad"] >= found["d means2d"].abs() * (1 - 1e-4) - 1e-5).all()
    assert float(found["absgrad"].sum()) > 1.05 * float(found["d means2d"].abs().sum())
    splats, views = leaves(make_splats(60, 2), make_views(2, 20, 12), torch.float32, kind.device)
    out = kind.render(splats, views)
    random_loss(out).backward()
    assert getattr(out.means2d, "absgrad", None) is None


def test_one_output_alone_carries_gradients(kind: Kind) -> None:
    for name in IMAGES:
        splats, views = leaves(make_splats(40, 2), make_views(2, 20, 12), torch.float32, kind.device)
        getattr(kind.render(splats, views), name).sum().backward()
        assert splats.means.grad is not None
        assert splats.means.grad.any(), name


def test_a_loss_on_means2d_reaches_the_cameras(kind: Kind) -> None:
    splats, views = leaves(make_splats(40, 2), make_views(2, 20, 12), torch.float32, kind.device)
    kind.render(splats, views).means2d.sum().backward()
    assert views.viewmats.grad is not None
    assert views.viewmats.grad.any()


def test_without_gradients_it_just_draws(kind: Kind) -> None:
    splats, views = leaves(make_splats(40, 2), make_views(2, 20, 12), torch.float32, kind.device)
    with torch.no_grad():
        out = kind.render(splats, views, absgrad=True)
    assert not out.color.requires_grad
    assert out.radii.dtype == torch.int32


@pytest.mark.parametrize("name", Splats._fields)
def test_a_wrong_shape_is_named(kind: Kind, name: str) -> None:
    splats, views = leaves(make_splats(10, 3), make_views(3, 8, 8), torch.float32, kind.device)
    wrong = splats._replace(**{name: getattr(splats, name)[None].expand(2, *getattr(splats, name).shape)})
    with pytest.raises(FieldError, match=rf"Splats\.{name} must have shape"):
        kind.render(wrong, views)


def test_wrong_views_are_named(kind: Kind) -> None:
    splats, views = leaves(make_splats(10, 2), make_views(2, 8, 8), torch.float32, kind.device)
    with pytest.raises(FieldError, match="viewmats"):
        kind.render(splats, views._replace(viewmats=views.viewmats[0]))
    with pytest.raises(FieldError, match="Ks"):
        kind.render(splats, views._replace(Ks=views.Ks[:1]))
    with pytest.raises(FieldError, match="at least 1x1"):
        kind.render(splats, views._replace(width=0))
    with pytest.raises(FieldError, match="background"):
        kind.render(splats, views, torch.zeros(5, 3, device=kind.device))


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("count", "cameras", "width", "height", "per_camera"),
    [
        (400, 2, 48, 32, ()),
        (400, 3, 48, 32, ("means", "quats", "scales")),
        (5000, 2, 256, 144, ()),
        (20000, 16, 64, 36, ()),
    ],
)
def test_numba_and_gsplat_agree(
    count: int, cameras: int, width: int, height: int, per_camera: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    splats, views = make_splats(count, cameras, per_camera), make_views(cameras, width, height)
    small = splats._replace(scales=splats.scales * min(1.0, 20 / math.sqrt(count)))
    ours = everything(select("cpu"), small, views, torch.float32)
    theirs = everything(select("cuda"), small, views, torch.float32, "cuda")
    found = differences(ours, theirs)
    with capsys.disabled():
        print(f"\n{count} Gaussians, {cameras} x {width}x{height}, per camera: {per_camera}")  # noqa: T201
        for name, value in found.items():
            print(f"  {name:14} {value:.1e}")  # noqa: T201
    assert not {name: value for name, value in found.items() if value > 1e-3}
