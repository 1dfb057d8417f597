"""From a graph in float32 to one in 8 bits: U8S8, the form that processors have instructions for.

Activations become uint8 with one scale for each tensor, weights int8 with one for each channel,
biases int32. They stand in the graph as pairs of QuantizeLinear and DequantizeLinear (QDQ), which
onnxruntime folds into integer operators as it loads the file.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.saturation import rounded

MOVERS = frozenset({"Reshape", "Transpose"})
"""What moves values and changes none."""

FOLLOWERS = MOVERS | {"LeakyRelu"}
"""What is computed in 8 bits when its input is.

Convolutions are, a plain ReLU or limits with the one that they follow, and sums of what they give
and what they read; of products with constant matrices those that are asked for, which give float32;
anything else is not.
"""

RECTIFIERS = frozenset({"Relu", "Clip"})
"""What the range of 8 bits does besides."""

TAIL = 1e-4
"""Share of the values of a tensor that may lie beyond each end of its range, and are clipped."""

_BIAS_MAX = 2**30  # of steps: beside tiny weights a bias would not fit int32
_STRIDE = 7  # of the values that are looked at; no factor of the sides or the channels

Feed = Mapping[str, NDArray[Any]]


class Scale(NamedTuple):
    """uint8 q stands for (q - zero) * step."""

    step: np.float32
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> "Scale":
        """Return the scale that reaches from low to high; 0 is in it, and is exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-8) / 255
        return cls(np.float32(step), round(-low / step))


def scales(
    model: ModelProto, feeds: Sequence[Feed], products: Collection[str] = ()
) -> dict[str, Scale]:
    """Return the scale of every tensor that may be in 8 bits.

    Args:
        model: in float32.
        feeds: inputs to run it on; one of the graph in float32 has the range [0, 1].
        products: constant matrices, on the right of products that are taken in 8 bits.
    """
    taking = [
        node
        for node in model.graph.node
        if node.op_type in {"Conv", "Add", *RECTIFIERS, *FOLLOWERS} or _is_product(node, products)
    ]
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {port.name: port.type.tensor_type.elem_type for port in model.graph.input}
    wanted = {name for node in taking for name in (*node.input, *node.output)} - weights
    wanted.discard("")  # an end that a Clip does not have
    seen: dict[str, list[NDArray[np.float32]]] = {}
    for shown in _run_showing(model, sorted(wanted - set(inputs)), feeds):
        for name, value in shown.items():
            if value.dtype == np.float32:  # shapes and pixels are moved as well
                part = value.ravel()[::_STRIDE].copy()  # a view would keep it whole
                seen.setdefault(name, []).append(part)
    multiplied = {node.input[0] for node in taking if _is_product(node, products)}
    found: dict[str, Scale] = {}
    for name, parts in seen.items():
        # Products take coefficients: where a large one is clipped, everyone sees it.
        tail = 0.0 if name in multiplied else TAIL
        low, high = np.quantile(np.concatenate(parts), (tail, 1 - tail))
        found[name] = Scale.of(float(low), float(high))
    floats = {name for name in wanted & set(inputs) if inputs[name] == TensorProto.FLOAT}
    found |= {name: Scale.of(0, 1) for name in sorted(floats)}
    found |= _given(model)
    for node in taking:
        # The same values: another scale would round them again.
        if node.op_type in MOVERS and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def _given(model: ModelProto) -> dict[str, Scale]:
    """Return the scales of what a model in float32 makes of integers itself."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {
        node.output[0]: Scale(np.float32(constants[node.input[1]]), int(constants[node.input[2]]))
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }


def _run_showing(
    model: ModelProto, names: Sequence[str], feeds: Sequence[Feed]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Run a model and yield the tensors of these names, for each feed."""
    shown = ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(
        shown.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for feed in feeds:
        yield dict(zip(names, session.run(list(names), dict(feed)), strict=True))


def quantised(
    model: ModelProto,
    scales: Mapping[str, Scale],
    exact: Collection[str] = (),
    products: Collection[str] = (),
) -> ModelProto:
    """Return the model with its convolutions in 8 bits, and some of its products.

    Args:
        model: in float32.
        scales: of its tensors.
        exact: weights of convolutions that stay in float32 all the same.
        products: constant matrices, on the right of products that take 8 bits too, and give
            float32.
    """
    made = ModelProto()
    made.CopyFrom(model)
    writer = _Writer(model, scales, exact, products)
    for node in model.graph.node:
        writer.add(node)
    used = {name for node in writer.nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del made.graph.node[:], made.graph.initializer[:]
    made.graph.node.extend(writer.nodes)
    made.graph.initializer.extend([*kept, *writer.constants.values()])
    onnx.checker.check_model(made, full_check=True)
    return made


def _is_rounded(node: NodeProto, exact: Collection[str]) -> bool:
    return node.op_type == "Conv" and node.input[1] not in exact


def _is_product(node: NodeProto, products: Collection[str]) -> bool:
    return node.op_type == "MatMul" and node.input[1] in products


def _rectified(model: ModelProto, exact: Collection[str]) -> set[str]:
    """Return what convolutions in 8 bits give to a rectifier alone, and is rounded after it."""
    readers = Counter(name for node in model.graph.node for name in node.input)
    given = {node.output[0] for node in model.graph.node if _is_rounded(node, exact)}
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    reads = {node.input[0] for node in model.graph.node if _rectifies(node, constants)}
    return {name for name in given & reads if readers[name] == 1}


def _rectifies(node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether a range of 8 bits, which holds 0, can do what a node does."""
    if node.op_type != "Clip":
        return node.op_type in RECTIFIERS
    ends = [constants.get(name) for name in node.input[1:]]
    return len(ends) == 2 and all(
        end is not None and sign * float(end) >= 0 for sign, end in zip((-1, 1), ends, strict=True)
    )


def _read(model: ModelProto, exact: Collection[str], leading: Collection[str]) -> set[str]:
    """Return what convolutions in 8 bits read, before it is moved to them as well."""
    found: set[str] = set()
    for node in reversed(model.graph.node):
        leads = node.output[0] in leading and node.output[0] in found
        if leads or _is_rounded(node, exact):
            found.add(node.input[0])
    return found


def _leading(model: ModelProto, exact: Collection[str]) -> set[str]:
    """Return what is moved only for convolutions in 8 bits: it is rounded before it is moved."""
    found: set[str] = set()
    floats = {port.name for port in model.graph.output}
    for node in reversed(model.graph.node):
        if node.op_type in MOVERS and node.output[0] not in floats:
            found.add(node.output[0])
            floats.update(node.input[1:])  # a shape
        elif not _is_rounded(node, exact):
            floats.update(node.input)
    return found


class _Writer:
    """Writes the nodes of a graph anew, with pairs of Q and DQ between them."""

    def __init__(
        self,
        model: ModelProto,
        scales: Mapping[str, Scale],
        exact: Collection[str],
        products: Collection[str],
    ) -> None:
        self.scales, self.exact, self.products = scales, exact, products
        self.weights = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.leading = _leading(model, exact)
        self.read = _read(model, exact, self.leading)
        self.rectified = _rectified(model, exact)
        self.given = _given(model)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.integers: set[str] = set()
        self.paired: set[str] = set()

    def add(self, node: NodeProto) -> None:
        """Write one node."""
        rectifies = node.op_type in RECTIFIERS and node.input[0] in self.rectified
        if rectifies and node.op_type == "Clip":
            # onnxruntime folds a ReLU into the rounding, but limits only where it need not.
            self._write_pair(node.input[0], node.output[0])
            self.integers.update(node.output)
            return
        made = NodeProto()
        made.CopyFrom(node)
        follows = node.op_type in FOLLOWERS and node.input[0] in self.integers
        leads = node.output[0] in self.leading
        adds = node.op_type == "Add" and self.integers | self.read >= {*node.input}
        is_integer = rectifies or follows or leads or adds or _is_rounded(node, self.exact)
        is_product = _is_product(node, self.products)
        for place, name in enumerate(() if rectifies else node.input):
            values = is_product or (is_integer and (adds or place == 0))  # else a shape
            if name not in self.weights and (values or name in self.integers):
                made.input[place] = self._pair(name)
        if is_integer and node.op_type == "Conv":
            image, weight, *biases = node.input
            unit = self.scales[image].step
            largest = [np.abs(self.weights[bias]) for bias in biases]
            step = self._weight(weight, least=sum(largest) / (unit * _BIAS_MAX))
            for bias in biases:
                self._bias(bias, unit * step)
            made.input[1:] = [f"{name}_rounded" for name in (weight, *biases)]
        if is_product:
            self._weight(node.input[1], axis=1)
            made.input[1] = f"{node.input[1]}_rounded"
        if is_integer:
            self.integers.update(node.output)
        self.nodes.append(made)

    def _pair(self, name: str) -> str:
        """Return the name of a tensor after it went through 8 bits."""
        if name in self.given:
            return name
        if name not in self.paired:
            self._write_pair(name, name)
        return f"{name}_rounded"

    def _write_pair(self, source: str, name: str) -> None:
        """Write a tensor through 8 bits, in the scale of the one that it becomes."""
        self.paired.add(name)
        step, zero = self.scales[name]
        self._constant(f"{name}_step", np.array(step))
        self._constant(f"{name}_zero", np.array(zero, np.uint8))
        around = [f"{name}_step", f"{name}_zero"]
        self._node("QuantizeLinear", [source, *around], f"{name}_uint8")
        self._node("DequantizeLinear", [f"{name}_uint8", *around], f"{name}_rounded")

    def _weight(
        self, name: str, *, least: NDArray[np.float32] | float = 0.0, axis: int = 0
    ) -> NDArray[np.float32]:
        """Write a weight; return the step of each channel along an axis, at least so large."""
        integers, step = rounded(self.weights[name], axis, least)
        self._integers(name, integers, step, axis)
        return step

    def _bias(self, name: str, step: NDArray[np.float32]) -> None:
        self._integers(name, np.rint(self.weights[name] / step).astype(np.int32), step)

    def _integers(
        self,
        name: str,
        integers: NDArray[np.signedinteger],
        step: NDArray[np.float32],
        axis: int = 0,
    ) -> None:
        self._constant(f"{name}_integers", integers)
        self._constant(f"{name}_step", step)
        self._constant(f"{name}_zero", np.zeros(len(step), integers.dtype))
        names = [f"{name}_{part}" for part in ("integers", "step", "zero")]
        self._node("DequantizeLinear", names, f"{name}_rounded", axis=axis)

    def _node(self, operator: str, inputs: Sequence[str], output: str, **axis: Any) -> None:
        name = f"{operator}_{output}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=name, **axis))

    def _constant(self, name: str, value: NDArray[np.generic]) -> None:
        self.constants[name] = numpy_helper.from_array(value, name)
