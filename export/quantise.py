"""Convert a float32 graph to 8 bits: U8S8, the form that processors have instructions for.

Activations become uint8 with one scale for each tensor, weights int8 with one for each channel,
biases int32. The graph holds them as pairs of QuantizeLinear and DequantizeLinear (QDQ), which
onnxruntime folds into integer operators when it loads the file.
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
"""Operators that move values and change none."""

FOLLOWERS = MOVERS | {"LeakyRelu"}
"""Operators that are computed in 8 bits if their input is.

Also in 8 bits are convolutions, a plain ReLU or limits that follow one, sums of outputs and inputs
of convolutions, and the products with constant matrices that the caller names, whose results are
float32. Everything else stays in float32.
"""

RECTIFIERS = frozenset({"Relu", "Clip"})
"""Operators that clipping to an 8-bit range can replace."""

TAIL = 1e-4
"""Share of the values of a tensor that may lie beyond each end of its range, and are clipped."""

_BIAS_MAX = 2**30  # in steps: with tiny weights, a bias might not fit int32
_STRIDE = 7  # between the values that are sampled; no factor of the sides or the channels

Feed = Mapping[str, NDArray[Any]]


class Scale(NamedTuple):
    """uint8 q stands for (q - zero) * step."""

    step: np.float32
    zero: int

    @classmethod
    def of(cls, low: float, high: float) -> "Scale":
        """Return the scale whose range is low to high, extended to contain 0, which is exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-8) / 255
        return cls(np.float32(step), round(-low / step))


def scales(
    model: ModelProto, feeds: Sequence[Feed], products: Collection[str] = ()
) -> dict[str, Scale]:
    """Return the scale of every tensor that may be in 8 bits.

    Args:
        model: in float32.
        feeds: inputs for calibration; float32 inputs of the graph have the range [0, 1].
        products: constant matrices on the right of products that are computed in 8 bits.
    """
    candidates = [
        node
        for node in model.graph.node
        if node.op_type in {"Conv", "Add", *RECTIFIERS, *FOLLOWERS} or _is_product(node, products)
    ]
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {port.name: port.type.tensor_type.elem_type for port in model.graph.input}
    tensor_names = {name for node in candidates for name in (*node.input, *node.output)} - weights
    tensor_names.discard("")  # a limit that a Clip omits
    samples: dict[str, list[NDArray[np.float32]]] = {}
    for tensors in _run_exposing(model, sorted(tensor_names - set(inputs)), feeds):
        for name, value in tensors.items():
            if value.dtype == np.float32:  # not shapes and pixels, which are moved too
                sample = value.ravel()[::_STRIDE].copy()  # a view would keep the whole array
                samples.setdefault(name, []).append(sample)
    product_inputs = {node.input[0] for node in candidates if _is_product(node, products)}
    tensor_scales: dict[str, Scale] = {}
    for name, parts in samples.items():
        # Products take coefficients, and clipping a large one is visible.
        tail = 0.0 if name in product_inputs else TAIL
        low, high = np.quantile(np.concatenate(parts), (tail, 1 - tail))
        tensor_scales[name] = Scale.of(float(low), float(high))
    floats = {name for name in tensor_names & set(inputs) if inputs[name] == TensorProto.FLOAT}
    tensor_scales |= {name: Scale.of(0, 1) for name in sorted(floats)}
    tensor_scales |= _integer_scales(model)
    for node in candidates:
        # The values are the same; another scale would round them again.
        if node.op_type in MOVERS and node.input[0] in tensor_scales:
            tensor_scales[node.output[0]] = tensor_scales[node.input[0]]
    return tensor_scales


def _integer_scales(model: ModelProto) -> dict[str, Scale]:
    """Return the scales of tensors that the float32 model itself converts from integers."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {
        node.output[0]: Scale(np.float32(constants[node.input[1]]), int(constants[node.input[2]]))
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }


def _run_exposing(
    model: ModelProto, names: Sequence[str], feeds: Sequence[Feed]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Run a model and yield the named tensors, for each feed."""
    exposed = ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = onnxruntime.InferenceSession(
        exposed.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for feed in feeds:
        yield dict(zip(names, session.run(list(names), dict(feed)), strict=True))


def quantised(
    model: ModelProto,
    scales: Mapping[str, Scale],
    exact: Collection[str] = (),
    products: Collection[str] = (),
) -> ModelProto:
    """Return the model with its convolutions, and some of its matrix products, in 8 bits.

    Args:
        model: in float32.
        scales: of its tensors.
        exact: weights of convolutions that stay in float32.
        products: constant matrices on the right of products that take 8 bits and give float32.
    """
    quantised_model = ModelProto()
    quantised_model.CopyFrom(model)
    writer = _Writer(model, scales, exact, products)
    for node in model.graph.node:
        writer.add(node)
    used = {name for node in writer.nodes for name in node.input}
    initializers = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del quantised_model.graph.node[:], quantised_model.graph.initializer[:]
    quantised_model.graph.node.extend(writer.nodes)
    quantised_model.graph.initializer.extend([*initializers, *writer.constants.values()])
    onnx.checker.check_model(quantised_model, full_check=True)
    return quantised_model


def _is_rounded(node: NodeProto, exact: Collection[str]) -> bool:
    return node.op_type == "Conv" and node.input[1] not in exact


def _is_product(node: NodeProto, products: Collection[str]) -> bool:
    return node.op_type == "MatMul" and node.input[1] in products


def _rectified(model: ModelProto, exact: Collection[str]) -> set[str]:
    """Return outputs of 8-bit convolutions that only a rectifier reads: rounded after it."""
    readers = Counter(name for node in model.graph.node for name in node.input)
    outputs = {node.output[0] for node in model.graph.node if _is_rounded(node, exact)}
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    rectified_inputs = {node.input[0] for node in model.graph.node if _rectifies(node, constants)}
    return {name for name in outputs & rectified_inputs if readers[name] == 1}


def _rectifies(node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether clipping to an 8-bit range, which contains 0, can replace a node."""
    if node.op_type != "Clip":
        return node.op_type in RECTIFIERS
    ends = [constants.get(name) for name in node.input[1:]]
    return len(ends) == 2 and all(
        end is not None and sign * float(end) >= 0 for sign, end in zip((-1, 1), ends, strict=True)
    )


def _inputs_in_8_bits(
    model: ModelProto, exact: Collection[str], leading: Collection[str]
) -> set[str]:
    """Return the inputs of 8-bit convolutions, also those that are moved on the way."""
    names: set[str] = set()
    for node in reversed(model.graph.node):
        leads = node.output[0] in leading and node.output[0] in names
        if leads or _is_rounded(node, exact):
            names.add(node.input[0])
    return names


def _leading(model: ModelProto, exact: Collection[str]) -> set[str]:
    """Return outputs of moves that only 8-bit convolutions read: rounded before the move."""
    names: set[str] = set()
    floats = {port.name for port in model.graph.output}
    for node in reversed(model.graph.node):
        if node.op_type in MOVERS and node.output[0] not in floats:
            names.add(node.output[0])
            floats.update(node.input[1:])  # a shape
        elif not _is_rounded(node, exact):
            floats.update(node.input)
    return names


class _Writer:
    """Rewrites the nodes of a graph, with pairs of Q and DQ between them."""

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
        self.inputs_in_8_bits = _inputs_in_8_bits(model, exact, self.leading)
        self.rectified = _rectified(model, exact)
        self.integer_scales = _integer_scales(model)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.integers: set[str] = set()
        self.paired: set[str] = set()

    def add(self, node: NodeProto) -> None:
        """Write one node."""
        rectifies = node.op_type in RECTIFIERS and node.input[0] in self.rectified
        if rectifies and node.op_type == "Clip":
            # onnxruntime folds a ReLU into the rounding; a Clip is replaced by the range itself.
            self._write_pair(node.input[0], node.output[0])
            self.integers.update(node.output)
            return
        copy = NodeProto()
        copy.CopyFrom(node)
        follows = node.op_type in FOLLOWERS and node.input[0] in self.integers
        leads = node.output[0] in self.leading
        adds = node.op_type == "Add" and self.integers | self.inputs_in_8_bits >= {*node.input}
        is_integer = rectifies or follows or leads or adds or _is_rounded(node, self.exact)
        is_product = _is_product(node, self.products)
        for place, name in enumerate(() if rectifies else node.input):
            values = is_product or (is_integer and (adds or place == 0))  # else a shape
            if name not in self.weights and (values or name in self.integers):
                copy.input[place] = self._pair(name)
        if is_integer and node.op_type == "Conv":
            image, weight, *biases = node.input
            unit = self.scales[image].step
            largest = [np.abs(self.weights[bias]) for bias in biases]
            step = self._weight(weight, least=sum(largest) / (unit * _BIAS_MAX))
            for bias in biases:
                self._bias(bias, unit * step)
            copy.input[1:] = [f"{name}_rounded" for name in (weight, *biases)]
        if is_product:
            self._weight(node.input[1], axis=1)
            copy.input[1] = f"{node.input[1]}_rounded"
        if is_integer:
            self.integers.update(node.output)
        self.nodes.append(copy)

    def _pair(self, name: str) -> str:
        """Return the name of a tensor after rounding to 8 bits."""
        if name in self.integer_scales:
            return name
        if name not in self.paired:
            self._write_pair(name, name)
        return f"{name}_rounded"

    def _write_pair(self, source: str, name: str) -> None:
        """Write the rounding of ``source`` to 8 bits, with the scale of the tensor ``name``."""
        self.paired.add(name)
        step, zero = self.scales[name]
        self._constant(f"{name}_step", np.array(step))
        self._constant(f"{name}_zero", np.array(zero, np.uint8))
        scale_names = [f"{name}_step", f"{name}_zero"]
        self._node("QuantizeLinear", [source, *scale_names], f"{name}_uint8")
        self._node("DequantizeLinear", [f"{name}_uint8", *scale_names], f"{name}_rounded")

    def _weight(
        self, name: str, *, least: NDArray[np.float32] | float = 0.0, axis: int = 0
    ) -> NDArray[np.float32]:
        """Write a weight; return the step of each channel along an axis, ``least`` or larger."""
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
