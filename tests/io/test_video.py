"""Clips: what is written comes back, odd files work, broken ones say why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image

from fourreal.core.errors import FieldError, VideoError
from fourreal.core.video import Video
from fourreal.io.video import (
    cover,
    crop,
    crop_box,
    frame_indices,
    read_video,
    resize,
    resize_frames,
    subsample,
    write_images,
    write_video,
)


def ffmpeg(*arguments: str | Path) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def smooth_clip(frames: int = 12, height: int = 72, width: int = 128, fps: float = 8.0) -> Video:
    t = torch.linspace(0, 1, frames)[:, None, None]
    y = torch.linspace(0, 1, height)[None, :, None]
    x = torch.linspace(0, 1, width)[None, None, :]
    waves = [torch.sin(6 * x + 4 * y + 3 * t), torch.cos(5 * x - 3 * y + 2 * t), torch.sin(4 * x * y + 5 * t)]
    return Video(torch.stack(waves, 1) * 0.4 + 0.5, fps)


def psnr(a: Video, b: Video) -> float:
    return float(-10 * (a.frames - b.frames).square().mean().log10())


def numbered_clip(path: Path, count: int, *options: str) -> Path:
    """A clip whose frame i is gray of level 10 * i."""
    source = f"color=black:s=64x48:r=10:d={count / 10},format=rgb24,geq=r=N*10:g=N*10:b=N*10"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-qp", "0", *options, path)
    return path


def levels(video: Video) -> list[int]:
    return [round(float(v) * 25.5) for v in video.frames.mean((1, 2, 3))]


class TestRoundTrip:
    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".m4v"])
    def test_a_smooth_clip_survives_with_its_size_count_and_rate(self, tmp_path, suffix):
        clip = smooth_clip(fps=24000 / 1001)
        write_video(tmp_path / f"clip{suffix}", clip)
        back = read_video(tmp_path / f"clip{suffix}")
        assert back.frames.shape == clip.frames.shape
        assert back.fps == pytest.approx(clip.fps, rel=1e-4)
        assert psnr(back, clip) >= 40

    def test_flat_colours_come_back_within_two_levels_of_255(self, tmp_path):
        colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0.2, 0.5, 0.7]])
        clip = Video(colours[:, :, None, None].repeat(1, 1, 32, 48))
        write_video(tmp_path / "flat.mp4", clip)
        assert (read_video(tmp_path / "flat.mp4").frames - clip.frames).abs().max() <= 2.5 / 255

    def test_lossless_444_is_within_the_rounding_of_colour_conversion(self, tmp_path):
        noise = Video(torch.rand(4, 3, 33, 47, generator=torch.Generator().manual_seed(0)))
        write_video(tmp_path / "noise.mp4", noise, crf=0, chroma="444")
        back = read_video(tmp_path / "noise.mp4")
        assert back.frames.shape == noise.frames.shape
        assert (back.frames - noise.frames).abs().max() <= 3 / 255

    def test_an_odd_size_is_padded_by_its_own_edge(self, tmp_path):
        clip = smooth_clip(height=45, width=63)
        write_video(tmp_path / "odd.mp4", clip)
        back = read_video(tmp_path / "odd.mp4")
        assert (back.height, back.width) == (46, 64)
        assert psnr(Video(back.frames[:, :, :45, :63]), clip) >= 38
        assert (back.frames[..., -1] - back.frames[..., -2]).abs().max() < 0.06

    def test_the_file_is_tagged_so_that_players_show_the_same_colours(self, tmp_path):
        write_video(tmp_path / "clip.mp4", smooth_clip())
        program = imageio_ffmpeg.get_ffmpeg_exe()
        shown = subprocess.run([program, "-i", tmp_path / "clip.mp4"], capture_output=True, check=False).stderr
        assert b"h264" in shown
        assert b"yuv420p(tv, bt709, " in shown  # matrix, primaries and transfer alike

    def test_gif_keeps_count_and_rate_and_loops(self, tmp_path):
        clip = smooth_clip(frames=16)
        write_video(tmp_path / "clip.gif", clip)
        back = read_video(tmp_path / "clip.gif")
        assert back.frames.shape == clip.frames.shape
        assert back.fps == pytest.approx(8, rel=0.01)
        assert psnr(back, clip) > 24
        with Image.open(tmp_path / "clip.gif") as picture:
            assert picture.info["loop"] == 0

    def test_a_folder_of_images_is_a_clip_in_natural_order(self, tmp_path):
        clip = smooth_clip(frames=12, height=9, width=14)
        assert [p.name for p in write_images(tmp_path, clip.frames)][:2] == ["000.png", "001.png"]
        back = read_video(tmp_path, fps=12.0)
        assert back.fps == 12
        assert (back.frames - clip.frames).abs().max() <= 0.5 / 255 + 1e-6
        for i, path in enumerate(sorted(tmp_path.iterdir())):
            path.rename(tmp_path / f"view{i}.png")
        (tmp_path / "notes.txt").write_text("not an image")
        (tmp_path / ".hidden.png").write_bytes(b"junk")
        assert torch.equal(read_video(tmp_path).frames, back.frames)  # view2 before view10
        assert read_video(tmp_path).fps == 8

    def test_an_interrupted_write_keeps_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "clip.mp4"
        write_video(path, smooth_clip(frames=2))
        before = path.read_bytes()

        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("fourreal.io.video.to_bytes", fail)
        with pytest.raises(KeyboardInterrupt):
            write_video(path, smooth_clip(frames=3))
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]

    def test_ffmpegs_own_failure_is_reported(self, tmp_path):
        with pytest.raises(VideoError, match=r"could not be written; ffmpeg says"):
            write_video(tmp_path / "thin.mp4", Video(torch.zeros(2, 3, 2, 20000)))

    def test_names_that_look_like_options_or_protocols_are_only_names(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in ("-i.mp4", "concat:a|b.mp4", "100%d.mp4", "a b'c.mp4"):
            write_video(name, smooth_clip(frames=2))
            assert len(read_video(name)) == 2


class TestUnusualClips:
    def test_ten_bits(self, tmp_path):
        source = "gradients=s=64x48:r=8:d=1"
        ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-pix_fmt", "yuv420p10le", tmp_path / "deep.mp4")
        assert read_video(tmp_path / "deep.mp4").frames.shape == (8, 3, 48, 64)

    @pytest.mark.parametrize(("name", "codec"), [("clip.webm", "libvpx-vp9"), ("odd.mkv", "ffv1")])
    def test_other_containers_and_odd_sizes(self, tmp_path, name, codec):
        ffmpeg("-f", "lavfi", "-i", "testsrc=s=65x47:r=8:d=1", "-c:v", codec, tmp_path / name)
        clip = read_video(tmp_path / name)
        assert clip.frames.shape == (8, 3, 47, 65)
        assert clip.fps == 8

    def test_a_rotated_phone_clip_is_upright(self, tmp_path):
        halves = "color=white:s=64x48:r=8:d=0.5[a];color=black:s=64x48:r=8:d=0.5[b];[a][b]hstack"
        ffmpeg("-f", "lavfi", "-i", halves, tmp_path / "flat.mp4")
        ffmpeg("-display_rotation", "90", "-i", tmp_path / "flat.mp4", "-c", "copy", tmp_path / "turned.mp4")
        clip = read_video(tmp_path / "turned.mp4")
        assert (clip.height, clip.width) == (128, 48)
        top, bottom = clip.frames[:, :, :60].mean(), clip.frames[:, :, 68:].mean()
        assert abs(float(top - bottom)) > 0.9  # left and right became top and bottom

    def test_pixels_that_are_not_square_are_made_so(self, tmp_path):
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=8:d=0.5,setsar=2/1", tmp_path / "wide.mp4")
        clip = read_video(tmp_path / "wide.mp4")
        assert (clip.height, clip.width) == (48, 128)

    def test_pixels_that_are_square_but_for_rounding_are_left_alone(self, tmp_path):
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x428:r=8:d=0.5,setsar=321/320", tmp_path / "near.mp4")
        assert read_video(tmp_path / "near.mp4").width == 640

    def test_a_varying_rate_keeps_every_frame_and_gets_the_average_rate(self, tmp_path):
        late = "testsrc2=s=64x48:r=30:d=1,setpts='if(lt(N,15),N/30,0.5+(N-15)/5)/TB'"
        ffmpeg("-f", "lavfi", "-i", late, "-fps_mode", "vfr", tmp_path / "vary.mp4")
        clip = read_video(tmp_path / "vary.mp4")
        assert len(clip) == 30
        assert clip.fps == 10  # 30 frames in the 3 s that the file states

    def test_full_range_and_bt601_are_converted_by_their_tags(self, tmp_path):
        plain = "color=0x336699:s=64x48:r=8:d=0.5,format=rgb24"
        colour = f"{plain},scale=out_color_matrix=bt601:out_range=pc,format=yuv444p"
        ffmpeg("-f", "lavfi", "-i", colour, "-c:v", "libx264", "-qp", "1", tmp_path / "full.mp4")
        middle = read_video(tmp_path / "full.mp4").frames[0, :, 24, 32] * 255
        assert torch.allclose(middle, torch.tensor([0x33, 0x66, 0x99]).float(), atol=2)

    def test_gif_with_transparency_and_its_own_delays(self, tmp_path):
        frames = [Image.new("RGBA", (8, 6), (0, 0, 255, 0)), Image.new("RGBA", (8, 6), (255, 0, 0, 255))]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[200, 300], disposal=2)
        clip = read_video(tmp_path / "a.gif")
        assert clip.fps == pytest.approx(4)
        assert clip.frames[0, :, 3, 3].tolist() == [0, 0, 0]
        assert clip.frames[1, :, 3, 3].tolist() == [1, 0, 0]

    def test_an_animated_webp_is_a_clip(self, tmp_path):
        frames = [Image.new("RGB", (16, 12), (60 * i, 0, 0)) for i in range(4)]
        frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=125, lossless=True)
        clip = read_video(tmp_path / "a.webp")
        assert clip.fps == pytest.approx(8)
        assert (clip.frames[:, 0, 0, 0] * 255).round().tolist() == [0, 60, 120, 180]


class TestSelection:
    def test_start_end_step_and_limit_while_reading(self, tmp_path):
        path = numbered_clip(tmp_path / "n.mp4", 20)
        assert levels(read_video(path)) == list(range(20))
        some = read_video(path, start=3, end=12, step=4)
        assert levels(some) == [3, 7, 11]
        assert some.fps == pytest.approx(10 / 4)
        assert levels(read_video(path, max_frames=3)) == [0, 1, 2]
        assert levels(read_video(path, start=16, step=2, max_frames=9)) == [16, 18]
        write_images(tmp_path / "images", read_video(path).frames)
        assert levels(read_video(tmp_path / "images", start=3, end=12, step=4)) == [3, 7, 11]

    def test_a_size_given_while_reading_is_resize_after_reading(self, tmp_path):
        write_video(tmp_path / "clip.mp4", smooth_clip())
        small = read_video(tmp_path / "clip.mp4", size=(18, 32))
        assert torch.allclose(small.frames, resize(read_video(tmp_path / "clip.mp4"), 18, 32).frames, atol=1e-6)

    def test_a_clip_too_large_for_memory_is_refused_before_it_fills_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr("fourreal.io.video._MAX_BYTES", 64 * 48 * 3 * 4 * 5)
        path = numbered_clip(tmp_path / "n.mp4", 20)
        with pytest.raises(VideoError, match=r"from frame 5 on; read it smaller \(size="):
            read_video(path)
        assert len(read_video(path, end=5)) == 5
        assert len(read_video(path, size=(24, 32))) == 20

    def test_evenly_spaced_frames_include_both_ends(self):
        assert frame_indices(10, count=4) == [0, 3, 6, 9]
        assert frame_indices(10, start=-5, count=3) == [5, 7, 9]
        assert frame_indices(10, count=1) == [0]
        assert frame_indices(10, start=2, end=-2, step=3) == [2, 5]

    def test_selection_keeps_the_speed_of_what_is_shown(self):
        clip = smooth_clip(frames=13)
        assert subsample(clip, step=3).fps == pytest.approx(8 / 3)
        assert subsample(clip, count=5).fps == pytest.approx(8 / 3)
        assert torch.equal(subsample(clip, count=5).frames, clip.frames[::3])

    @pytest.mark.parametrize(
        "options",
        [
            {"start": 10},
            {"start": 5, "end": 5},
            {"count": 11},
            {"count": 0},
            {"step": 0},
            {"count": 2, "step": 2},
        ],
    )
    def test_an_empty_or_impossible_selection_is_refused(self, options):
        with pytest.raises(FieldError):
            frame_indices(10, **options)


class TestSizes:
    def test_a_constant_stays_constant_and_a_ramp_a_ramp(self):
        ramp = ((torch.arange(64) + 0.5) / 64)[None, None, None].expand(2, 3, 8, 64).contiguous()
        small = resize_frames(ramp, 4, 16)
        assert torch.allclose(small[..., 2:-2], ((torch.arange(16) + 0.5) / 16)[2:-2].expand(2, 3, 4, 12), atol=1e-5)
        assert torch.allclose(resize_frames(torch.full((1, 3, 9, 9), 0.3), 5, 20), torch.tensor(0.3), atol=1e-6)

    def test_fine_stripes_become_gray_instead_of_aliasing(self):
        stripes = (torch.arange(64) % 2).float()[None, None, None].expand(1, 3, 64, 64).contiguous()
        inner = resize_frames(stripes, 64, 9)[..., 1:-1]
        assert (inner - 0.5).abs().max() < 0.05

    def test_overshoot_is_clamped(self):
        step = (torch.arange(8) > 3).float()[None, None, None].expand(1, 3, 8, 8).contiguous()
        large = resize_frames(step, 32, 32)
        assert large.min() == 0
        assert large.max() == 1

    def test_many_frames_are_resized_as_one_would_be(self):
        clip = smooth_clip(frames=19)
        assert torch.allclose(resize(clip, 30, 40).frames[17:18], resize_frames(clip.frames[17:18], 30, 40))

    def test_cropping_is_centred_and_keeps_the_aspect(self):
        assert crop_box(100, 200, 1.0) == (0, 50, 100, 100)
        assert crop_box(200, 100, 2.0) == (75, 0, 50, 100)
        clip = smooth_clip(height=40, width=100)
        assert torch.equal(crop(clip, 1.0).frames, clip.frames[..., 30:70])
        assert cover(clip, 16, 16).frames.shape[2:] == (16, 16)
        assert torch.equal(cover(clip, 40, 40).frames, crop(clip, 1.0).frames)
        with pytest.raises(FieldError, match="must be positive"):
            crop(clip, 0.0)


def make_truncated_header(path: Path) -> None:
    numbered_clip(path, 5)
    path.write_bytes(path.read_bytes()[:-400])


def make_truncated_data(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=2", "-movflags", "faststart", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def make_still(path: Path) -> None:
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=64x48",
        "-frames:v",
        "1",
        "-f",
        "image2",
        "-c:v",
        "png",
        "-update",
        "1",
        path,
    )


def make_sound(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", path)


def make_two_sizes(path: Path) -> None:
    write_images(path, torch.zeros(2, 3, 6, 8))
    Image.new("RGB", (8, 7)).save(path / "002.png")


def make_float_image(path: Path) -> None:
    path.mkdir()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(path / "0.tif")


BROKEN = {
    "missing": ("a.mp4", lambda _: None, "does not exist"),
    "empty file": ("a.mp4", lambda p: p.write_bytes(b""), "cannot be read as a clip"),
    "text": ("a.mp4", lambda p: p.write_text("hello"), "cannot be read as a clip"),
    "no index": ("a.mp4", make_truncated_header, "cannot be read as a clip"),
    "half the data": ("a.mp4", make_truncated_data, r"truncated after \d+ frames"),
    "png": ("a.png", make_still, "still image"),
    "png called mp4": ("a.mp4", make_still, "still image"),
    "sound": ("a.mp4", make_sound, "no video stream"),
    "suffix": ("a.avi", lambda p: p.write_bytes(b"x"), r"type '.avi'; wanted .mp4"),
    "empty folder": ("a", lambda p: p.mkdir(), "holds no images"),
    "two sizes": ("a", make_two_sizes, "frame 2 is 8x7, the first is 8x6"),
    "broken gif": ("a.gif", lambda p: p.write_bytes(b"GIF89a junk"), "truncated|not an image"),
    "float image": ("a", make_float_image, "floating point"),
}


class TestBrokenFiles:
    @pytest.mark.parametrize("case", BROKEN)
    def test_each_says_what_is_wrong(self, tmp_path, case):
        name, make, why = BROKEN[case]
        make(tmp_path / name)
        with pytest.raises(VideoError, match=why) as caught:
            read_video(tmp_path / name)
        assert name in str(caught.value)

    def test_a_start_behind_the_end_is_named(self, tmp_path):
        with pytest.raises(VideoError, match="no frames from 50 on"):
            read_video(numbered_clip(tmp_path / "n.mp4", 5), start=50)

    def test_the_undamaged_beginning_of_a_truncated_clip_can_be_read(self, tmp_path):
        make_truncated_data(tmp_path / "a.mp4")
        assert len(read_video(tmp_path / "a.mp4", end=5)) == 5

    @pytest.mark.parametrize("name", ["a.avi", "a.webm", "a", "a.png"])
    def test_an_unknown_suffix_is_not_written(self, tmp_path, name):
        with pytest.raises(VideoError, match="cannot write clips of type"):
            write_video(tmp_path / name, smooth_clip(frames=1))
        assert not list(tmp_path.iterdir())

    def test_quality_out_of_range(self, tmp_path):
        with pytest.raises(FieldError, match=r"crf must lie in \[0, 51\], got 60"):
            write_video(tmp_path / "a.mp4", smooth_clip(frames=1), crf=60)
