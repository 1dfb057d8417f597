"""Split the time of a call into each graph, the entropy coder, and the rest.

The model is opened with a :class:`Stopwatch`, which costs it about a µs for each part.
"""

import time
from collections import Counter
from collections.abc import Callable
from statistics import median

from venturi._engine.observer import CODING as CODING
from venturi._engine.observer import Observer

Parts = dict[str, float]

CONVERSION = "conversion"
TOTAL = "total"


class Stopwatch(Observer):
    """Adds up the time that the parts of a model take, for calls from one thread.

    Attributes:
        spent_ns: by part: the graphs by name (``encoder``), and ``coding``.
        calls: how often each part ran.
    """

    def __init__(self) -> None:
        self.spent_ns: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def reset(self) -> None:
        """Begin at zero."""
        self.spent_ns.clear()
        self.calls.clear()

    def ran(self, part: str, duration_ns: int) -> None:
        """Add one run."""
        self.spent_ns[role(part)] += duration_ns
        self.calls[role(part)] += 1


def split(
    call: Callable[[], object], stopwatch: Stopwatch, *, runs: int
) -> tuple[Parts, dict[str, int]]:
    """Return the median ms of each part of a call, and how often each part ran within one.

    The parts are the graphs by name (``encoder``), ``coding`` (the entropy coder, where there is
    one), ``conversion`` (everything else) and ``total``.

    Args:
        call: of a model that was opened with ``stopwatch``.
        stopwatch: the model's observer.
        runs: calls to take the median of; one more warms up.
    """
    samples: dict[str, list[float]] = {}
    call()
    for _ in range(runs):
        stopwatch.reset()
        start = time.perf_counter_ns()
        call()
        total = time.perf_counter_ns() - start
        spent_ns = dict(stopwatch.spent_ns)
        rest = {CONVERSION: total - sum(spent_ns.values()), TOTAL: total}
        for name, spent in (spent_ns | rest).items():
            samples.setdefault(name, []).append(spent / 1e6)
    parts = {name: round(median(values), 3) for name, values in samples.items()}
    return parts, dict(stopwatch.calls)


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
