"""The algebra of rotations and rigid motions, by its axioms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fourreal.core.cameras import Cameras
from fourreal.core.errors import FieldError
from fourreal.core.geometry import (
    align_cameras,
    align_points,
    knn,
    knn_by_distance,
    look_at,
    matrix_to_quat,
    quat_conjugate,
    quat_exp,
    quat_log,
    quat_multiply,
    quat_normalize,
    quat_to_matrix,
    rigid,
    rigid_inverse,
    se3_exp,
    se3_log,
    slerp,
)

IDENTITY = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
AXIOMS = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**31)
dtypes = st.sampled_from([torch.float32, torch.float64])
# Angles where the formulas change branch or lose digits, and anything between.
angles = st.one_of(
    st.sampled_from([0.0, 1e-12, 1e-7, 1e-4, 0.0999, 0.1001, 1.0, math.pi - 1e-3, math.pi - 1e-7, math.pi]),
    st.floats(0, math.pi),
)


def draw(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def draw_quats(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return quat_normalize(draw(seed, *shape, 4, dtype=dtype))


def rotation_vector(seed: int, angle: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.nn.functional.normalize(draw(seed, 3), dim=0).to(dtype) * angle


def close(a: Tensor, b: Tensor, factor: float = 40.0) -> bool:
    return bool((a - b).abs().max() <= factor * torch.finfo(a.dtype).eps * max(1.0, float(b.abs().max())))


def same_rotation(a: Tensor, b: Tensor, factor: float = 40.0) -> bool:
    return close((a * b).sum(-1).abs(), torch.ones_like(a[..., 0]), factor)


class TestQuaternionsFormAGroup:
    @AXIOMS
    @given(seeds, dtypes)
    def test_closed_associative_with_identity_and_inverse(self, seed, dtype):
        a, b, c = draw_quats(seed, 3, 5, dtype=dtype)
        one = IDENTITY.to(dtype).expand(5, 4)
        assert close(quat_multiply(a, b).norm(dim=-1), torch.ones(5, dtype=dtype))
        assert close(quat_multiply(quat_multiply(a, b), c), quat_multiply(a, quat_multiply(b, c)))
        assert close(quat_multiply(a, one), a)
        assert close(quat_multiply(one, a), a)
        assert close(quat_multiply(a, quat_conjugate(a)), one)

    @AXIOMS
    @given(seeds, dtypes)
    def test_the_product_is_composition(self, seed, dtype):
        a, b = draw_quats(seed, 2, 5, dtype=dtype)
        assert close(quat_to_matrix(quat_multiply(a, b)), quat_to_matrix(a) @ quat_to_matrix(b))

    @AXIOMS
    @given(seeds, dtypes)
    def test_matrices_are_rotations_whatever_the_norm(self, seed, dtype):
        matrices = quat_to_matrix(draw(seed, 7, 4, dtype=dtype) * 3)
        assert close(matrices @ matrices.mT, torch.eye(3, dtype=dtype).expand(7, 3, 3))
        assert close(torch.linalg.det(matrices), torch.ones(7, dtype=dtype))

    def test_known_rotation_a_quarter_turn_about_z_takes_x_to_y(self):
        half = math.sqrt(0.5)
        x = torch.tensor([1.0, 0.0, 0.0])
        turned = quat_to_matrix(torch.tensor([half, 0.0, 0.0, half])) @ x
        assert torch.allclose(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)

    @AXIOMS
    @given(seeds, angles, dtypes)
    def test_to_matrix_and_back_also_half_a_turn_away(self, seed, angle, dtype):
        quat = quat_exp(rotation_vector(seed, angle, dtype))
        back = matrix_to_quat(quat_to_matrix(quat))
        assert back[0] >= 0
        assert same_rotation(back, quat)

    def test_half_turns_about_the_axes_survive_the_matrix(self):
        for axis in range(3):
            matrix = -torch.eye(3)
            matrix[axis, axis] = 1
            assert torch.equal(quat_to_matrix(matrix_to_quat(matrix)), matrix)

    def test_a_zero_quaternion_gives_finite_values_and_gradients(self):
        zero = torch.zeros(4, requires_grad=True)
        quat_normalize(zero).sum().backward()
        assert zero.grad is not None
        assert torch.isfinite(zero.grad).all()


class TestSlerp:
    @AXIOMS
    @given(seeds, dtypes)
    def test_starts_and_ends_exactly_and_stays_on_the_sphere(self, seed, dtype):
        a, b = draw_quats(seed, 2, 6, dtype=dtype)
        assert same_rotation(slerp(a, b, 0.0), a)
        assert same_rotation(slerp(a, b, 1.0), b)
        middle = slerp(a, b, torch.linspace(0, 1, 6, dtype=dtype))
        assert close(middle.norm(dim=-1), torch.ones(6, dtype=dtype))

    @AXIOMS
    @given(seeds)
    def test_constant_angular_speed_along_the_shorter_arc(self, seed):
        a, b = draw_quats(seed, 2)
        path = slerp(a.expand(11, 4), b.expand(11, 4), torch.linspace(0, 1, 11, dtype=torch.float64))
        steps = quat_log(quat_multiply(quat_conjugate(path[:-1]), path[1:])).norm(dim=-1)
        whole = quat_log(quat_multiply(quat_conjugate(a), b)).norm()
        assert whole <= math.pi + 1e-12
        assert torch.allclose(steps, whole / 10, atol=1e-12)

    def test_the_sign_of_a_quaternion_does_not_matter(self):
        a, b = draw_quats(3, 2)
        assert same_rotation(slerp(a, b, 0.3), slerp(a, -b, 0.3))

    def test_equal_ends_have_finite_gradients(self):
        a = draw_quats(5).requires_grad_()
        slerp(a, a.detach().clone(), 0.5).sum().backward()
        assert a.grad is not None
        assert torch.isfinite(a.grad).all()


class TestTwists:
    @pytest.mark.parametrize("angle", [1e-12, 1e-6, 9e-5, 1.1e-4, 0.5])
    def test_small_rotations_keep_their_relative_precision(self, angle):
        vector = torch.tensor([angle, 0.0, 0.0], dtype=torch.float64)
        assert float(quat_exp(vector)[1]) == pytest.approx(math.sin(angle / 2), rel=1e-14)
        assert float(quat_log(quat_exp(vector))[0]) == pytest.approx(angle, rel=1e-14)

    @AXIOMS
    @given(seeds, angles, dtypes)
    def test_rotation_log_undoes_exp(self, seed, angle, dtype):
        vector = rotation_vector(seed, angle, dtype)
        back = quat_log(quat_exp(vector))
        # At half a turn both directions of the axis are right.
        assert close(back, vector) or (angle > 3.1 and close(back, -vector, 1e4))

    @AXIOMS
    @given(seeds, angles, dtypes)
    def test_exp_undoes_log(self, seed, angle, dtype):
        motion = rigid(quat_to_matrix(quat_exp(rotation_vector(seed, angle, dtype))), draw(seed + 1, 3, dtype=dtype))
        assert close(se3_exp(se3_log(motion)), motion, 200)

    @AXIOMS
    @given(seeds, st.floats(0, 3.0), dtypes)
    def test_log_undoes_exp(self, seed, angle, dtype):
        twist = torch.cat([draw(seed + 1, 3, dtype=dtype), rotation_vector(seed, angle, dtype)])
        assert close(se3_log(se3_exp(twist)), twist, 400)

    @AXIOMS
    @given(seeds, dtypes)
    def test_exp_is_rigid_and_minus_is_the_inverse(self, seed, dtype):
        twists = draw(seed, 4, 6, dtype=dtype)
        motions = se3_exp(twists)
        eye = torch.eye(4, dtype=dtype).expand(4, 4, 4)
        assert close(motions @ se3_exp(-twists), eye, 200)
        assert close(rigid_inverse(motions) @ motions, eye, 200)
        assert close(motions[:, :3, :3] @ motions[:, :3, :3].mT, eye[:, :3, :3])
        assert torch.equal(motions[:, 3], eye[:, 3])

    @AXIOMS
    @given(seeds, st.floats(-2, 2), st.floats(-2, 2))
    def test_one_parameter_subgroup(self, seed, s, t):
        twist = draw(seed, 6)
        assert close(se3_exp(s * twist) @ se3_exp(t * twist), se3_exp((s + t) * twist), 1000)

    @AXIOMS
    @given(seeds)
    def test_exp_is_the_matrix_exponential(self, seed):
        twist = draw(seed, 6)
        rho, (x, y, z) = twist[:3], twist[3:].tolist()
        generator = torch.zeros(4, 4, dtype=torch.float64)
        generator[:3, :3] = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
        generator[:3, 3] = rho
        assert close(se3_exp(twist), torch.linalg.matrix_exp(generator), 1000)

    def test_the_series_and_the_closed_form_meet_where_they_change_over(self):
        direction = rotation_vector(1, 1.0)
        rho = draw(2, 3)
        below, above = (se3_exp(torch.cat([rho, direction * a])) for a in (0.1 - 1e-14, 0.1 + 1e-14))
        assert (below - above).abs().max() < 1e-13
        below, above = (se3_log(se3_exp(torch.cat([rho, direction * a]))) for a in (0.1 - 1e-14, 0.1 + 1e-14))
        assert (below - above).abs().max() < 1e-13

    @pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-5, 0.05, 0.0999, 0.2, 1.5, 3.0, 3.1415])
    def test_gradients_agree_with_finite_differences(self, angle):
        twist = torch.cat([draw(4, 3), rotation_vector(7, angle)]).requires_grad_()
        assert torch.autograd.gradcheck(se3_exp, twist)
        if angle < 3.1:  # beyond half a turn the logarithm jumps
            assert torch.autograd.gradcheck(lambda t: se3_log(se3_exp(t)), twist)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_gradients_at_zero_are_the_identity(self, dtype):
        jacobian = torch.autograd.functional.jacobian(lambda t: se3_log(se3_exp(t)), torch.zeros(6, dtype=dtype))
        assert isinstance(jacobian, Tensor)
        assert close(jacobian, torch.eye(6, dtype=dtype))

    def test_any_batch_shape(self):
        twists = draw(0, 2, 3, 6)
        assert se3_exp(twists).shape == (2, 3, 4, 4)
        assert torch.equal(se3_exp(twists)[1, 2], se3_exp(twists[1, 2]))
        assert se3_log(se3_exp(twists[:0])).shape == (0, 3, 6)


class TestLookAt:
    @AXIOMS
    @given(seeds, dtypes)
    def test_target_in_the_centre_eye_at_the_origin_up_upwards(self, seed, dtype):
        eyes, targets, up = draw(seed, 3, 5, 3, dtype=dtype)
        views = look_at(eyes, targets, up)
        rotation, shift = views[:, :3, :3], views[:, :3, 3]
        assert close(rotation @ rotation.mT, torch.eye(3, dtype=dtype).expand(5, 3, 3))
        assert close(torch.linalg.det(rotation), torch.ones(5, dtype=dtype))
        seen = (rotation @ targets[..., None])[..., 0] + shift
        distance = (targets - eyes).norm(dim=-1)
        assert close(seen, torch.stack([distance * 0, distance * 0, distance], -1), 400)
        assert close((rotation @ eyes[..., None])[..., 0] + shift, torch.zeros(5, 3, dtype=dtype), 400)
        up_in_camera = (rotation @ up[..., None])[..., 0]
        assert close(up_in_camera[:, 0], torch.zeros(5, dtype=dtype), 400)
        assert (up_in_camera[:, 1] < 0).all()  # y points down

    def test_one_up_serves_many_eyes(self):
        up = torch.tensor([0.0, 0.0, 1.0])
        assert look_at(torch.randn(4, 3) + 9, torch.zeros(3), up).shape == (4, 4, 4)

    @pytest.mark.parametrize(
        ("eye", "up", "why"),
        [
            ([0.0, 0.0, 0.0], [0.0, 0.0, 1.0], "coincides"),
            ([0.0, 0.0, 5.0], [0.0, 0.0, 1.0], "parallel"),
            ([0.0, 0.0, -5.0], [0.0, 0.0, 2.0], "parallel"),
            ([1.0, 0.0, 0.0], [0.0, 0.0, 0.0], "is zero"),
        ],
    )
    def test_degenerate_views_are_refused_with_the_reason(self, eye, up, why):
        with pytest.raises(FieldError, match=why):
            look_at(torch.tensor(eye), torch.zeros(3), torch.tensor(up))


class TestNeighbours:
    @AXIOMS
    @given(seeds, st.integers(2, 40), st.integers(1, 8))
    def test_agrees_with_brute_force(self, seed, count, k):
        k = min(k, count - 1)
        points = draw(seed, count, 3, dtype=torch.float32)
        distances, indices = knn(points, k)
        full = torch.cdist(points.double(), points.double()).fill_diagonal_(math.inf)
        expected = full.sort(dim=1).values[:, :k]
        assert torch.allclose(distances.double(), expected, rtol=1e-6)
        assert torch.allclose(full.gather(1, indices), expected, rtol=1e-6)

    def test_duplicates_are_neighbours_but_a_point_is_not_its_own(self):
        points = torch.zeros(6, 3)
        distances, indices = knn(points, 3)
        assert (distances == 0).all()
        assert (indices != torch.arange(6)[:, None]).all()
        assert all(len(set(row)) == 3 for row in indices.tolist())

    def test_neighbours_of_some_rows_are_those_rows_of_all(self):
        points, rows = draw(3, 50, 3, dtype=torch.float32), torch.tensor([7, 3, 49])
        for found, whole in zip(knn(points, 4, rows), knn(points, 4), strict=True):
            assert torch.equal(found, whole[rows])

    @pytest.mark.parametrize("count", [12, 700])
    def test_all_distances_find_what_a_tree_finds_also_far_out(self, count, monkeypatch):
        monkeypatch.setattr("fourreal.core.geometry._DISTANCES", 5 * count)  # five rows at a time
        points = draw(5, count, 3, dtype=torch.float32) + 3
        points[: count // 4] *= 300  # a sky
        rows = torch.arange(0, count, 3)
        distances, indices = knn_by_distance(points, 5, rows)
        expected = knn(points, 5, rows)[0]
        torch.testing.assert_close(distances, expected, rtol=1e-3, atol=0)
        assert (indices != rows[:, None]).all()
        torch.testing.assert_close((points[indices] - points[rows][:, None]).norm(dim=-1), distances)

    @pytest.mark.gpu
    def test_a_gpu_finds_the_same(self):
        points, rows = draw(5, 5000, 3, dtype=torch.float32), torch.arange(0, 5000, 7)
        ours, theirs = knn(points, 8, rows), knn(points.cuda(), 8, rows.cuda())
        torch.testing.assert_close(theirs[0].cpu(), ours[0], rtol=1e-4, atol=1e-5)
        assert (theirs[1].cpu() == ours[1]).float().mean() > 0.99

    @pytest.mark.parametrize(("count", "k"), [(3, 3), (3, 0), (1, 1), (0, 1)])
    def test_too_many_neighbours_are_refused(self, count, k):
        with pytest.raises(FieldError, match=f"got {k}"):
            knn(torch.zeros(count, 3), k)


def draw_cameras(seed: int, count: int) -> Cameras:
    views = rigid(quat_to_matrix(draw_quats(seed, count)), draw(seed + 1, count, 3)).float()
    Ks = torch.tensor([[50.0, 0, 16], [0, 50, 9], [0, 0, 1]]).expand(count, 3, 3)
    return Cameras(views, Ks, 32, 18, torch.arange(float(count)))


class TestAlignment:
    @AXIOMS
    @given(seeds, st.floats(0.1, 10.0))
    def test_finds_the_similarity_that_made_the_points(self, seed, scale):
        points, rotation, shift = draw(seed, 12, 3), quat_to_matrix(draw_quats(seed + 1)), draw(seed + 2, 3)
        found = align_points(points, scale * points @ rotation.T + shift)
        assert close(found.rotation, rotation, 1e4)
        assert float(found.scale) == pytest.approx(scale, rel=1e-9)
        assert close(found.shift, shift, 1e5)

    @AXIOMS
    @given(seeds)
    def test_a_mirrored_cloud_still_gets_a_rotation_and_the_best_one(self, seed):
        points = draw(seed, 12, 3)
        target = points * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
        found = align_points(points, target, with_scale=False)
        assert float(torch.linalg.det(found.rotation)) == pytest.approx(1.0)
        assert float(found.scale) == 1.0
        error = (found.apply(points) - target).square().sum()
        for other in quat_to_matrix(draw_quats(seed + 1, 50)):
            centred = points - points.mean(0)
            assert error <= ((centred @ other.T) + target.mean(0) - target).square().sum() + 1e-9

    @AXIOMS
    @given(seeds)
    def test_no_small_change_fits_noisy_points_better(self, seed):
        points, target = draw(seed, 10, 3), draw(seed, 10, 3) * 2 + 0.3 * draw(seed + 1, 10, 3)
        found = align_points(points, target)
        error = (found.apply(points) - target).square().sum()
        for nudge in 1e-3 * draw(seed + 2, 20, 7):
            turned = found._replace(
                scale=found.scale * (1 + nudge[0]),
                rotation=quat_to_matrix(quat_exp(nudge[1:4])) @ found.rotation,
                shift=found.shift + nudge[4:],
            )
            assert error <= (turned.apply(points) - target).square().sum() + 1e-12

    @AXIOMS
    @given(seeds, st.sampled_from([1, 2, 3, 8]))
    def test_cameras_move_with_their_world(self, seed, count):
        cameras = draw_cameras(seed, count)
        truth = align_points(draw(seed + 3, 4, 3), draw(seed + 3, 4, 3) @ quat_to_matrix(draw_quats(seed + 4)).T)
        truth = truth._replace(scale=truth.scale * 2.5, shift=draw(seed + 5, 3))
        moved = truth.apply_cameras(cameras)
        assert torch.allclose(moved.positions.double(), truth.apply(cameras.positions.double()), atol=1e-4)
        found = align_cameras(cameras, moved)
        aligned = found.apply_cameras(cameras)
        assert torch.allclose(aligned.positions, moved.positions, atol=2e-4)
        assert torch.allclose(aligned.viewmats[:, :3, :3], moved.viewmats[:, :3, :3], atol=2e-4)
        assert torch.equal(aligned.moments, cameras.moments)
        point = draw(seed + 6, 3).float()
        before = cameras.viewmats[:, :3, :3] @ point + cameras.viewmats[:, :3, 3]
        after = moved.viewmats[:, :3, :3] @ truth.apply(point.double()).float() + moved.viewmats[:, :3, 3]
        assert torch.allclose(after, 2.5 * before, atol=1e-3)  # the same picture, at another scale

    def test_centres_on_a_line_take_the_rotation_from_the_orientations(self):
        cameras = draw_cameras(0, 5)
        line = torch.arange(5.0)[:, None] * torch.tensor([1.0, 2.0, 0.5])
        rotations = cameras.viewmats[:, :3, :3]
        straight = Cameras(rigid(rotations, -(rotations @ line[..., None])[..., 0]), cameras.Ks, 32, 18)
        turn = quat_to_matrix(torch.tensor([0.9, 0.1, -0.3, 0.2]))
        turned = Cameras(rigid(rotations @ turn.T, straight.viewmats[:, :3, 3]), cameras.Ks, 32, 18)
        assert torch.allclose(align_cameras(straight, turned).rotation, turn, atol=1e-5)

    def test_too_little_to_go_by_is_refused(self):
        with pytest.raises(FieldError, match="at least 3"):
            align_points(torch.randn(2, 3), torch.randn(2, 3))
        with pytest.raises(FieldError, match="on one line"):
            align_points(torch.arange(5.0)[:, None] * torch.ones(3), torch.randn(5, 3))
        with pytest.raises(FieldError, match="got 2 and 3"):
            align_cameras(draw_cameras(0, 2), draw_cameras(0, 3))
