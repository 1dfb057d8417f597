"""Trace what onnxruntime runs within a call: each node, its time, provider and shapes.

onnxruntime's profiler writes it down, for sessions that are opened for this and thrown away: the
sessions that are timed run without it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from venturi._engine.observer import Observer
from venturi.bench import arithmetic
from venturi.bench.split import role

_NODE_ENDS = ("_kernel_time",)
_RUN = "model_run"


@dataclass(frozen=True)
class Node:
    """One node in one run of a graph.

    Attributes:
        graph: ``encoder``, say.
        op: the operator that ran, after onnxruntime's optimisations; ``FusedConv`` is a ``Conv``.
        provider: that ran it, as onnxruntime names it.
        us: that it took, with the profiler on.
        inputs: shapes of its inputs.
        outputs: shapes of its outputs.
    """

    graph: str
    op: str
    provider: str
    us: int
    inputs: arithmetic.Shapes
    outputs: arithmetic.Shapes

    @property
    def macs(self) -> int:
        """Multiply-accumulates, of nodes that were traced with ``shapes``."""
        return arithmetic.macs(self.op, self.inputs, self.outputs)


def trace(
    opened: Callable[[Observer], Callable[[], object]], *, runs: int, shapes: bool = False
) -> list[list[Node]]:
    """Return the nodes of each of ``runs`` calls.

    Args:
        opened: opens the model with an observer and returns the call to trace.
        runs: calls to trace; one more warms up.
        shapes: list the shapes of all weights, as the model has them; for speed onnxruntime packs
            weights away and pads channels, so the times are not those of a normal run.

    Returns:
        The nodes of a call, for each call; a graph that ran twice within one has its nodes twice.
    """
    with TemporaryDirectory() as folder:
        profiler = _Profiler(Path(folder), shapes)
        call = opened(profiler)
        for _ in range(1 + runs):
            call()
        files = [(name, session.end_profiling()) for name, session in profiler.sessions]
        by_graph = [list(_calls(role(name), Path(file), 1 + runs)) for name, file in files]
    return [[node for nodes in calls for node in nodes] for calls in zip(*by_graph, strict=True)][
        1:
    ]


def providers(nodes: Iterable[Node]) -> dict[str, dict[str, int]]:
    """Return how many nodes each execution provider ran, for each graph."""
    counts_of: dict[str, Counter[str]] = defaultdict(Counter)
    for node in nodes:
        counts_of[node.graph][node.provider] += 1
    return {graph: dict(sorted(counts.items())) for graph, counts in counts_of.items()}


def operators(
    calls: Sequence[Sequence[Node]], counted: Sequence[Node], *, pixels: int
) -> list[dict[str, Any]]:
    """Fold nodes by graph and operator, the most expensive first.

    Args:
        calls: the nodes of several calls, for their times.
        counted: the nodes of one call, traced with shapes, for their arithmetic.
        pixels: of the picture of one call.
    """
    timed = _folded(node for nodes in calls for node in nodes)
    arithmetic_of = _folded(counted)
    every = max(1, sum(node.us for nodes in timed.values() for node in nodes))
    rows = [
        {
            "graph": graph,
            "op": op,
            "nodes": len(nodes) // len(calls),
            "ms": round(sum(node.us for node in nodes) / 1000 / len(calls), 3),
            "share": round(sum(node.us for node in nodes) / every, 4),
            "kmac_per_pixel": kmac_per_pixel(arithmetic_of.get((graph, op), ()), pixels=pixels),
        }
        for (graph, op), nodes in timed.items()
    ]
    return sorted(rows, key=lambda row: -row["ms"])


def _folded(nodes: Iterable[Node]) -> dict[tuple[str, str], list[Node]]:
    folded: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in nodes:
        folded[node.graph, node.op].append(node)
    return folded


def kmac_per_pixel(nodes: Iterable[Node], *, pixels: int) -> float:
    """Return thousands of multiply-accumulates per pixel of the picture."""
    return round(sum(node.macs for node in nodes) / pixels / 1000, 4)


def computes_in_integers(nodes: Iterable[Node]) -> bool:
    """Tell whether most of the arithmetic is that of integer operators."""
    macs = Counter[bool]()
    for node in nodes:
        macs[node.op in arithmetic.INTEGER] += node.macs
    return macs[True] > macs[False]


class _Profiler(Observer):
    """Switches onnxruntime's profiler on in every session of a model.

    Attributes:
        sessions: with the names of their graphs, in the order in which they were opened.
    """

    def __init__(self, folder: Path, shapes: bool) -> None:
        self.sessions: list[tuple[str, Any]] = []
        self._folder, self._shapes = folder, shapes

    def opening(self, graph: str, options: Any) -> None:
        options.enable_profiling = True
        options.profile_file_prefix = str(self._folder / str(len(self.sessions)))
        if self._shapes:
            options.add_session_config_entry("session.disable_prepacking", "1")
            options.graph_optimization_level = type(
                options.graph_optimization_level
            ).ORT_ENABLE_EXTENDED

    def opened(self, graph: str, session: Any) -> None:
        self.sessions.append((graph, session))


def _calls(graph: str, file: Path, calls: int) -> Iterator[list[Node]]:
    """Yield a graph's nodes of each call; a graph may run several times within one, or never."""
    events = json.loads(file.read_text(encoding="utf-8"))
    starts = sorted(event["ts"] for event in events if event.get("name") == _RUN)
    nodes = [event for event in events if event.get("cat") == "Node" and _is_kernel(event)]
    each = len(starts) // calls
    firsts = [*starts[::each], float("inf")] if each else [0] * (calls + 1)
    for begin, end in pairwise(firsts):
        yield [_node(graph, event) for event in nodes if begin <= event["ts"] < end]


def _is_kernel(event: Mapping[str, Any]) -> bool:
    return str(event["name"]).endswith(_NODE_ENDS)


def _node(graph: str, event: Mapping[str, Any]) -> Node:
    facts = event["args"]
    op = str(facts.get("op_name", "unknown")).removeprefix("Nhwc").removeprefix("Fused")
    inputs, outputs = (_shapes(facts.get(f"{side}_type_shape", ())) for side in ("input", "output"))
    return Node(
        graph, op, str(facts.get("provider", "unknown")), int(event["dur"]), inputs, outputs
    )


def _shapes(tensors: Iterable[Mapping[str, Sequence[int]]]) -> list[Sequence[int]]:
    return [shape for tensor in tensors for shape in tensor.values()]
