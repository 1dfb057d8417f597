"""FFDNet's layers, to be timed: the weights are random, so their quality says nothing.

Zhang, Zuo and Zhang, "FFDNet: Toward a fast and flexible solution for CNN-based image denoising",
TIP 2018, section III: the frame at half the resolution beside a map of the noise level, twelve
convolutions of 3x3 with 96 channels (852,108 parameters for colour), and back. How long they take
does not depend on what the weights are.
"""

from itertools import pairwise

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.pictures import Picture

NAME = "ffdnet"
LABEL = "FFDNet's layers (time alone)"

_CHANNELS, _LAYERS, _HALF = 96, 12, 2
_COLOURS = 3
_OPSET, _IR_VERSION = 17, 8


class Ffdnet:
    """FFDNet as onnxruntime runs it, with the way in and out of a uint8 frame."""

    def __init__(self, threads: int) -> None:
        """threads: for the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin after a run would slow down whatever is timed next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            _model(), options, providers=["CPUExecutionProvider"]
        )

    def denoise(self, frame: Picture) -> Picture:
        """Return what comes out, uint8 (H, W, 3). frame: of even sides."""
        planes = np.divide(frame.transpose(2, 0, 1)[None], np.float32(255), dtype=np.float32)
        size = [side // _HALF for side in frame.shape[:2]]
        level = np.full((1, 1, *size), 25 / 255, np.float32)
        (output,) = self._session.run(None, {"frame": planes, "level": level})
        pixels = np.clip(output[0] * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def weights() -> list[NDArray[np.float32]]:
    """Return the layers' weights, random and of ordinary size."""
    rng = np.random.default_rng(0)
    pixels = _COLOURS * _HALF**2
    widths = [pixels + 1, *[_CHANNELS] * (_LAYERS - 1), pixels]
    return [
        rng.normal(0, (2 / (9 * inputs)) ** 0.5, (outputs, inputs, 3, 3)).astype(np.float32)
        for inputs, outputs in pairwise(widths)
    ]


def _model() -> bytes:
    nodes = [
        helper.make_node("SpaceToDepth", ["frame"], ["deep"], blocksize=_HALF),
        helper.make_node("Concat", ["deep", "level"], ["x0"], axis=1),
    ]
    tensors = []
    for number, weight in enumerate(weights()):
        tensors.append(numpy_helper.from_array(weight, f"w{number}"))
        tensors.append(numpy_helper.from_array(np.zeros(len(weight), np.float32), f"b{number}"))
        last = number == _LAYERS - 1
        names = [f"x{number}", f"w{number}", f"b{number}"]
        result = "y" if last else f"c{number}"
        nodes.append(helper.make_node("Conv", names, [result], pads=[1, 1, 1, 1]))
        if not last:
            nodes.append(helper.make_node("Relu", [result], [f"x{number + 1}"]))
    nodes.append(helper.make_node("DepthToSpace", ["y"], ["clean"], blocksize=_HALF))
    frame, level, clean = (
        helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [1, channels, f"{name}_height", f"{name}_width"]
        )
        for name, channels in (("frame", _COLOURS), ("level", 1), ("clean", _COLOURS))
    )
    graph = helper.make_graph(nodes, "ffdnet", [frame, level], [clean], tensors)
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
    data: bytes = model.SerializeToString()
    return data
