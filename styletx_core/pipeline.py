# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on beside the main thread: reading ahead of it and writing behind it.

Everything happens in the order it would have without threads, one item at a time on each side, and at most ``depth``
items are waiting: results are the same, and memory does not grow with the shot. What fails in a thread fails in the
main one, where the item would have been. The libraries that do the work (OpenEXR, OpenColorIO, OpenCV, NumPy on large
arrays) let go of Python's lock.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Failed(NamedTuple):
    error: BaseException


class _Ended(NamedTuple):
    pass


def ahead(items: Iterable[T], work: Callable[[T], R], depth: int = 1) -> Generator[R, None, None]:
    """``work(item)`` for each item, made in a thread while the caller works on those before.

    Closing the generator ends the thread, after the item it is at, and waits for it. It starts with the first `next`.
    """
    made: queue.Queue[R | _Failed | _Ended] = queue.Queue(depth)
    stop = threading.Event()

    def put(value: R | _Failed | _Ended) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                made.put(value, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                if stop.is_set():
                    return
                put(work(item))
            put(_Ended())
        except BaseException as error:  # told where the item would have been
            put(_Failed(error))

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            value = made.get()
            if isinstance(value, _Ended):
                return
            if isinstance(value, _Failed):
                raise value.error
            yield value
    finally:
        stop.set()
        thread.join()


class Behind(Generic[T, R]):
    """Does ``work(item)`` in a thread, in the order the items were put, while the caller goes on.

    Use it in a `with` block: leaving it waits for everything that was put, also by an exception (a cancelled generator
    is closed by one, too): what is made by then is not lost.
    """

    def __init__(self, work: Callable[[T], R], depth: int = 1) -> None:
        self._work = work
        self._items: queue.Queue[T | _Ended] = queue.Queue(depth)
        self._done: queue.Queue[R | _Failed] = queue.Queue()
        self._waiting = 0  # put and not yet told as done
        self._failed: _Failed | None = None  # not yet told
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)

    def __enter__(self) -> Behind[T, R]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._thread.is_alive():
            with suppress(queue.Full):
                self._items.put(_Ended(), timeout=0.1)
                break
        self._thread.join()

    def put(self, item: T) -> list[R]:
        """Hand over an item, waiting where too many are waiting; returns what was finished since the last call.

        Raises what the work on an earlier item raised; nothing put after that one is done.
        """
        done: list[R] = []
        while True:
            done += self.finished()
            with suppress(queue.Full):
                self._items.put(item, timeout=0.1)
                self._waiting += 1
                return done

    def rest(self) -> Generator[R, None, None]:
        """What is still to come, as it is finished."""
        while self._waiting:
            yield self._told(self._failed or self._done.get())

    def finished(self) -> list[R]:
        """What was finished since the last call; raises as `put` does."""
        found: list[R] = []
        with suppress(queue.Empty):
            while True:
                result = self._failed or self._done.get_nowait()
                if isinstance(result, _Failed) and found:
                    self._failed = result  # told next time: those before it are to be heard of
                    return found
                found.append(self._told(result))
        return found

    def _told(self, result: R | _Failed) -> R:
        self._waiting -= 1
        if isinstance(result, _Failed):
            self._waiting, self._failed = 0, None
            raise result.error
        return result

    def _run(self) -> None:
        failed = False
        while True:
            item = self._items.get()
            if isinstance(item, _Ended):
                return
            if failed:
                continue
            try:
                self._done.put(self._work(item))
            except BaseException as error:
                failed = True
                self._done.put(_Failed(error))
