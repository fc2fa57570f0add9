"""The ffmpeg program behind clips: probing, decoding to raw frames, encoding from raw frames.

The program is the one that imageio-ffmpeg bundles (or the one named by its IMAGEIO_FFMPEG_EXE). It runs as
a child process; frames go through pipes, so nothing of it is linked into this package.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import UInt8

from fourreal.core.errors import MissingDependencyError, VideoError

# Accurate colour conversion: the default is fast, and off by up to 2 of 255.
_SCALE = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_BT709 = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
_NEARLY_SQUARE = 0.02  # pixel aspects this near 1 come from rounded sizes; resampling would only blur
_STILL_DEMUXERS = r"Input #0, (image2|\w+_pipe)"


class ClipInfo(NamedTuple):
    """What a clip's frames look like when decoded: upright and with square pixels."""

    width: int
    height: int
    fps: Fraction


def probe(path: Path) -> ClipInfo:
    """Size and rate of the first video stream, found by decoding its first frame.

    Raises `VideoError` if the file is no clip: damaged, without video, a still image, or empty.
    """
    arguments = ["-i", _url(path), "-map", "0:V:0", "-frames:v", "1", "-pix_fmt", "yuv420p"]
    command = [*_program("info"), *arguments, "-strict", "-1", "-f", "yuv4mpegpipe", "-"]
    result = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    log = result.stderr.decode("utf-8", "replace")
    if re.search(_STILL_DEMUXERS, log):
        raise VideoError(f"{path} is a still image, wanted a clip; a folder of images can be read as one")
    if "matches no streams" in log:
        raise VideoError(f"{path} has no video stream (sound only?), wanted a clip")
    header = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+) \w+(?: A(\d+):(\d+))?", result.stdout)
    if header is None:
        raise VideoError(f"{path} cannot be read as a clip, is it whole? ffmpeg says: {_complaint(log)}")
    width, height, above, below, across, down = (int(n or 1) for n in header.groups())
    if across and down and abs(across / down - 1) > _NEARLY_SQUARE:
        width = max(1, round(width * across / down))
    return ClipInfo(width, height, _rate(Fraction(above, max(below, 1)), log))


def _rate(listed: Fraction, log: str) -> Fraction:
    """The stream's rate; for a varying rate, where ffmpeg lists the finest, the average instead.

    The average of a short clip is off by up to a frame's time, so it only replaces what is far from it.
    """
    match = re.search(r"Stream #.*Video:.*?([\d.]+) fps", log)
    average = Fraction(match[1]) if match else listed
    usable = listed if average == 0 or abs(listed / average - 1) < Fraction(1, 10) else average
    if usable <= 0:
        raise VideoError("the clip states no frame rate; give fps")
    return usable


def decode(
    path: Path, info: ClipInfo, *, start: int = 0, end: int | None = None, step: int = 1
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Yield the frames start, start + step, ... below `end` as RGB bytes, one at a time.

    Frames are counted as stored (none is repeated or dropped to even out a varying rate). Raises
    `VideoError` if the file turns out to be damaged on the way.
    """
    last = "" if end is None else f"*lt(n,{end})"
    filters = f"select='gte(n,{start})*not(mod(n-{start},{step})){last}',scale={info.width}:{info.height}:{_SCALE}"
    arguments = ["-i", _url(path), "-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough"]
    if end is not None:
        arguments += ["-frames:v", str(len(range(start, end, step)))]
    command = [*_program("error"), "-xerror", *arguments, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    size = info.width * info.height * 3
    count = 0
    with _running(command, reading=True) as (process, log):
        assert process.stdout is not None
        while len(data := process.stdout.read(size)) == size:
            count += 1
            yield np.frombuffer(data, np.uint8).reshape(info.height, info.width, 3)
        if process.wait() != 0 or data:
            why = _complaint(_text(log))
            raise VideoError(f"{path} is damaged or truncated after {count} frames; ffmpeg says: {why}")


def encode(path: Path, frames: Iterable[UInt8[np.ndarray, "H W 3"]], fps: float, options: Sequence[str]) -> None:
    """Encode RGB frames of one size into `path`; raises `VideoError` with ffmpeg's reason if that fails."""
    stream = iter(frames)
    first = next(stream)
    height, width = first.shape[:2]
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    rate = str(Fraction(fps).limit_denominator(1001))
    command = [*_program("error"), "-y", *source, "-r", rate, "-i", "pipe:0", *options, _url(path)]
    with _running(command, reading=False) as (process, log):
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # ffmpeg gave up: its exit status and log say why
            process.stdin.write(first.data)
            for frame in stream:
                process.stdin.write(frame.data)
            process.stdin.close()
        if process.wait() != 0:
            raise VideoError(f"{path} could not be written; ffmpeg says: {_complaint(_text(log))}")


def h264_options(crf: int, chroma: str) -> list[str]:
    """Output options for H.264: BT.709 (tagged), `chroma` "420" or "444", index at the front for browsers."""
    # `scale` converts, `setparams` tells players: ffmpeg 9 takes tags from the frames, not from output options.
    convert = f"scale=out_color_matrix=bt709:out_range=tv:{_SCALE},format=yuv{chroma}p,{_BT709}"
    return ["-vf", convert, "-c:v", "libx264", "-crf", str(crf), "-movflags", "+faststart"]


def gif_options() -> list[str]:
    """Output options for an endlessly looping GIF with one palette made from all frames."""
    graph = "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a"
    return ["-filter_complex", graph, "-loop", "0"]


def _program(level: str) -> list[str]:
    import imageio_ffmpeg

    try:
        program = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise MissingDependencyError(f"no ffmpeg program: {error}. Run: pip install imageio-ffmpeg") from None
    return [program, "-hide_banner", "-nostats", "-v", level]


def _url(path: Path) -> str:
    return f"file:{path.absolute()}"  # else ffmpeg takes names such as "-i" or "concat:a|b" for something else


@contextlib.contextmanager
def _running(command: list[str], *, reading: bool) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run ffmpeg with one pipe; however the block ends, the process is gone and its pipes are closed."""
    stdin = subprocess.DEVNULL if reading else subprocess.PIPE
    stdout = subprocess.PIPE if reading else subprocess.DEVNULL
    with tempfile.TemporaryFile() as log:  # a pipe would block ffmpeg when full
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=log, start_new_session=True)
        try:
            yield process, log
        finally:
            process.kill()  # harmless if it has ended
            with contextlib.suppress(BrokenPipeError):
                process.communicate()


def _text(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode("utf-8", "replace")


def _complaint(log: str) -> str:
    """The first line of a log that names an error, without addresses."""
    lines = [re.sub(r" @ 0x[0-9a-f]+", "", line).strip() for line in log.splitlines()]
    words = r"(?i)error|invalid|not found|partial|corrupt|could not|no such"
    telling = [line for line in lines if re.search(words, line)]
    return (telling or lines or ["(nothing)"])[0]
