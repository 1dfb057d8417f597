"""The denoiser in 8 bits: from a network to a variant in its bundle, chosen at run time."""

import dataclasses
import json
import pickle
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export import __main__ as export
from export import int8
from export.channels_last import MIDDLE, AllBetween, Strongest
from export.denoiser import write_graph
from export.parity import ParityError
from export.pixels import FloatForm, ShippedDenoiser
from export.quantise import Scale, quantised, scales
from tests import bundles
from tests.training import camera_recipe, options, picture, pictures
from train import __main__ as train
from train.engine.loop import Trainer
from train.networks.codec import CodecNetwork, Sizes
from train.networks.denoiser import (
    EXACT_LAYERS,
    GRIDS,
    PATCH,
    SHARE_MAX,
    Between,
    DenoiserNetwork,
    exact_layers,
)
from train.networks.equalization import codec_groups, equalised, still_groups
from train.networks.quantised import Rounded, round_activation, round_weight
from train.tasks.camera import CameraTask
from train.tasks.photo import to_tensor
from venturi import BundleError, Codec, Denoiser, InputError, Manifest
from venturi._bundle.manifest import FileEntry
from venturi._cli.main import main
from venturi.bench.subjects import Spec, opened

# The exporter of torch 2.13 trips over its own deprecation of tree specs.
pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny denoiser's bundle with a variant in 8 bits."""
    folder = tmp_path_factory.mktemp("int8") / "tiny"
    shutil.copytree(bundles.DENOISER, folder)
    model = onnx.load(folder / "denoiser.onnx")
    found = scales(model, [feed(seed) for seed in range(4)])
    onnx.save(quantised(model, found), folder / "denoiser-int8.onnx")
    manifest = Manifest.load(folder)
    files = {**manifest.files, "denoiser_int8": FileEntry.of(folder, "denoiser-int8.onnx")}
    text = dataclasses.replace(manifest, files=files).to_json()
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return folder


def feed(seed: int) -> dict[str, NDArray[Any]]:
    return {"frame": picture(64, 64, seed), "strength": np.ones(1, np.float32)}


FRAMES = to_tensor([picture(64, 64, seed) for seed in range(6)])
STRENGTHS = torch.ones(len(FRAMES))


def network(seed: int = 0, slope: float = 0.1) -> DenoiserNetwork:
    """Return a network that was not trained, with channels of very different sizes."""
    torch.manual_seed(seed)
    made = DenoiserNetwork(16, 32, 1, 1, 2, slope).eval()
    for name, weight in made.named_parameters():
        if "between" in name and "share" in name:
            torch.nn.init.normal_(weight, std=0.05)
    with torch.no_grad():
        for group in still_groups(made):
            for writer in group.writers:
                assert isinstance(writer, torch.nn.Conv2d)
                spread = torch.logspace(-1, 0.5, writer.out_channels)
                writer.weight.mul_(spread.view(-1, 1, 1, 1))
        *_, last, _ = made.estimator
        assert isinstance(last, torch.nn.Conv2d)
        last.weight.mul_(0.02)  # noise levels as there are, which a byte can claim
    return made


def test_precision_is_chosen_at_run_time(tiny: Path) -> None:
    exact, variant = Denoiser(tiny, threads=1), Denoiser(tiny, threads=1, precision="int8")
    assert exact.manifest.precisions == ("fp32", "int8")
    image = picture(50, 70, 1)
    difference = exact.denoise(image).astype(int) - variant.denoise(image)
    assert 0 < np.abs(difference).max() <= 4
    assert "precision='int8'" in repr(variant)
    twin = pickle.loads(pickle.dumps(variant))
    assert repr(twin) == repr(variant)
    np.testing.assert_array_equal(twin.denoise(image), variant.denoise(image))


def test_the_variant_leaves_the_fingerprint_alone(tiny: Path) -> None:
    assert Manifest.load(tiny).fingerprint == Manifest.load(bundles.DENOISER).fingerprint


@pytest.mark.parametrize("precision", ["int8", "int4", "", "FP32"])
def test_what_a_bundle_has_is_named(precision: str) -> None:
    with pytest.raises(InputError, match=r"precision is .*tiny_denoiser.*expected fp32;"):
        Denoiser(bundles.DENOISER, precision=precision)


def test_a_damaged_variant_is_refused(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "bundle")
    path = tmp_path / "bundle" / "denoiser-int8.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    for precision in ("fp32", "int8"):
        with pytest.raises(Exception, match=r"denoiser-int8\.onnx: .*bytes; expected"):
            Denoiser(tmp_path / "bundle", precision=precision)


@pytest.fixture(scope="module")
def tiny_codec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny codec's bundle with a variant in 8 bits."""
    folder = tmp_path_factory.mktemp("int8") / "codec"
    shutil.copytree(bundles.CODEC, folder)
    quality = np.full(1, 0.5, np.float32)
    images = list(FRAMES[:4].unsqueeze(1).numpy())
    latents = [Codec(folder)._transform._encoder.run(image, quality)[0] for image in images]
    seen = {"encoder": ("image", images), "decoder": ("latent", latents)}
    files = dict(Manifest.load(folder).files)
    for role, (name, values) in seen.items():
        model = onnx.load(folder / f"{role}.onnx")
        found = scales(model, [{name: value, "quality": quality} for value in values])
        onnx.save(quantised(model, found), folder / f"{role}-int8.onnx")
        files[f"{role}_int8"] = FileEntry.of(folder, f"{role}-int8.onnx")
    text = dataclasses.replace(Manifest.load(folder), files=files).to_json()
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return folder


def test_streams_of_either_precision_are_decoded_by_either(tiny_codec: Path) -> None:
    exact, variant = (Codec(tiny_codec, precision=name) for name in ("fp32", "int8"))
    assert exact.manifest.precisions == ("fp32", "int8")
    assert exact.manifest.fingerprint == Codec(bundles.CODEC).manifest.fingerprint
    assert "precision='int8'" in repr(pickle.loads(pickle.dumps(variant)))
    image = picture(96, 70, 1)
    one, two = exact.compress(image), variant.compress(image)
    assert one != two
    for stream in (one, two):
        difference = exact.decompress(stream).astype(int) - variant.decompress(stream)
        assert 0 < np.abs(difference).max() <= 8


def test_the_command_line_compresses_in_either(tiny_codec: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), picture(96, 70, 1))
    rest = ["--bundle", str(tiny_codec), "--precision"]
    made = []
    for precision in ("fp32", "int8"):
        stream, image = (str(tmp_path / f"{precision}{end}") for end in (".vnt", ".png"))
        assert main(["compress", str(tmp_path / "in.png"), stream, *rest, precision]) == 0
        assert main(["decompress", stream, image, *rest, precision]) == 0
        made.append((Path(stream).read_bytes(), Path(image).read_bytes()))
    assert made[0][0] != made[1][0]
    assert made[0][1] != made[1][1]


def test_a_codec_without_a_variant_says_so() -> None:
    assert Codec(bundles.CODEC).manifest.precisions == ("fp32",)
    with pytest.raises(InputError, match=r"precision is 'int8' .*tiny_codec.*expected fp32;"):
        Codec(bundles.CODEC, precision="int8")


def test_half_of_a_variant_is_refused(tiny_codec: Path) -> None:
    values = json.loads(Manifest.load(tiny_codec).to_json())
    del values["files"]["decoder_int8"]
    with pytest.raises(BundleError, match="encoder_int8"):
        Manifest.from_json(json.dumps(values))


@torch.no_grad()
def test_equal_channels_of_a_codec_compute_the_same() -> None:
    torch.manual_seed(0)
    before = CodecNetwork(Sizes(16, 16, 32, 8, 1, 1, 1)).eval()
    for layer in (before.synthesis.share, before.synthesis.stem):
        layer.weight.mul_(torch.logspace(-1, 1, layer.out_channels).view(-1, 1, 1, 1))
    end = before.synthesis.filter
    for name, weight in end.named_parameters():
        if "share.weight" in name or "offset.weight" in name:
            weight.normal_(std=0.1)
    image, quality = torch.rand(2, 3, 128, 64), torch.tensor([0.2, 0.9])
    after = equalised(before, codec_groups, image, quality, None)
    latent, hyper = before.analysis(image, quality)
    for expected, found in zip((latent, hyper), after.analysis(image, quality), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    made = before.synthesis(latent, quality), after.synthesis(latent, quality)
    torch.testing.assert_close(made[1], made[0], atol=1e-4, rtol=1e-4)
    for group in codec_groups(after):
        assert group.writers
        assert group.readers or group.factors
    assert not torch.equal(after.synthesis.up.weight, before.synthesis.up.weight)


def test_the_command_line_takes_it(tiny: Path, tmp_path: Path) -> None:
    source = tmp_path / "noisy.png"
    cv2.imwrite(str(source), picture(40, 30, 2))
    command = ["denoise", str(source), "--bundle", str(tiny), "--precision"]
    for precision in ("fp32", "int8"):
        assert (
            main([*command[:2], str(tmp_path / f"{precision}.png"), *command[2:], precision]) == 0
        )
    assert (tmp_path / "fp32.png").read_bytes() != (tmp_path / "int8.png").read_bytes()


def test_a_variant_that_is_not_there_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pictures(tmp_path / "in", 1) / "0.png"
    arguments = [str(source), str(tmp_path / "a.png"), "--bundle", str(bundles.DENOISER)]
    assert main(["denoise", *arguments, "--precision", "int8"]) == 1
    assert "expected fp32" in capsys.readouterr().err


def test_the_bench_sweeps_it(tiny: Path, tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    arguments = ["--precision", "fp32,int8", "--size", "32x32", "--threads", "1"]
    assert main(["bench", str(tiny), *arguments, "--seconds", "0.05", "--json", str(report)]) == 0
    rows = json.loads(report.read_text())["rows"]
    assert [row["precision"] for row in rows] == ["fp32", "int8"]
    assert rows[0]["error"] != rows[1]["error"]
    assert opened(Spec(str(tiny), precision="int8")).precision == "int8"


@pytest.mark.parametrize(("low", "high"), [(-1.0, 3.0), (0.2, 1.0), (-5.0, -1.0), (0.0, 0.0)])
def test_zero_is_exact_and_the_ends_are_reached(low: float, high: float) -> None:
    step, zero = float(Scale.of(low, high).step), Scale.of(low, high).zero
    assert 0 <= zero <= 255
    assert (0 - zero) * step == pytest.approx(min(low, 0), abs=step)
    assert (255 - zero) * step == pytest.approx(max(high, 0), abs=max(step, 1e-7))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return files of one network in 8 bits: as it is, and with equal channels, "ready" before."""
    folder = tmp_path_factory.mktemp("files")
    plain = network()
    made = {"plain": plain, "equal": equalised(plain, still_groups, FRAMES, STRENGTHS)}
    found: dict[str, Path] = {}
    for name, one in made.items():
        exact, variant = folder / f"{name}.onnx", folder / f"{name}-int8.onnx"
        write_graph(one, exact, reference=plain, for_int8=True)
        int8.write_int8(exact, variant, int8.frame_feeds(FRAMES, STRENGTHS))
        found |= {f"{name}-int8": variant}
    return found | {"ready": exact}


def moving(*, in_float: bool) -> ModelProto:
    """Return a model of a picture that is moved to a convolution, and perhaps to a sum as well."""
    ports = {
        "image": helper.make_tensor_value_info("image", TensorProto.FLOAT, ["h", "w", 3]),
        "size": helper.make_tensor_value_info("size", TensorProto.INT64, [4]),
        "found": helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 2, "h", "w"]),
        "sum": helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 3, "h", "w"]),
    }
    nodes = [
        helper.make_node("Reshape", ["size", "four"], ["shape"]),
        helper.make_node("Reshape", ["image", "shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weight"], ["found"]),
    ]
    if in_float:
        nodes.append(helper.make_node("Add", ["planes", "planes"], ["sum"]))
    constants = {"four": np.array([4]), "weight": np.ones((2, 3, 1, 1), np.float32)}
    graph = helper.make_graph(
        nodes,
        "graph",
        [ports["image"], ports["size"]],
        [ports["found"], *([ports["sum"]] if in_float else [])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("in_float", [False, True])
def test_what_is_moved_for_convolutions_alone_is_rounded_before(in_float: bool) -> None:
    image = picture(8, 6, 0) / np.float32(255)
    inputs = {"image": image, "size": np.array([1, 8, 6, 3])}
    model = moving(in_float=in_float)
    found = scales(model, [inputs])
    assert found["image"] == (np.float32(1 / 255), 0)  # a picture goes in without loss
    assert found["planes"] == found["rows"] == found["image"]
    assert not {"size", "shape"} & found.keys()
    made = quantised(model, found)
    kinds = [node.op_type for node in made.graph.node]
    assert (kinds.index("QuantizeLinear") < kinds.index("Transpose")) != in_float
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    expected = np.repeat(image.sum(2)[None, None], 2, axis=1)
    np.testing.assert_allclose(session.run(["found"], inputs)[0], expected, atol=1e-5)


def product() -> ModelProto:
    """Return a model of a picture's colours times a matrix."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["h", "w", channels])
        for name, channels in (("image", 3), ("found", 2))
    ]
    nodes = [
        helper.make_node("Neg", ["image"], ["seen"]),
        helper.make_node("MatMul", ["seen", "matrix"], ["found"]),
    ]
    matrix = numpy_helper.from_array(
        np.array([[1.1, 9], [2.3, -8.1], [3.7, 7.3]], np.float32), "matrix"
    )
    graph = helper.make_graph(nodes, "graph", ports[:1], ports[1:], [matrix])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_product_takes_8_bits_and_gives_more(tmp_path: Path) -> None:
    model = product()
    image = np.random.default_rng(0).normal(0, 1, (512, 128, 3)).clip(-2).astype(np.float32)
    image[7, 0, 0] = 40  # one large value: nothing is clipped
    found = scales(model, [{"image": image}], {"matrix"})
    assert found["seen"].step * found["seen"].zero == pytest.approx(40, rel=0.01)
    path = tmp_path / "product.onnx"
    onnx.save(quantised(model, found, products={"matrix"}), path)
    assert operators(path)["DequantizeLinear"] == 2
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3  # it warns that such a file is for this machine only
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"image": image})
    assert operators(tmp_path / "fused.onnx")["MatMulIntegerToFloat"] == 1
    exact = -image @ numpy_helper.to_array(model.graph.initializer[0])
    # Half a step of each value, times the weights, and half a step of these.
    largest = 0.5 * found["seen"].step * np.array([7.1, 24.4]) + 0.5 * np.array([3.7, 9]) / 64 * 60
    assert (np.abs(made - exact) < largest).all()
    assert np.abs(made - exact).max() > 0
    assert np.unique(made).size > 1000  # not rounded to 8 bits
    untouched = quantised(model, {})
    assert [node.op_type for node in untouched.graph.node] == ["Neg", "MatMul"]


@torch.no_grad()
@pytest.mark.parametrize("inputs", [4, 20])
def test_the_first_coefficients_stay_exact(inputs: int) -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(inputs, 12)
    rows = torch.rand(6, inputs)
    whole, parted = (Strongest(layer, for_int8=so) for so in (False, True))
    torch.testing.assert_close(whole(rows), layer(rows))
    torch.testing.assert_close(parted(rows), layer(rows))
    assert parted.rounded is not None
    parted.rounded.zero_()
    rest = rows.clone()
    rest[:, : -(-inputs // 10)] = 0
    torch.testing.assert_close(parted(rows), layer(rows) - layer(rest) + layer.bias)


@torch.no_grad()
def test_equal_channels_compute_the_same() -> None:
    before = network()
    frames, strengths = torch.rand(4, 3, 64, 64), torch.tensor([1.0, 1.0, 0.5, 2.0])
    after = equalised(before, still_groups, frames, strengths)
    expected, found = before(frames, strengths), after(frames, strengths)
    torch.testing.assert_close(found.clean, expected.clean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.level, expected.level, atol=1e-4, rtol=1e-4)
    assert not torch.equal(after.stem.weight, before.stem.weight)
    for one in before.state_dict(), network().state_dict():
        assert torch.equal(one["stem.weight"], network().stem.weight)  # the argument is as it was


@torch.no_grad()
def test_what_is_added_to_coefficients_is_of_one_size() -> None:
    """A patch's mean is a hundred times its finest detail, which 8 bits for both would lose."""

    def uneven(made: DenoiserNetwork) -> float:
        sizes = []
        made.offset.register_forward_hook(lambda *seen: sizes.append(seen[2].abs().amax((0, 2, 3))))
        made(FRAMES, STRENGTHS)
        return float(sizes[0].max() / sizes[0].median())

    before = network()
    after = equalised(before, still_groups, FRAMES, STRENGTHS)
    assert uneven(before) > 3
    assert uneven(after) < 2


@torch.no_grad()
def test_channels_of_one_size_lose_less(files: dict[str, Path]) -> None:
    expected = network()(FRAMES, STRENGTHS).clean.clamp(0, 1)
    plain, equal = (
        beyond_rounding(int8.Exported(files[f"{name}-int8"])(FRAMES, STRENGTHS).clean, expected)
        for name in ("plain", "equal")
    )
    assert equal < 0.8**2 * plain
    assert equal < 0.01 * float((expected - FRAMES).square().mean())


def beyond_rounding(pixels: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the mean squared error, without what rounding to pixels adds to it."""
    return float((pixels - wanted.clamp(0, 1)).square().mean()) - 1 / 12 / 255**2


def optimised(path: Path, tmp_path: Path) -> Counter[str]:
    """Return the operators that onnxruntime makes of a file as it loads it."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # it warns that such a file is for this machine only
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return operators(Path(options.optimized_model_filepath))


def test_every_other_convolution_runs_in_integers(files: dict[str, Path], tmp_path: Path) -> None:
    """onnxruntime shall convert next to nothing between one integer operator and the next."""
    before, after = operators(files["ready"]), optimised(files["equal-int8"], tmp_path)
    assert after["Conv"] + after["FusedConv"] == 0
    assert after["QLinearConv"] == before["Conv"] > 10
    assert after["QLinearLeakyRelu"] == before["LeakyRelu"]
    assert after["QLinearMul"] == 1  # of the patches between the patches
    assert after["LeakyRelu"] == after["ReorderInput"] == after["ReorderOutput"] == 0
    assert after["QLinearAdd"] == 5  # three blocks, the way up, and what is beside the shares
    # The level, the shares and what is beside them are numbers in between; the claim and the
    # pixels are bytes again.
    assert after["DequantizeLinear"] == 3
    assert after["QuantizeLinear"] == 2


@torch.no_grad()
def test_a_plain_relu_belongs_to_its_convolution(tmp_path: Path) -> None:
    plain = network(slope=0.0)
    ready, variant = tmp_path / "ready.onnx", tmp_path / "variant.onnx"
    write_graph(plain, ready, for_int8=True)
    int8.write_int8(ready, variant, int8.frame_feeds(FRAMES, STRENGTHS))
    before, after = operators(ready), optimised(variant, tmp_path)
    assert before["Relu"] == 6  # three blocks, two of the estimator, and the level
    assert after["QLinearConv"] == before["Conv"]
    assert after["Relu"] == after["QLinearLeakyRelu"] == 0
    assert after["DequantizeLinear"] == 3
    expected = plain(FRAMES, STRENGTHS).clean
    found = int8.Exported(variant)(FRAMES, STRENGTHS).clean
    assert beyond_rounding(found, expected) < 0.05 * float((expected - FRAMES).square().mean())


def test_planes_stay_in_the_layout_of_convolutions(tmp_path: Path) -> None:
    """In float32 sums belong to convolutions, but for the way up and that of pixels."""
    path = tmp_path / "exact.onnx"
    write_graph(network(), path)
    before, after = operators(path), optimised(path, tmp_path)
    if not after["ReorderInput"]:
        pytest.skip("onnxruntime has no such layout for this processor")
    assert before["Add"] > 5
    assert after["Add"] == 2
    assert after["ReorderInput"] == 1  # the frame
    assert after["ReorderOutput"] == 2  # the level and the noise
    assert before["Pad"] == after["Pad"] == 0  # the exporter lets convolutions pad
    assert after["LeakyRelu"] == 0


@torch.no_grad()
@pytest.mark.parametrize("height", [1, 5])
def test_all_grids_at_once_are_the_grids(height: int) -> None:
    made = DenoiserNetwork(16, 16, 1, 1, len(GRIDS))
    for grid in made.between:
        for parameter in grid.share.parameters():  # type: ignore[union-attr]
            torch.nn.init.normal_(parameter)
    ships = ShippedDenoiser(made, for_int8=True).form
    assert ships.between is not None
    levels, features = torch.randn(1, PATCH, height, 7), torch.randn(1, 16, height, 7)
    coefficients = FloatForm(made).analysis(levels + MIDDLE)
    expected = sum(grid(coefficients, features) for grid in made.between)
    torch.testing.assert_close(AllBetween(made.between)(coefficients, features), expected)
    found = ships.between(levels, features)
    assert found.shape == expected.shape
    # Beyond the frame is level 128, and half a level less.
    torch.testing.assert_close(found, expected, atol=0.05, rtol=1e-4)
    torch.testing.assert_close(
        found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
def test_all_overlapping_grids_at_once_are_the_grids() -> None:
    grids = torch.nn.ModuleList(Between(16, *moved, overlapping=True) for moved in GRIDS)
    for grid in grids:
        for parameter in grid.share.parameters():  # type: ignore[union-attr]
            torch.nn.init.normal_(parameter)
    coefficients, features = torch.randn(1, PATCH, 5, 7), torch.randn(1, 16, 5, 7)
    expected = sum(grid(coefficients, features) for grid in grids)
    torch.testing.assert_close(AllBetween(grids)(coefficients, features), expected)
    largest = max(float(grid.share(features).abs().max()) for grid in grids)  # type: ignore[operator]
    assert largest > SHARE_MAX  # so the limits were met, by both


def limited(low: float) -> ModelProto:
    """Return a model of a picture whose colours are added, between a low limit and 1.5."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "h", "w"])
        for name, channels in (("image", 3), ("limited", 1))
    ]
    nodes = [
        helper.make_node("Conv", ["image", "weight"], ["sum"]),
        helper.make_node("Clip", ["sum", "low", "high"], ["within"]),
        helper.make_node("Neg", ["within"], ["limited"]),
    ]
    constants = {
        "weight": np.array([1, 1, -1], np.float32).reshape(1, 3, 1, 1),
        "low": np.array(low, np.float32),
        "high": np.array(1.5, np.float32),
    }
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("low", [-0.5, 0.1])
def test_limits_are_those_of_8_bits(low: float) -> None:
    """The range of the rounding does what the Clip did, unless 0, which it holds, is outside."""
    model = limited(low)
    inputs = {"image": np.random.default_rng(0).random((1, 3, 64, 64), np.float32)}
    made = quantised(model, scales(model, [inputs]))
    assert ("Clip" in {node.op_type for node in made.graph.node}) == (low > 0)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (rounded,) = session.run(None, inputs)
    image = inputs["image"]
    expected = -(image[:, :2].sum(1, keepdims=True) - image[:, 2:]).clip(low, 1.5)
    np.testing.assert_allclose(rounded, expected, atol=0.02)


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a very small denoiser for two steps."""
    folder = tmp_path_factory.mktemp("run")
    recipe = camera_recipe(pictures(folder / "pictures"), steps=2)
    Trainer(CameraTask(recipe), folder / "run", "camera").train()
    return folder / "run"


def test_the_same_checkpoint_gives_the_same_bytes(run: Path) -> None:
    folders = run.parent / "one", run.parent / "two"
    for folder in folders:
        assert export.main([str(run), "--out", str(folder)]) == 0
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == ["card.md", "denoiser-int8.onnx", "denoiser.onnx", "manifest.json"]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    manifest = Manifest.load(folders[0])
    assert manifest.precisions == ("fp32", "int8")
    assert abs(manifest.measured["int8_psnr_25_loss_db"]) < int8.LOSS_MAX_DB
    assert manifest.measured["psnr_25_db"] > 15
    image = picture(60, 40, 3)
    assert Denoiser(folders[0], precision="int8").denoise(image).shape == image.shape


def test_a_variant_that_loses_too_much_is_refused(
    run: Path, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, variant = (shutil.copy(files[name], tmp_path) for name in ("ready", "equal-int8"))
    monkeypatch.setattr(int8, "LOSS_MAX_DB", -1.0)
    task = CameraTask(camera_recipe(run.parent / "pictures"))
    with pytest.raises(ParityError, match=r"equal-int8\.onnx loses .* dB"):
        int8.measure(Path(ready), Path(variant), task)


@torch.no_grad()
def test_training_sees_the_rounding_that_the_variant_has(files: dict[str, Path]) -> None:
    made = network()
    plain = made(FRAMES, STRENGTHS).clean
    trained = Rounded(made, exact_layers(made))(FRAMES, STRENGTHS).clean
    shipped = int8.Exported(files["equal-int8"])(FRAMES, STRENGTHS).clean
    assert torch.equal(made(FRAMES, STRENGTHS).clean, plain)  # no hook is left
    losses = [float((trained - plain).square().mean()), beyond_rounding(shipped, plain)]
    assert 0 < losses[1] < 10 * losses[0] < 100 * losses[1]


def test_what_stays_exact_is_found_in_several_processes_as_in_one() -> None:
    made = network()
    alone, held = exact_layers(made), exact_layers(torch.nn.ModuleDict({"module": made}))
    assert sorted(alone) == sorted(EXACT_LAYERS)
    assert held == [f"module.{name}" for name in alone]


def test_gradients_pass_through_the_rounding() -> None:
    values = torch.linspace(-1, 1, 64).view(1, 4, 4, 4).requires_grad_()
    rounded = round_activation(values)
    assert not torch.equal(rounded, values)
    rounded.sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    torch.testing.assert_close(values.grad, torch.ones_like(values))
    weight = torch.rand(3, 2, 3, 3, requires_grad=True)
    steps = round_weight(weight) / (weight.detach().abs().amax((1, 2, 3), keepdim=True) / 127)
    torch.testing.assert_close(steps, torch.round(steps), atol=1e-3, rtol=0)
    round_weight(weight).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert bool((weight.grad == 1).all())


def test_a_fine_tuning_for_8_bits_runs_and_can_be_exported_without(
    run: Path, tmp_path: Path
) -> None:
    data = run.parent / "pictures"
    arguments = [
        "--from",
        str(run),
        "--run",
        str(tmp_path / "tuned"),
        *options(camera_recipe(data)),
    ]
    assert train.main(["camera", *arguments, "--int8"]) == 0
    assert "psnr_25_int8" in (tmp_path / "tuned" / "log.jsonl").read_text()
    bundle = tmp_path / "bundle"
    assert export.main([str(tmp_path / "tuned"), "--out", str(bundle), "--no-int8"]) == 0
    assert Manifest.load(bundle).precisions == ("fp32",)


def test_what_cannot_be_trained_for_8_bits_is_named() -> None:
    with pytest.raises(ValueError, match="expected names of the network's convolutions"):
        Rounded(torch.nn.Sequential(network()), EXACT_LAYERS)
