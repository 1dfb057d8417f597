"""Where the time of a call goes: each graph, the entropy coder, and all the rest.

The clock is put around `Graph.run` and the entropy coder from outside while it is needed, so that
the runtime carries no code for it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any
from unittest import mock

from venturi import latents, rans
from venturi.sessions import Graph

Parts = dict[str, float]

CODING = "coding"
OUTSIDE = "other"
TOTAL = "total"


class _Clock:
    """Adds up the time spent in each part, and how often it ran."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def around(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter_ns()
        try:
            return call(*arguments)
        finally:
            self.spent[name] += time.perf_counter_ns() - start
            self.calls[name] += 1


def split(call: Callable[[], object], *, runs: int) -> tuple[Parts, dict[str, int]]:
    """Return the median ms of each part of a call, and how often each part ran within one.

    The parts are the graphs by name ("encoder"), `coding` (the entropy coder, where there is one),
    `other` (everything else) and `total`.
    """
    samples: dict[str, list[float]] = {}
    calls: dict[str, int] = {}
    call()
    for _ in range(runs):
        clock = _Clock()
        with _patched(clock):
            start = time.perf_counter_ns()
            call()
            total = time.perf_counter_ns() - start
        known = {name: float(spent) for name, spent in clock.spent.items()}
        for name, spent in (known | {OUTSIDE: total - sum(known.values()), TOTAL: total}).items():
            samples.setdefault(name, []).append(spent / 1e6)
        calls = dict(clock.calls)
    return {name: round(median(values), 3) for name, values in samples.items()}, calls


def share_outside_graphs(parts: Parts) -> float:
    """Return the part of the total that is not spent in a graph, 0 to 1."""
    outside = parts[OUTSIDE] + parts.get(CODING, 0.0)
    return round(outside / parts[TOTAL], 4)


@contextmanager
def _patched(clock: _Clock) -> Iterator[None]:
    run, encode = Graph.run, rans.encode

    class Decoder(rans.Decoder):
        """The entropy decoder, with the clock around what it does."""

        def __init__(self, *arguments: Any) -> None:
            clock.around(CODING, super().__init__, *arguments)

        def decode(self, *arguments: Any) -> Any:
            return clock.around(CODING, super().decode, *arguments)

        def finish(self) -> None:
            clock.around(CODING, super().finish)

    def timed_run(graph: Graph, *arrays: Any, shapes: Any) -> Any:
        return clock.around(_role(graph), partial(run, shapes=shapes), graph, *arrays)

    def timed_encode(*arguments: Any) -> Any:
        return clock.around(CODING, encode, *arguments)

    with (
        mock.patch.object(Graph, "run", timed_run),
        mock.patch.object(latents, "encode", timed_encode),
        mock.patch.object(latents, "Decoder", Decoder),
    ):
        yield


def _role(graph: Graph) -> str:
    return graph.name.rsplit("/")[-1].removesuffix(".onnx")
