# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading ahead and writing behind: the order, the limits, and how it ends."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styletx_core.pipeline import Behind, ahead


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"ahead", "behind"}


@given(st.lists(st.integers()), st.integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_everything_comes_in_order(items: list[int], depth: int) -> None:
    assert list(ahead(items, lambda item: item * 2, depth)) == [item * 2 for item in items]
    done: list[int] = []
    with Behind(lambda item: item * 3, depth) as behind:
        for item in items:
            done += behind.put(item)
        done += behind.rest()
    assert done == [item * 3 for item in items]
    assert not threads()


def test_no_more_is_read_than_fits() -> None:
    begun: list[int] = []
    made = ahead(range(100), lambda item: begun.append(item), depth=2)
    next(made)
    time.sleep(0.2)
    assert len(begun) <= 5  # one given out, two waiting, one that waits for a place
    made.close()
    assert not threads()
    assert len(begun) <= 5


def test_no_more_is_put_than_fits() -> None:
    gate, begun = threading.Event(), threading.Event()

    def work(item: int) -> int:
        begun.set()
        gate.wait(10)
        return item

    with Behind(work, depth=1) as behind:
        behind.put(1)
        begun.wait(10)
        behind.put(2)
        threading.Timer(0.3, gate.set).start()
        before = time.monotonic()
        found = behind.put(3)  # has to wait until the first is done
        assert time.monotonic() - before > 0.1
        assert found + list(behind.rest()) == [1, 2, 3]


def test_an_error_comes_where_the_item_would_have() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("frame 3")
        return item

    found: list[int] = []
    with pytest.raises(ValueError, match="frame 3"):
        found.extend(ahead(range(1, 9), work))
    written: list[int] = []
    done: list[int] = []

    def write(item: int) -> int:
        written.append(work(item))
        return item

    with pytest.raises(ValueError, match="frame 3"), Behind(write) as behind:
        for item in range(1, 9):
            done += behind.put(item)
        done += behind.rest()
    assert written == [1, 2]
    assert done == [1, 2][: len(done)]
    assert not threads()


def test_leaving_by_an_exception_finishes_what_was_put() -> None:
    gate, begun, written = threading.Event(), threading.Event(), []

    def write(item: int) -> None:
        begun.set()
        gate.wait(10)
        written.append(item)

    with pytest.raises(KeyboardInterrupt), Behind(write, depth=2) as behind:
        behind.put(1)
        begun.wait(10)
        behind.put(2)
        threading.Timer(0.2, gate.set).start()
        raise KeyboardInterrupt
    assert written == [1, 2]
    assert not threads()
