"""Where the time of a call goes: each graph, the entropy coder, and all the rest.

The clock is put around ``Graph.run`` and the entropy coder from outside while it is needed, so that
the runtime carries no code for it. It costs about a µs for each part.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Any

from venturi._engine.graph import Graph
from venturi._entropy import latents, rans
from venturi.bench._replaced import replaced

Parts = dict[str, float]

CODING = "coding"
CONVERSION = "conversion"
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

    The parts are the graphs by name (``encoder``), ``coding`` (the entropy coder, where there is
    one), ``conversion`` (everything else) and ``total``.
    """
    samples: dict[str, list[float]] = {}
    calls: dict[str, int] = {}
    call()
    for _ in range(runs):
        clock = _Clock()
        with _timed(clock):
            start = time.perf_counter_ns()
            call()
            total = time.perf_counter_ns() - start
        known = {name: float(spent) for name, spent in clock.spent.items()}
        rest = {CONVERSION: total - sum(known.values()), TOTAL: float(total)}
        for name, spent in (known | rest).items():
            samples.setdefault(name, []).append(spent / 1e6)
        calls = dict(clock.calls)
    return {name: round(median(values), 3) for name, values in samples.items()}, calls


def in_graphs_ms(parts: Parts) -> float:
    """Return the time that is spent in graphs."""
    return sum(ms for name, ms in parts.items() if name not in (CODING, CONVERSION, TOTAL))


def share_outside_graphs(parts: Parts) -> float:
    """Return the part of the total that is not spent in a graph, 0 to 1."""
    outside = parts[CONVERSION] + parts.get(CODING, 0.0)
    return round(outside / parts[TOTAL], 4)


def role(file_name: str) -> str:
    """Return the name of a graph's part: ``encoder`` for ``encoder.onnx``."""
    return file_name.replace("\\", "/").rsplit("/")[-1].rpartition(".")[0] or file_name


@contextmanager
def _timed(clock: _Clock) -> Iterator[None]:
    run, encode = Graph.run, rans.encode

    class Decoder(rans.Decoder):
        """The entropy decoder, with the clock around what it does."""

        def __init__(self, *arguments: Any) -> None:
            clock.around(CODING, super().__init__, *arguments)

        def decode(self, *arguments: Any) -> Any:
            return clock.around(CODING, super().decode, *arguments)

        def finish(self) -> None:
            clock.around(CODING, super().finish)

    def timed_run(graph: Graph, *arrays: Any, shapes: Any = None) -> Any:
        return clock.around(role(graph.name), partial(run, shapes=shapes), graph, *arrays)

    def timed_encode(*arguments: Any) -> Any:
        return clock.around(CODING, encode, *arguments)

    with ExitStack() as stack:
        stack.enter_context(replaced(Graph, "run", timed_run))
        for module in (latents, rans):  # the codec's names for them, and the autoencoder's
            stack.enter_context(replaced(module, "encode", timed_encode))
            stack.enter_context(replaced(module, "Decoder", Decoder))
        yield
