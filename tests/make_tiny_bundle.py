"""Make the tiny bundles in tests/data: python -m tests.make_tiny_bundle (from the repository).

Real graphs with the real names, a few kB, so that tests need neither torch nor a download. All
arithmetic before the last division is exact in float32 (integers and powers of two), so the tests
may ask for equal bits whatever the windows and the machine.
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from venturi._bundle.manifest import FileEntry, Manifest, Parent, Pictures
from venturi._format.tables import TOTAL, Tables
from venturi._layout import ORDER, STEPS

DATA = Path(__file__).parent / "data"
LATENTS, HYPERS = 12, 2
TINY_SIDE, TINY_NUMBERS = 8, 4
RADII = (0, 1, 2, 4, 8, 16, 32, 64)
OPSET, IR_VERSION = 17, 8

_TYPES = {"f": TensorProto.FLOAT, "i": TensorProto.INT32, "u": TensorProto.UINT8}
_TURNED = {"perm": [2, 0, 1]}
_TURNED_BACK = {"perm": [1, 2, 0]}
Value = tuple[str, str, Sequence[int | str]]
Node = tuple[str, str, str, dict[str, Any]]
Array = NDArray[np.float64]


def main(folder: Path = DATA) -> None:
    make_codec(folder / "tiny_codec")
    make_denoiser(folder / "tiny_denoiser")
    make_recurrent(folder / "tiny_recurrent")
    make_autoencoder(folder / "tiny_autoencoder")


def make_codec(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {
        "encoder.onnx": _encoder(),
        "entropy-first.onnx": _first(),
        "entropy-second.onnx": _second(),
        "entropy-third.onnx": _third(),
        "decoder.onnx": _decoder(),
    }
    for name, model in graphs.items():
        (folder / name).write_bytes(model)
    (folder / "tables.bin").write_bytes(_tables().to_bytes())
    files = {
        name.partition(".")[0].replace("-", "_"): FileEntry.of(folder, name) for name in graphs
    }
    manifest = Manifest(
        name="tiny-codec",
        task="codec",
        description="Block means of 8 pixels; for tests.",
        channels=3,
        stride=64,
        files=files | {"tables": FileEntry.of(folder, "tables.bin")},
        parameters={
            "latent_channels": LATENTS,
            "latent_stride": 16,
            "hyper_channels": HYPERS,
            "hyper_stride": 64,
            "mean_scale": 16,
            "chunk": 1024,
            "encoder_margin": 64,
            "decoder_margin": 64,
        },
        measured={},
        provenance={"made_by": "tests/make_tiny_bundle.py", "licence": "Apache-2.0"},
        version="0.1.0",
        parent=Parent("tiny-codec", "0.0.1", "0" * 64),
        pictures=(Pictures("means", 1, "Apache-2.0"),),
    )
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8", newline="\n")


def make_denoiser(folder: Path) -> None:
    _write_denoiser(folder, _denoiser(), "tiny-denoiser", "A blur of 3x3 pixels", {})


def make_recurrent(folder: Path) -> None:
    state = {"state_channels": 1, "state_stride": 4}
    what = "A blur of 3x3 pixels, and a running mean of 4x4 pixels over frames"
    _write_denoiser(folder, _recurrent(), "tiny-recurrent", what, state)


def _write_denoiser(
    folder: Path, model: bytes, name: str, what: str, state: dict[str, int]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "denoiser.onnx").write_bytes(model)
    manifest = Manifest(
        name=name,
        task="denoiser",
        description=f"{what}; for tests.",
        channels=3,
        stride=8,
        files={"denoiser": FileEntry.of(folder, "denoiser.onnx")},
        parameters={"margin": 8} | state,
        measured={},
        provenance={"made_by": "tests/make_tiny_bundle.py", "licence": "Apache-2.0"},
        version="0.1.0",
        parent=None,
        pictures=(),
    )
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8", newline="\n")


def make_autoencoder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    side = TINY_SIDE
    image: Value = "image", "f", ["batch", 1, side, side]
    code: Value = "code", "f", ["batch", TINY_NUMBERS]
    to_code: list[Node] = [
        ("AveragePool", "image", "means", {"kernel_shape": [4, 4], "strides": [4, 4]}),
        ("Flatten", "means", "flat", {}),
        ("Mul", "flat steps", "code", {}),
    ]
    to_image: list[Node] = [
        ("Div", "code steps", "flat", {}),
        ("Reshape", "flat shape", "means", {}),
        ("Resize", "means  scales", "image", _NEAREST),
    ]
    half = side // 4
    shape = numpy_helper.from_array(np.array([-1, 1, half, half], np.int64), "shape")
    scales: dict[str, ArrayLike] = {"steps": [51.0], "scales": [1.0, 1, 4, 4]}
    graphs = {
        "encoder.onnx": _model("encoder", to_code, [image], [code], {"steps": [51.0]}),
        "decoder.onnx": _model("decoder", to_image, [code], [image], scales, [shape]),
    }
    for name, model in graphs.items():
        (folder / name).write_bytes(model)
    tables = Tables.from_lists([_spread(51)], [[0] * TINY_NUMBERS])
    (folder / "tables.bin").write_bytes(tables.to_bytes())
    files = {name: f"{name}.onnx" for name in ("encoder", "decoder")} | {"tables": "tables.bin"}
    manifest = Manifest(
        name="tiny-autoencoder",
        task="autoencoder",
        description="Means of 4x4 pixels; for tests.",
        channels=1,
        stride=1,
        files={role: FileEntry.of(folder, path) for role, path in files.items()},
        parameters={
            "height": side,
            "width": side,
            "code_numbers": TINY_NUMBERS,
            "prior_deviation": 16,
        },
        measured={},
        provenance={"made_by": "tests/make_tiny_bundle.py", "licence": "Apache-2.0"},
        version="0.1.0",
        parent=None,
        pictures=(),
    )
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8", newline="\n")


def _spread(radius: int) -> list[int]:
    """Frequencies of 0..radius that are alike, of the others as small as can be."""
    share = (TOTAL - radius - 1) // (radius + 1)
    counts = [1] * radius + [share] * (radius + 1) + [1]
    counts[radius] += TOTAL - sum(counts)
    return counts


def _blur(channels: int) -> Array:
    """A 3x3 kernel that reaches into the neighbouring window: 1/2 itself, 1/8 each neighbour."""
    kernel = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 8
    return np.tile(kernel, (channels, 1, 1, 1))


def _walsh() -> Array:
    """Four patterns of 4x4 for each colour: mean, left-right, top-bottom, both."""
    side = np.array([[1, 1, 1, 1], [1, 1, -1, -1]])
    patterns = np.einsum("ai,bj->abij", side, side).reshape(4, 1, 4, 4)
    return np.tile(patterns, (3, 1, 1, 1))


def _encoder() -> bytes:
    constants: dict[str, ArrayLike] = {
        "levels": 255.0, "half": 0.5, "middle": 128.0, "blur": _blur(3), "walsh": _walsh() / 16,
        "steps": [15.0], "one": [1.0], "unit": [1 / 32], "pick": _pick(),
    }  # fmt: skip
    nodes: list[Node] = [
        *_to_levels("image", "centred"),
        ("Conv", "centred blur", "soft", {"pads": [1, 1, 1, 1], "group": 3}),
        ("AveragePool", "soft", "small", {"kernel_shape": [4, 4], "strides": [4, 4]}),
        ("Conv", "small walsh", "patterns", {"strides": [4, 4], "group": 3}),
        *_to_gain(),
        ("Mul", "patterns gain", "latent", {}),
        ("Abs", "latent", "size", {}),
        ("AveragePool", "size", "sizes", {"kernel_shape": [4, 4], "strides": [4, 4]}),
        ("Conv", "sizes pick", "hyper_latent", {}),
    ]
    inputs = [_image("image"), ("quality", "f", [1])]
    outputs = [_latent("latent", "f"), _hyper()]
    return _model("encoder", nodes, inputs, outputs, constants)


def _first() -> bytes:
    constants: dict[str, ArrayLike] = {
        "spread": np.full((LATENTS, HYPERS, 1, 1), 0.25), "scales": [1.0, 1, 4, 4],
        "bucket": [1 / 128], "two": [2.0], "zero": 0.0,
    }  # fmt: skip
    nodes: list[Node] = [
        ("Conv", "hyper_latent spread", "rough", {}),
        ("Resize", "rough  scales", "wide", _NEAREST),
        ("Mul", "quality bucket", "share", {}),
        ("Floor", "share", "more", {}),
        ("Add", "wide more", "fuller", {}),
        ("Add", "fuller two", "shared", {}),
        ("Squeeze", "shared at0", "shared_planes", {}),
        ("Transpose", "shared_planes", "features", _TURNED_BACK),
        *_to_index("shared", 0),
        ("Mul", "index zero", "guess", {}),
        ("Cast", "guess", "mean", {"to": TensorProto.INT32}),
    ]
    outputs = [_latent("shared", "f"), _features(), *_choice("quarter_height")]
    return _model("first", nodes, [_hyper(), ("quality", "f", [1])], outputs,
                  constants | _INDEX_CONSTANTS, _places())  # fmt: skip


def _second() -> bytes:
    nodes: list[Node] = [
        ("Transpose", "features", "features_planes", _TURNED),
        ("Unsqueeze", "features_planes at0", "level", {}),
        *_to_later_choice("level", 1),
    ]
    inputs = [_features(), _taken_latent("context", "f", "quarter_height")]
    return _model("second", nodes, inputs, _choice("quarter_height"),
                  _LATER_CONSTANTS | _INDEX_CONSTANTS, _places())  # fmt: skip


def _third() -> bytes:
    inputs = [_latent("shared", "f"), _taken_latent("context", "f", "half_height")]
    return _model("third", _to_later_choice("shared", 2), inputs, _choice("half_height"),
                  _LATER_CONSTANTS | _INDEX_CONSTANTS, _places())  # fmt: skip


_LATER_CONSTANTS: dict[str, ArrayLike] = {"near": _blur(LATENTS), "one": 1.0}


def _to_later_choice(level: str, step: int) -> list[Node]:
    """To the choice of a step that guesses from what stands at its places in the steps before."""
    return [
        ("Sub", f"{level} one", "sharper", {}),
        *_to_index("sharper", step),
        ("Conv", "context near", "around", {"pads": [1, 1, 1, 1], "group": LATENTS}),
        ("Floor", "around", "guess", {}),
        ("Cast", "guess", "mean", {"to": TensorProto.INT32}),
    ]


_INDEX_CONSTANTS: dict[str, ArrayLike] = {"low": 0.0, "high": len(RADII) - 1.0}


def _to_index(level: str, step: int) -> list[Node]:
    """From how wide a table each latent wants to those of one step's places."""
    return [
        ("Floor", level, "whole", {}),
        ("Clip", "whole low high", "every_index", {}),
        *_taken("every_index", "index", step),
        ("Cast", "index", "scale_index", {"to": TensorProto.UINT8}),
    ]


def _taken(whole: str, taken: str, step: int) -> list[Node]:
    """Take one step's places: those of each quarter, of each quarter of the channels."""
    nodes: list[Node] = []
    for group in range(4):
        own = f"{taken}_{group}"
        nodes.append(("Slice", f"{whole} group{group} group{group + 1} axis_1", own, {}))
        parts = []
        for quarter in STEPS[step]:
            row, column = divmod(ORDER[group] ^ ORDER[quarter], 2)
            parts.append(f"{own}_{quarter}")
            nodes += [
                ("Slice", f"{own} at{row} end axis_2 by_2", f"{parts[-1]}_rows", {}),
                ("Slice", f"{parts[-1]}_rows at{column} end axis_3 by_2", parts[-1], {}),
            ]
        nodes.append(("Concat", " ".join(parts), f"{own}_all", {"axis": 2}))
    groups = " ".join(f"{taken}_{group}_all" for group in range(4))
    return [*nodes, ("Concat", groups, taken, {"axis": 1})]


def _places() -> list[TensorProto]:
    found = {
        "at0": [0], "at1": [1], "end": [2**31 - 1], "by_2": [2],
        "axis_1": [1], "axis_2": [2], "axis_3": [3],
        **{f"group{group}": [LATENTS * group // 4] for group in range(5)},
    }  # fmt: skip
    return [numpy_helper.from_array(np.array(v, np.int64), name) for name, v in found.items()]


def _decoder() -> bytes:
    constants: dict[str, ArrayLike] = {
        "blur": _blur(3), "walsh": _walsh(), "scales": [1.0, 1, 4, 4],
        "middle": 128.0, "steps": [15.0], "one": [1.0], "unit": [1 / 32], "step": 1.0,
    }  # fmt: skip
    nodes: list[Node] = [
        ("ConvTranspose", "latent walsh", "small", {"strides": [4, 4], "group": 3}),
        ("Resize", "small  scales", "sharp", _NEAREST),
        ("Conv", "sharp blur", "soft", {"pads": [1, 1, 1, 1], "group": 3}),
        *_to_gain(),
        ("Div", "soft gain", "centred", {}),
        ("Add", "centred middle", "level", {}),
        *_to_pixels("level", "image"),
    ]
    inputs = [_latent("latent", "f"), ("quality", "f", [1])]
    return _model("decoder", nodes, inputs, [_pixels("image")], constants, _STEPS)


def _denoiser() -> bytes:
    nodes = [*_to_noise(), *_to_clean("noise"), *_to_pixels("level", "clean")]
    inputs = [_pixels("frame"), ("strength", "f", [1])]
    return _model("denoiser", nodes, inputs, [_pixels("clean")], _NOISE, _STEPS)


def _recurrent() -> bytes:
    """The past is the running mean of each 4x4 pixels, and the state 1 where it is one.

    Half of what the mean has drifted since is taken back, so that a still scene settles.
    """
    constants: dict[str, ArrayLike] = {
        **_NOISE, "scales": [1.0, 1, 4, 4], "half": 0.5, "zero": 0.0, "unit": 1.0
    }  # fmt: skip
    means = {"kernel_shape": [4, 4], "strides": [4, 4]}
    nodes: list[Node] = [
        *_to_noise(),
        ("AveragePool", "centred", "now", means),
        *_to_levels_of("past"),
        ("AveragePool", "past_centred", "before", means),
        *_turned("state", "known"),
        ("Sub", "before now", "change", {}),
        ("Mul", "change known", "drift", {}),
        ("Mul", "drift half", "back", {}),
        ("Conv", "back blur", "soft_back", {"pads": [1, 1, 1, 1], "group": 3}),
        ("Resize", "soft_back  scales", "wide", _NEAREST),
        ("Add", "noise wide", "taken", {}),
        *_to_clean("taken"),
        *_to_pixels("level", "clean"),
        ("Add", "now back", "running", {}),
        ("Add", "running middle", "running_level", {}),
        ("Resize", "running_level  scales", "running_wide", _NEAREST),
        *_to_pixels("running_wide", "next_past"),
        ("Mul", "state zero", "nothing", {}),
        ("Add", "nothing unit", "next_state", {}),
    ]
    inputs = [_pixels("frame"), ("strength", "f", [1]), _pixels("past"), _state("state")]
    outputs = [_pixels("clean"), _pixels("next_past"), _state("next_state")]
    return _model("denoiser", nodes, inputs, outputs, constants, _STEPS)


def _to_noise() -> list[Node]:
    """From the frame to its centred levels and what a blur would change in them."""
    return [
        *_to_levels_of("frame"),
        ("SpaceToDepth", "frame_centred", "deep", {"blocksize": 8}),  # insists on the stride
        ("DepthToSpace", "deep", "centred", {"blocksize": 8}),
        ("Conv", "centred blur", "soft", {"pads": [1, 1, 1, 1], "group": 3}),
        ("Sub", "soft centred", "noise", {}),
    ]


def _to_clean(change: str) -> list[Node]:
    return [
        ("Mul", f"{change} strength", "some", {}),
        ("Add", "centred some", "cleaned", {}),
        ("Add", "cleaned middle", "level", {}),
    ]


def _to_levels_of(pixels: str) -> list[Node]:
    """From pixels to planes of their levels minus 128."""
    return [
        ("DequantizeLinear", f"{pixels} step zero_level", f"{pixels}_levels", {}),
        *_turned(f"{pixels}_levels", f"{pixels}_planes"),
        ("Sub", f"{pixels}_planes middle", f"{pixels}_centred", {}),
    ]


def _turned(last: str, planes: str) -> list[Node]:
    return [
        ("Transpose", last, f"{planes}_turned", _TURNED),
        ("Unsqueeze", f"{planes}_turned front", planes, {}),
    ]


def _to_pixels(planes: str, pixels: str) -> list[Node]:
    """From planes of levels to pixels: rounded and clipped."""
    return [
        ("Squeeze", f"{planes} front", f"{pixels}_flat", {}),
        ("Transpose", f"{pixels}_flat", f"{pixels}_levels", _TURNED_BACK),
        ("QuantizeLinear", f"{pixels}_levels step zero_level", pixels, {}),
    ]


_STEPS = [
    numpy_helper.from_array(np.array(0, np.uint8), "zero_level"),
    numpy_helper.from_array(np.array([0], np.int64), "front"),
]


_NOISE: dict[str, ArrayLike] = {"middle": 128.0, "blur": _blur(3), "step": 1.0}
_NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def _to_levels(image: str, centred: str) -> list[Node]:
    """From [0, 1] back to the exact integers 0..255, minus 128."""
    return [
        ("Mul", f"{image} levels", "scaled", {}),
        ("Add", "scaled half", "raised", {}),
        ("Floor", "raised", "integer", {}),
        ("Sub", "integer middle", centred, {}),
    ]


def _to_gain() -> list[Node]:
    """From quality in [0, 1] to one of 1/32, 2/32, ... 16/32."""
    return [
        ("Mul", "quality steps", "stepped", {}),
        ("Add", "stepped one", "raised_step", {}),
        ("Floor", "raised_step", "whole_step", {}),
        ("Mul", "whole_step unit", "gain", {}),
    ]


def _pick() -> Array:
    """Sum what the mean patterns and the other patterns have."""
    is_mean = np.arange(LATENTS) % 4 == 0
    return np.stack([is_mean, ~is_mean]).reshape(HYPERS, LATENTS, 1, 1) / 4


def _tables() -> Tables:
    def frequencies(radius: int) -> list[int]:
        if not radius:
            return []
        magnitude = np.abs(np.arange(-radius, radius + 1))
        shape = np.append(np.exp2(-2.0 * magnitude / radius), 2.0**-8)
        counts = [1 + math.floor(x) for x in shape / shape.sum() * (65536 - shape.size)]
        counts[radius] += 65536 - sum(counts)
        return counts

    return Tables.from_lists([frequencies(radius) for radius in RADII], [[5, 4], [6, 5]])


def _image(name: str) -> Value:
    return name, "f", [1, 3, "height", "width"]


def _pixels(name: str) -> Value:
    return name, "u", ["height", "width", 3]


def _state(name: str) -> Value:
    return name, "f", ["state_height", "state_width", 1]


def _latent(name: str, kind: str) -> Value:
    return name, kind, [1, LATENTS, "latent_height", "latent_width"]


def _features() -> Value:
    return "features", "f", ["latent_height", "latent_width", LATENTS]


def _taken_latent(name: str, kind: str, height: str) -> Value:
    return name, kind, [1, LATENTS, height, "half_width"]


def _choice(height: str) -> list[Value]:
    return [_taken_latent("mean", "i", height), _taken_latent("scale_index", "u", height)]


def _hyper() -> Value:
    return "hyper_latent", "f", [1, HYPERS, "hyper_height", "hyper_width"]


def _model(
    name: str,
    nodes: Sequence[Node],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: dict[str, ArrayLike],
    integers: Sequence[TensorProto] = (),
) -> bytes:
    graph = helper.make_graph(
        [
            helper.make_node(kind, taken.split(" "), [given], name=f"{name}/{given}", **attributes)
            for kind, taken, given, attributes in nodes
        ],
        name,
        [helper.make_tensor_value_info(n, _TYPES[kind], shape) for n, kind, shape in inputs],
        [helper.make_tensor_value_info(n, _TYPES[kind], shape) for n, kind, shape in outputs],
        [
            *(numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in constants.items()),
            *integers,
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name = "venturi-tests"
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
