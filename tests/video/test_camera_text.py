"""Camera moves in words."""

from __future__ import annotations

import contextlib
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourreal.video import FrameCountError, UnsupportedConditionError
from fourreal.video.camera_text import parse_camera

WORDS = ["orbit", "rise", "lower", "dolly", "in", "out", "left", "static", "and", ",", "90", "0", "1.5", "x", "%", "°"]


def end(text: str, frames: int = 16) -> tuple[float, float, float]:
    """Azimuth and elevation in degrees and factor on the distance at the last frame."""
    azimuth, elevation, distance = parse_camera(text, frames).values[-1].tolist()
    return math.degrees(azimuth), math.degrees(elevation), math.exp(distance)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orbit 90 right", (90, 0, 1)),
        ("orbit 45 left", (-45, 0, 1)),
        ("orbit 360", (360, 0, 1)),
        ("rise 20", (0, 20, 1)),
        ("lower 10", (0, -10, 1)),
        ("dolly in 30 %", (0, 0, 0.7)),
        ("dolly in 75%", (0, 0, 0.25)),
        ("dolly out 30 percent", (0, 0, 1.3)),
        ("dolly out 1.5x", (0, 0, 1.5)),
        ("dolly in 2 times", (0, 0, 0.5)),
        ("static", (0, 0, 1)),
        ("orbit 90 right, rise 10", (90, 10, 1)),
        ("orbit 90 right and rise 10", (90, 10, 1)),
        ("dolly out 4x, and lower 5, orbit 10 left", (-10, -5, 4)),
        ("  ORBIT  90°\tRight ,", (90, 0, 1)),
        ("orbit 90 ° to the right", (90, 0, 1)),
        ("Orbit 22.5 Degrees left", (-22.5, 0, 1)),
        ("orbit 90deg right", (90, 0, 1)),
        ("orbit 90right", (90, 0, 1)),
        ("orbit left 45 deg", (-45, 0, 1)),
        ("rise by 1 degree", (0, 1, 1)),
        ("rise 0", (0, 0, 1)),
    ],
)
def test_phrases(text: str, expected: tuple[float, float, float]) -> None:
    assert end(text) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fly to the moon", "fly to the moon"),
        ("orbit 90 right, pirouette", "pirouette"),
        ("orbit", "orbit"),
        ("orbit right", "orbit right"),
        ("orbit -90", "orbit -90"),
        ("orbit 90 up", "orbit 90 up"),
        ("orbit 9 0", "orbit 9 0"),
        ("rise twenty", "rise twenty"),
        ("dolly in 30", "dolly in 30"),
        ("dolly 2x", "dolly 2x"),
        ("orbit 90 right rise 10", "orbit 90 right rise 10"),
        ("statically", "statically"),
    ],
)
def test_an_unknown_phrase_is_named_and_what_works_is_listed(text: str, named: str) -> None:
    with pytest.raises(UnsupportedConditionError) as caught:
        parse_camera(text, 16)
    message = str(caught.value)
    assert f'"{named}"' in message
    for move in ("orbit 90 right", "rise 20", "lower 10", "dolly in 30 %", "dolly out 1.5x", "static"):
        assert move in message


@pytest.mark.parametrize("text", ["", "  ", ",", " and , "])
def test_no_move_at_all(text: str) -> None:
    with pytest.raises(UnsupportedConditionError, match=r"names no move.*orbit 90 right"):
        parse_camera(text, 16)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("orbit 361 right", "at most 360 degrees, got 361"),
        ("rise 61", "at most 60 degrees, got 61"),
        ("lower 60.5", "at most 60 degrees, got 60.5"),
        ("dolly in 76 %", "0.24 times the distance; that must lie in 0.25 to 4"),
        ("dolly in 100 %", "0.25 to 4"),
        ("dolly in 300 %", "0.25 to 4"),
        ("dolly out 4.1x", "4.1 times"),
        ("dolly in 5x", "0.2 times"),
        ("dolly out 301 %", "4.01 times"),
        ("dolly out 0.5x", 'write "dolly in"'),
        ("dolly in 0x", 'write "dolly out"'),
        ("orbit " + "9" * 400, "at most 360 degrees"),
    ],
)
def test_limits(text: str, why: str) -> None:
    with pytest.raises(UnsupportedConditionError, match=why) as caught:
        parse_camera(text, 16)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text", ["orbit 10 right, orbit 10 left", "rise 5 and lower 5", "static, rise 5", "dolly in 2x, dolly out 2x"]
)
def test_moves_that_contradict(text: str) -> None:
    with pytest.raises(UnsupportedConditionError, match="contradicts"):
        parse_camera(text, 16)


def test_a_page_of_text_gives_a_short_message() -> None:
    with pytest.raises(UnsupportedConditionError) as caught:
        parse_camera("zoom " * 1000, 16)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("frames", [0, -3])
def test_no_frames(frames: int) -> None:
    with pytest.raises(FrameCountError, match=f"at least 1 pose, got {frames}"):
        parse_camera("static", frames)


def test_a_single_frame_is_the_start() -> None:
    assert not parse_camera("orbit 90 right, rise 10", 1).values.any()


@given(
    degrees=st.floats(0, 360),
    side=st.sampled_from(["left", "right", ""]),
    climb=st.floats(0, 60),
    way=st.sampled_from(["rise", "lower"]),
    factor=st.floats(1, 4),
    direction=st.sampled_from(["in", "out"]),
    frames=st.integers(2, 40),
    joint=st.sampled_from([", ", " and ", ",", " AND "]),
)
def test_moves_are_linear_and_end_where_the_words_say(
    degrees, side, climb, way, factor, direction, frames, joint
) -> None:
    moves = [f"orbit {degrees:.6f} {side}", f"{way} {climb:.6f} deg", f"dolly {direction} {factor:.6f}x"]
    values = parse_camera(joint.join(moves), frames).values
    last = torch.tensor(
        [
            math.radians(degrees) * (-1 if side == "left" else 1),
            math.radians(climb) * (1 if way == "rise" else -1),
            math.log(factor) * (1 if direction == "out" else -1),
        ]
    )
    assert values.shape == (frames, 3)
    assert not values[0].any()
    assert torch.allclose(values, torch.linspace(0, 1, frames)[:, None] * last, atol=1e-5)


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_a_path_or_a_named_refusal(text: str) -> None:
    with contextlib.suppress(UnsupportedConditionError):
        assert torch.isfinite(parse_camera(text, 4).values).all()
