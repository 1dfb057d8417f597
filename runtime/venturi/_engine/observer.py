"""A look at a model while it works: what a benchmark hands over when it opens one."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

CODING = "coding"
"""What an observer is told about the entropy coder under."""

_UNWATCHED = nullcontext()


class Observer:
    """Is told what a model does; override the methods that you need.

    A model that several threads use calls its observer from all of them.
    """

    def opening(self, graph: str, options: Any) -> None:
        """See the options of a graph's session before it is opened.

        Args:
            graph: the name of its file.
            options: onnxruntime's SessionOptions, which may be changed.
        """

    def opened(self, graph: str, session: Any) -> None:
        """See a graph's session, onnxruntime's InferenceSession, once it is open."""

    def ran(self, part: str, duration_ns: int) -> None:
        """Learn how long one run of a graph or one step of the entropy coder took.

        Args:
            part: the name of the graph's file, or ``coding``.
            duration_ns: in nanoseconds.
        """


def timed(observer: Observer | None, part: str) -> AbstractContextManager[None]:
    """Return a context that tells an observer, where there is one, how long it was open."""
    return _UNWATCHED if observer is None else _timed(observer, part)


@contextmanager
def _timed(observer: Observer, part: str) -> Iterator[None]:
    start = time.perf_counter_ns()
    try:
        yield
    finally:
        observer.ran(part, time.perf_counter_ns() - start)
