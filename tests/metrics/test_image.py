"""PSNR and SSIM agree with an independent implementation and behave at their extremes."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from fourreal.metrics import psnr, ssim


def smooth_pair(height: int = 40, width: int = 56, noise: float = 0.05) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 5, width)[None]
    truth = torch.stack([(rows + columns).sin(), (rows * columns).cos(), rows - columns]) * 0.15 + 0.5
    return truth[None], (truth + noise * torch.randn_like(truth)).clamp(0, 1)[None]


@pytest.mark.parametrize("noise", [0.01, 0.1, 0.4])
def test_psnr_and_ssim_agree_with_scikit_image(noise: float) -> None:
    truth, image = smooth_pair(noise=noise)
    a, b = truth[0].permute(1, 2, 0).numpy(), image[0].permute(1, 2, 0).numpy()
    assert float(psnr(image, truth)) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1.0), abs=1e-3)
    # The two pad the border differently, but where the images agree the similarity is 1 under any padding.
    image[:, :, :12], image[:, :, -12:], image[..., :12], image[..., -12:] = (
        truth[:, :, :12],
        truth[:, :, -12:],
        truth[..., :12],
        truth[..., -12:],
    )
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    b = image[0].permute(1, 2, 0).numpy()
    wanted = structural_similarity(a, b, channel_axis=2, full=True, **options)[1].mean()
    assert float(ssim(image, truth)) == pytest.approx(wanted, abs=1e-4)


def test_identical_images_are_perfect() -> None:
    truth, _ = smooth_pair()
    assert math.isinf(float(psnr(truth, truth)))
    assert float(ssim(truth, truth)) == pytest.approx(1.0, abs=1e-6)


def test_each_image_of_a_batch_is_judged_alone() -> None:
    truth, noisy = smooth_pair()
    both = ssim(torch.cat([truth, noisy]), torch.cat([truth, truth]))
    assert float(both[0]) == pytest.approx(1.0, abs=1e-6)
    assert float(both[1]) == pytest.approx(float(ssim(noisy, truth)), abs=1e-6)


def test_ssim_gradient_in_float64() -> None:
    image = torch.rand(1, 2, 12, 13, dtype=torch.float64, requires_grad=True)
    truth = torch.rand(1, 2, 12, 13, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ssim(x, truth), image)


@pytest.mark.parametrize("shape", [(2, 3, 9, 40), (1, 1, 30, 7), (3, 2, 4, 3)])
def test_kernel_equals_the_matrix_products(shape: tuple[int, ...]) -> None:
    image, truth = (torch.rand(shape, dtype=torch.float64, requires_grad=True) for _ in range(2))
    weights = torch.rand(shape[0], dtype=torch.float64)
    (slow,) = torch.autograd.grad((ssim(image, truth) * weights).sum(), image)  # truth wants a gradient: torch's way
    (fast,) = torch.autograd.grad((ssim(image, truth.detach()) * weights).sum(), image)
    assert torch.allclose(ssim(image, truth), ssim(image, truth.detach()), atol=1e-12)
    assert torch.allclose(slow, fast, atol=1e-12)


def test_kernel_in_float32_and_without_a_gradient() -> None:
    truth, image = smooth_pair(144, 256)
    exact = ssim(image.double(), truth.double())
    assert torch.allclose(ssim(image, truth).double(), exact, atol=2e-5)
    assert not ssim(image, truth).requires_grad
