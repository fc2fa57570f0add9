"""What every deformation field promises, and what each kind does besides."""

from __future__ import annotations

import inspect
import math
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fourreal.core.errors import FieldError, FileFormatError
from fourreal.core.geometry import quat_exp, quat_multiply, quat_to_matrix
from fourreal.deform import DeformField, MlpConfig, NodeConfig, Offsets, load_field, save_field
from fourreal.deform.combine import Pattern, combine, pick
from fourreal.deform.nodes import farthest_points
from fourreal.deform.storage import Field

CONFIGS = {
    "nodes": NodeConfig(nodes=12),
    "cubic nodes": NodeConfig(nodes=12, interpolation="cubic", scaling=True),
    "few nodes": NodeConfig(nodes=2, neighbours=4),
    "mlp": MlpConfig(layers=4, width=32, skip=2),
    "discrete mlp": MlpConfig(layers=3, width=16, skip=1, discrete=True),
}
FRAMES, CANONICAL, COUNT = 6, 2, 150


def cloud(count: int = COUNT, dtype: torch.dtype = torch.float32) -> Tensor:
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=dtype) + 5
    points[: count // 10] *= 50  # a sky
    return points


def disturb(field: Field, size: float = 0.3) -> Field:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in field.parameters():
            p.add_(size * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return field


@pytest.fixture(params=list(CONFIGS))
def field(request: pytest.FixtureRequest) -> Field:
    return CONFIGS[request.param].build(cloud(), FRAMES, CANONICAL)


def test_every_python_sees_that_it_is_a_field(field: Field) -> None:
    """From 3.12 on `isinstance` looks for a protocol's members as `getattr_static` does, which sees no buffers."""
    for name in ("frames", "canonical", "unit", "offsets", "rebind", "parameters"):
        inspect.getattr_static(field, name)
    assert isinstance(field, DeformField)


def test_a_new_field_is_zero_everywhere_and_shapes_fit(field: Field) -> None:
    many = field.offsets(cloud(), torch.arange(FRAMES).float())
    one = field.offsets(cloud(), 3)
    assert [v.shape for v in many] == [(FRAMES, COUNT, d) for d in (3, 4, 3)]
    assert [v.shape for v in one] == [(COUNT, d) for d in (3, 4, 3)]
    assert all(float(v.detach().abs().max()) == 0 for v in (*many, *one))


def test_exactly_zero_at_the_canonical_index_whatever_the_parameters(field: Field) -> None:
    disturb(field)
    together = field.offsets(cloud(), torch.tensor([0.0, 5.0, CANONICAL, 1.0]))
    assert all(float(v.detach().abs().max()) == 0 for v in field.offsets(cloud(), CANONICAL))
    assert all(float(v[2].detach().abs().max()) == 0 for v in together)
    assert float(together.means[[0, 1, 3]].detach().abs().amax((1, 2)).min()) > 1e-3


def test_indices_together_are_the_indices_alone(field: Field) -> None:
    disturb(field)
    together = field.offsets(cloud(), torch.tensor([5.0, 0.0, 3.0]))
    for row, index in enumerate((5, 0, 3)):
        alone = field.offsets(cloud(), index)
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[row], b, rtol=1e-4, atol=1e-4)


def test_descent_begins_from_zero(field: Field) -> None:
    optimizer = torch.optim.Adam(field.parameters(), lr=0.02)
    target = torch.tensor([0.1, -0.2, 0.3]) * field.unit
    losses = []
    for _ in range(30):
        offsets = field.offsets(cloud(), torch.tensor([0.0, 4.0]))
        loss = ((offsets.means - target) / field.unit).square().sum(-1)[:, COUNT // 10 :].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", [n for n in CONFIGS if n != "mlp"])
def test_gradients(name: str) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        means = cloud(11, torch.float64)
        field = disturb(CONFIGS[name].build(means, FRAMES, CANONICAL))
        means = means + 0.01 * torch.rand_like(means)  # no point on a face of the inner cube, where slopes jump
    finally:
        torch.set_default_dtype(torch.float32)
    names = [n for n, _ in field.named_parameters()]
    times = torch.tensor([0.0, 2.0, 4.0], dtype=torch.float64)

    def run(at: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        out = torch.func.functional_call(
            _Call(field), {f"field.{n}": v for n, v in zip(names, values, strict=True)}, (at, times)
        )
        return tuple(v for v in out if v.requires_grad)

    leaves = [p.detach().clone().requires_grad_() for p in field.parameters()]
    assert torch.autograd.gradcheck(run, (means.clone().requires_grad_(), *leaves), fast_mode=True)


class _Call(torch.nn.Module):
    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def forward(self, means: Tensor, times: Tensor) -> Offsets:
        return self.field.offsets(means, times)


def test_saved_and_loaded(field: Field, tmp_path) -> None:
    disturb(field)
    save_field(tmp_path / "field.safetensors", field)
    again = load_field(tmp_path / "field.safetensors")
    again.rebind(cloud())
    assert (again.config, again.frames, again.canonical) == (field.config, FRAMES, CANONICAL)
    for a, b in zip(field.offsets(cloud(), 4), again.offsets(cloud(), 4), strict=True):
        assert torch.equal(a, b)


def test_files_of_another_kind(tmp_path) -> None:
    from fourreal.core.storage import save_tensors

    path = tmp_path / "x.safetensors"
    meta = {"version": 2, "type": "mlp", "config": {"width": 8}, "frames": 3, "canonical": 0}
    for broken in ({"type": "wavelets"}, {"canonical": 3}, {"config": {"width": 0}}, {"config": {"size": 2}}, {}):
        tensors = {"centre": torch.zeros(3), "extent": torch.ones(())}
        save_tensors(path, tensors, meta | broken, kind="deformation field")
        with pytest.raises(FileFormatError, match="not a whole deformation field"):
            load_field(path)
    save_tensors(path, {"a": torch.zeros(1)}, {}, kind="scene")
    with pytest.raises(FileFormatError, match="scene"):
        load_field(path)


@pytest.mark.parametrize("index", [-1, FRAMES - 0.5, math.nan, torch.zeros(0), torch.zeros(2, 2)])
def test_impossible_indices(field: Field, index: float | Tensor) -> None:
    with pytest.raises(FieldError, match=r"ind(ex|ices) must"):
        field.offsets(cloud(), index)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: NodeConfig(nodes=0), "nodes"),
        (lambda: MlpConfig(width=0), "width"),
        (lambda: NodeConfig().build(cloud(), 4, 4), "indices 0 to 3"),
        (lambda: MlpConfig().build(cloud(), 0), "frames"),
        (lambda: MlpConfig().build(torch.zeros(0, 3), 4), "at least one Gaussian"),
    ],
)
def test_impossible_configurations(make, why: str) -> None:
    with pytest.raises((FieldError, ValueError), match=why):
        make()


def test_nodes_must_be_bound_to_the_set_they_move() -> None:
    field = NodeConfig(nodes=12).build(cloud(), FRAMES)
    grown = torch.cat([cloud(), cloud()[:9] + 0.01])
    with pytest.raises(FieldError, match=r"bound to 150 Gaussians, got 159; call rebind"):
        field.offsets(grown, 1)
    disturb(field)
    before = field.offsets(cloud(), 1)
    field.rebind(grown)
    torch.testing.assert_close(field.offsets(grown, 1).means[:COUNT], before.means)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_one_rigid_motion_of_all_nodes_moves_everything_rigidly(interpolation) -> None:
    means = cloud() / 5
    field = NodeConfig(nodes=12, interpolation=interpolation).build(means, FRAMES)
    turn, shift = torch.tensor([0.3, -0.5, 0.2]), torch.tensor([0.4, 0.1, -0.2])
    rotation = quat_to_matrix(quat_exp(turn))
    with torch.no_grad():
        field.motions[:, :, 3:6] = turn
        # x -> R x + shift, as seen by a node: R (x - p) + p + tau with tau = R p - p + shift
        field.motions[:, :, :3] = (field.nodes @ rotation.T - field.nodes + shift) / field.unit
    quats = torch.randn(len(means), 4)
    moved, turned, _ = field.offsets(means, torch.tensor([3.0])).apply(means, quats, torch.zeros(len(means), 3))
    torch.testing.assert_close(moved[0].detach(), means @ rotation.T + shift, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(turned[0].detach(), quat_multiply(quat_exp(turn), quats), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_times_between_frames(interpolation) -> None:
    field = NodeConfig(nodes=3, interpolation=interpolation).build(cloud(), FRAMES)
    with torch.no_grad():
        field.motions[..., 0] = (0.1 * torch.arange(FRAMES).float())[:, None]  # a constant speed
    times = torch.tensor([1.0, 1.25, 2.5, 3.75])
    torch.testing.assert_close(field.offsets(cloud(), times).means[:, 0, 0], 0.1 * times * field.unit)


def test_nodes_are_placed_where_the_offsets_take_them() -> None:
    means = cloud(dtype=torch.float64)
    field = disturb(NodeConfig(nodes=12, neighbours=1).build(means, FRAMES, CANONICAL).double())
    some = torch.tensor([7, 2, 5])
    points, moved, turns = field.placed(some)
    assert torch.equal(points, field.nodes[some])
    field.rebind(points)
    offsets = field.offsets(points, torch.tensor([t for t in range(FRAMES) if t != CANONICAL]))
    torch.testing.assert_close(points + offsets.means, moved)
    torch.testing.assert_close(offsets.quats + turns.new_tensor([1.0, 0, 0, 0]), turns)


def test_farthest_points_cover_the_set() -> None:
    points = cloud()[15:]
    chosen = farthest_points(points, 40)
    assert len(chosen.unique()) == 40
    reach = torch.cdist(points, points[chosen]).amin(1).max()
    gaps = torch.cdist(points[chosen], points[chosen]) + 1e9 * torch.eye(40)
    assert float(reach) <= float(gaps.min()) + 1e-6
    assert len(farthest_points(points[:7], 40)) == 7


def test_a_network_draws_the_same_from_a_seed_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    one, two, other = (MlpConfig(width=8).build(cloud(), 4, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_the_network_is_smooth_through_the_canonical_time() -> None:
    field = disturb(MlpConfig(width=32, t_frequencies=3).build(cloud(), FRAMES, CANONICAL), 0.05)
    near = field.offsets(cloud(), torch.tensor([CANONICAL - 1e-3, CANONICAL + 1e-3])).means.detach()
    far = field.offsets(cloud(), torch.tensor([0.0, 5.0])).means.detach()
    assert 0 < float(near.abs().max()) < 0.02 * float(far.abs().max())


def test_the_example_of_the_page_runs(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[2] / "docs" / "deform.md"
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    assert (tmp_path / "field.safetensors").exists()


def on_both(name: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Offsets of a field and gradients of their squares, on the CPU and on the GPU."""
    found = []
    for device in ("cpu", "cuda"):
        means = cloud().to(device).requires_grad_()
        field = CONFIGS[name].build(cloud(), FRAMES, CANONICAL)
        disturb(field)
        field.to(device).rebind(means)
        offsets = field.offsets(means, torch.tensor([0.0, 2.0, 4.5]))
        sum(v.square().sum() for v in offsets).backward()
        found.append([v.detach().cpu() for v in (*offsets, means.grad, *(p.grad for p in field.parameters()))])
    return found[0], found[1]


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name in CONFIGS if "mlp" not in name])
def test_a_gpu_gives_the_same(name: str) -> None:
    ours, theirs = on_both(name)
    # What is the same at every time cancels, so that the gradient of the last bias is zero but for rounding.
    largest = max(float(v.abs().max()) for v in ours)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-3, atol=1e-3 * float(a.abs().max()) + 1e-8 * largest)


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name in CONFIGS if "mlp" in name])
def test_half_floats_hardly_change_what_a_network_learns_on_a_gpu(name: str) -> None:
    ours, theirs = on_both(name)
    for a, b in zip(ours[:3], theirs[:3], strict=True):
        assert float((b - a).norm() / a.norm()) < 5e-3, "offsets"
    a, b = (torch.cat([v.flatten() for v in grads[4:]]) for grads in (ours, theirs))
    assert float(torch.cosine_similarity(a, b, dim=0)) > 0.999, "gradients of the weights"


def test_picked_values_and_their_gradient_in_float64() -> None:
    rows = torch.randint(0, 7, (3000, 4))
    rows[rows == 5] = 6  # a row that nobody takes
    values = torch.rand(7, dtype=torch.float64, requires_grad=True)
    pattern, weights = Pattern.of(rows, 7), torch.rand(3000, 4, dtype=torch.float64)
    picked = pick(pattern, values)
    assert torch.equal(picked, values[rows])
    (fast,) = torch.autograd.grad((picked * weights).sum(), values)
    (slow,) = torch.autograd.grad((values[rows] * weights).sum(), values)
    assert torch.allclose(fast, slow, atol=1e-10)
    few = Pattern.of(rows[:5], 7)
    assert torch.autograd.gradcheck(lambda v: pick(few, v), values)


def test_combined_rows_and_their_gradients_in_float64() -> None:
    rows = torch.randint(0, 6, (40, 3))
    values, table = (torch.rand(s, dtype=torch.float64, requires_grad=True) for s in ((40, 3), (6, 5)))
    pattern = Pattern.of(rows, 6)
    assert torch.allclose(combine(pattern, values, table), (values[..., None] * table[rows]).sum(1))
    assert torch.autograd.gradcheck(lambda v, t: combine(pattern, v, t), (values, table))
