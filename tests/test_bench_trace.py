"""Where the time goes: parts, nodes, providers and arithmetic, each against what is known."""

import pickle
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests import bundles
from venturi import Autoencoder, Codec, Denoiser, Observer
from venturi._engine.graph import Graph
from venturi.bench import peak
from venturi.bench.arithmetic import macs
from venturi.bench.clock import WallClock
from venturi.bench.point import Peaks
from venturi.bench.split import (
    CODING,
    CONVERSION,
    TOTAL,
    Stopwatch,
    in_graphs_ms,
    role,
    split,
)
from venturi.bench.trace import (
    Node,
    computes_in_integers,
    kmac_per_pixel,
    operators,
    providers,
    trace,
)

CODEC, AUTOENCODER = str(bundles.CODEC), str(bundles.AUTOENCODER)
DENOISER = str(bundles.DENOISER)
IMAGE = np.random.default_rng(0).integers(0, 256, (128, 192, 3), np.uint8)
ENTROPY = "entropy-first", "entropy-second", "entropy-third"
CPU = "CPUExecutionProvider"


def test_parts_add_up_to_the_total() -> None:
    stopwatch = Stopwatch()
    ours = Codec(CODEC, threads=1, observer=stopwatch)
    parts, calls = split(lambda: ours.compress(IMAGE), stopwatch, runs=1)
    assert set(parts) == {"encoder", *ENTROPY, CODING, CONVERSION, TOTAL}
    assert calls == {"encoder": 1, **dict.fromkeys(ENTROPY, 1), CODING: 1}
    assert sum(parts.values()) == pytest.approx(2 * parts[TOTAL], abs=0.01)
    assert in_graphs_ms(parts) == sum(parts[name] for name in ("encoder", *ENTROPY))
    data = ours.compress(IMAGE)
    parts, calls = split(lambda: ours.decompress(data), stopwatch, runs=1)
    assert set(parts) == {"decoder", *ENTROPY, CODING, CONVERSION, TOTAL}
    assert [calls[name] for name in ENTROPY] == [1, 1, 1]
    assert min(parts.values()) >= 0


def test_an_autoencoder_is_split_too() -> None:
    stopwatch = Stopwatch()
    ours = Autoencoder(AUTOENCODER, threads=1, observer=stopwatch)
    image = IMAGE[:8, :8, 0]
    _, calls = split(lambda: ours.decompress(ours.compress(image)), stopwatch, runs=1)
    assert calls == {"encoder": 1, "decoder": 1, CODING: 4}


def test_a_stopwatch_sees_its_own_model_alone() -> None:
    stopwatch = Stopwatch()
    ours, plain = Codec(CODEC, threads=1, observer=stopwatch), Codec(CODEC, threads=1)
    split(lambda: plain.compress(IMAGE), stopwatch, runs=1)
    assert not stopwatch.calls
    with pytest.raises(ZeroDivisionError):
        split(lambda: 1 // 0, stopwatch, runs=1)
    _, calls = split(lambda: ours.compress(IMAGE), stopwatch, runs=1)
    assert calls["encoder"] == 1
    copy = pickle.loads(pickle.dumps(ours))
    _, calls = split(lambda: copy.compress(IMAGE), stopwatch, runs=1)
    assert not calls


def test_an_observer_sees_each_graph_before_and_after_it_is_opened() -> None:
    class Witness(Observer):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def opening(self, graph: str, options: Any) -> None:
            options.log_severity_level = 3
            self.seen.append(f"opening {graph}")

        def opened(self, graph: str, session: Any) -> None:
            assert session.get_session_options().log_severity_level == 3
            self.seen.append(f"opened {graph}")

    witness = Witness()
    Denoiser(DENOISER, observer=witness)
    assert witness.seen == ["opening denoiser.onnx", "opened denoiser.onnx"]


@pytest.mark.parametrize(
    ("name", "expected"), [("encoder.onnx", "encoder"), ("a/b.c.onnx", "b.c"), ("plain", "plain")]
)
def test_roles(name: str, expected: str) -> None:
    assert role(name) == expected


def traced_codec(call: str) -> Callable[[Observer], Callable[[], object]]:
    def opened(observer: Observer) -> Callable[[], object]:
        ours = Codec(CODEC, threads=1, observer=observer)
        if call == "compress":
            return partial(ours.compress, IMAGE)
        return partial(ours.decompress, Codec(CODEC).compress(IMAGE))

    return opened


def test_every_node_is_seen_once_for_each_run() -> None:
    first, second = trace(traced_codec("compress"), runs=2)
    assert [(node.graph, node.op) for node in first] == [(node.graph, node.op) for node in second]
    graphs = providers(first)
    assert set(graphs) == {"encoder", *ENTROPY}
    assert {name for counts in graphs.values() for name in counts} == {CPU}
    rows = operators([first, second], first, pixels=128 * 192)
    assert sum(row["nodes"] for row in rows) == len(first)
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.01)
    assert [row["ms"] for row in rows] == sorted((row["ms"] for row in rows), reverse=True)


def model(nodes: list[NodeProto], weights: Mapping[str, ArrayLike], given: dict[str, int]) -> bytes:
    """A graph of one picture; ``given`` has the axes of each output by name."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * axes)
        for name, axes in given.items()
    ]
    constants = [numpy_helper.from_array(np.asarray(w, np.float32), n) for n, w in weights.items()]
    graph = helper.make_graph(nodes, "g", [image], outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data: bytes = made.SerializeToString()
    onnx.checker.check_model(data)
    return data


def test_arithmetic_by_hand() -> None:
    # 3 to 8 channels by 3x3, stride 2; 1x1 in two groups; 2x2 up again; a product of the channels
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["y", "v"], ["z"], group=2),
        helper.make_node("ConvTranspose", ["z", "u"], ["up"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["y"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "t"], ["code"], transB=1),
    ]
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.random((8, 3, 3, 3)), "v": rng.random((6, 4, 1, 1)),
        "u": rng.random((6, 5, 2, 2)), "t": rng.random((10, 8)),
    }  # fmt: skip
    data = model(nodes, weights, {"up": 4, "code": 2})
    image = np.zeros((1, 3, 32, 64), np.float32)

    def opened(observer: Observer) -> Callable[[], object]:
        graph = Graph(data, "hand.onnx", device="cpu", threads=1, observer=observer)
        return partial(graph.run, image)

    (counted,) = trace(opened, runs=1, shapes=True)
    places = 16 * 32
    expected = places * 8 * 27 + places * 6 * 4 + places * 6 * 5 * 4 + 8 * 10
    assert sum(node.macs for node in counted) == expected
    assert kmac_per_pixel(counted, pixels=32 * 64) == pytest.approx(
        expected / 2048 / 1000, abs=1e-4
    )


@pytest.mark.parametrize(
    ("op", "taken", "given", "expected"),
    [
        ("MatMulInteger", [[7, 5], [5, 3]], [[7, 3]], 105),
        ("QLinearConv", [[1, 3, 8, 8], [], [], [16, 3, 3, 3]], [[1, 16, 8, 8]], 64 * 16 * 27),
        ("Gemm", [[5, 7], [3, 5]], [[7, 3]], 105),
        ("Relu", [[1, 3, 8, 8]], [[1, 3, 8, 8]], 0),
    ],
)
def test_arithmetic_of_operators(
    op: str, taken: list[list[int]], given: list[list[int]], expected: int
) -> None:
    assert macs(op, taken, given) == expected


def test_integer_graphs_are_told_by_where_their_arithmetic_is() -> None:
    def node(op: str, side: int) -> Node:
        return Node("g", op, CPU, 1, [[side, side], [side, side]], [[side, side]])

    assert computes_in_integers([node("MatMulInteger", 9), node("MatMul", 8)])
    assert not computes_in_integers([node("MatMulInteger", 8), node("MatMul", 9)])
    assert not computes_in_integers([])


def test_the_peak_graphs_are_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SIDE", 8)
    chain = peak._model([("MatMul", "0", "right", "1")], [("0", 1), ("right", 1)], ("1", 1))
    onnx.checker.check_model(chain, full_check=True)
    left, right = np.random.default_rng(0).random((2, 8, 8), np.float32)
    (product,) = Graph(chain, "product", device="cpu", threads=1).run(left, right)
    np.testing.assert_allclose(product, left @ right, rtol=1e-5)


def test_the_peaks_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SIDE", 64)
    monkeypatch.setattr(peak, "SECONDS", 0.0)
    peaks = Peaks(WallClock())
    found = [peaks.get(kind, device="cpu", threads=1) for kind in ("fp32", "int8", "fp32")]
    assert all(value is not None and value > 0 for value in found)
    assert found[0] == found[2]


def test_a_device_without_the_operator_has_no_peak() -> None:
    graph = peak._model([("NoSuchProduct", "0", "1", "2")], [("0", 1), ("1", 1)], ("2", 1))
    rate = peak._rate(graph, [], 1, WallClock(), device="cpu", threads=1)
    assert rate is None
