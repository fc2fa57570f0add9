"""Spreading kernels over threads."""

from __future__ import annotations

import threading

import pytest
import torch

from fourreal.core import threads as _threads


def _shares(items: int, parts: int) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    _threads.launch(lambda tag, share: seen.append((share[0], share[1])), "tag", items=items, parts=parts)
    return sorted(seen)


@pytest.fixture
def three_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_every_lane_runs_once() -> None:
    assert _shares(10**6, 50) == [(0, 3), (1, 3), (2, 3)]
    assert _shares(10**6, 2) == [(0, 2), (1, 2)]
    assert _shares(10, 50) == [(0, 1)]
    assert _shares(0, 0) == [(0, 1)]


@pytest.mark.usefixtures("three_threads")
def test_small_work_stays_on_the_calling_thread() -> None:
    names: list[str] = []
    _threads.launch(lambda share: names.append(threading.current_thread().name), items=5, parts=5)
    assert names == [threading.current_thread().name]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("lane", [0, 2])
def test_an_error_of_any_lane_arrives(lane: int) -> None:
    def work(share: tuple[int, int]) -> None:
        if share[0] == lane:
            raise ZeroDivisionError(lane)

    with pytest.raises(ZeroDivisionError):
        _threads.launch(work, items=10**6, parts=3)


@pytest.mark.usefixtures("three_threads")
def test_a_forked_child_makes_threads_of_its_own() -> None:
    assert len(_shares(10**6, 3)) == 3
    _threads._forget()
    assert len(_shares(10**6, 3)) == 3
