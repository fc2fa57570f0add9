"""Still images of every kind that Pillow opens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fourreal.core.errors import VideoError
from fourreal.io.images import list_images, read_image, write_image


def noise(height: int = 7, width: int = 11) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def test_png_is_exact_to_half_a_level(tmp_path):
    write_image(tmp_path / "a.png", noise())
    assert (read_image(tmp_path / "a.png") - noise()).abs().max() <= 0.5 / 255 + 1e-6


def test_jpeg_is_close_for_smooth_pictures(tmp_path):
    ramp = torch.linspace(0, 1, 64).expand(3, 48, 64)
    for name in ("a.jpg", "a.JPEG"):
        write_image(tmp_path / name, ramp)
        assert (read_image(tmp_path / name) - ramp).abs().max() < 0.03


def test_values_out_of_range_are_clamped_not_wrapped(tmp_path):
    write_image(tmp_path / "a.png", torch.tensor([-0.5, 0.5, 1.5])[:, None, None].expand(3, 2, 2))
    assert read_image(tmp_path / "a.png")[:, 0, 0].tolist() == pytest.approx([0, 128 / 255, 1])


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("L", 51, (0.2, 0.2, 0.2)),
        ("1", 1, (1, 1, 1)),
        ("RGBA", (255, 51, 0, 255), (1, 0.2, 0)),
        ("RGBA", (255, 255, 255, 51), (0.2, 0.2, 0.2)),
        ("LA", (255, 51), (0.2, 0.2, 0.2)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_other_modes_become_rgb_over_black(tmp_path, mode, value, expected):
    Image.new(mode, (3, 2), value).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 2, 3)
    assert image[:, 0, 0].tolist() == pytest.approx(expected)


def test_sixteen_bits_of_gray_are_scaled_not_cut(tmp_path):
    values = np.array([[0, 257 * 100, 257 * 100 + 200, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert (read_image(tmp_path / "deep.png")[0] * 255).round().tolist() == [[0, 100, 101, 255]]


def test_cmyk_jpeg_opens(tmp_path):
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").min() > 0.98


def test_a_photo_held_sideways_is_turned_upright(tmp_path):
    picture = Image.new("RGB", (6, 4))
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (3, 6, 4)


def test_names_are_sorted_as_people_count(tmp_path):
    for name in ("f10.png", "f9.png", "f1.jpg", "F2.PNG", "10.png", "a.png"):
        (tmp_path / name).touch()
    assert [p.name for p in list_images(tmp_path)] == [
        "10.png",
        "a.png",
        "f1.jpg",
        "F2.PNG",
        "f9.png",
        "f10.png",
    ]


def test_what_is_no_image_says_so(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(VideoError, match="not an image"):
        read_image(tmp_path / "a.png")
    with pytest.raises(VideoError, match="does not exist"):
        read_image(tmp_path / "b.png")
    with pytest.raises(VideoError, match=r"type '.webp'; use .png"):
        write_image(tmp_path / "b.webp", noise())
    write_image(tmp_path / "whole.png", noise(40, 40))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:800])
    with pytest.raises(VideoError, match="truncated"):
        read_image(tmp_path / "cut.png")


def test_a_picture_of_absurd_size_is_refused(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", noise(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(VideoError, match="too large"):
        read_image(tmp_path / "a.png")
