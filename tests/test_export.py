"""Export: what ships equals what was trained, with the same bytes twice; a failure leaves none."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from export import __main__ as command
from export import codec as export_codec
from export import entropy, int8
from export.graphs import OPSET, block_major
from export.layers import in_patches, permuted, strided
from export.parity import ParityError, require
from export.tables import COUNT_RADIUS, TOTAL, frequencies, scale_tables
from train.engine.loop import Trainer
from train.networks import integer
from train.networks.codec import SCALE_COUNT, CodecNetwork, PostFilter, Sizes
from train.networks.denoiser import cosines
from train.recipes import PhotoRecipe
from train.tasks.photo import PhotoTask
from venturi import Codec

# The exporter of torch 2.13 trips over its own deprecation of tree specs.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning"),
    pytest.mark.slow,
]

SIZES = Sizes(16, 16, 16, 16, analysis_depth=1, synthesis_depth=1, deep_depth=1)
GRAPHS = ("encoder.onnx", *entropy.FILES.values(), "decoder.onnx")
VARIANT = ("encoder-int8.onnx", "decoder-int8.onnx")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a very small codec for three steps on generated pictures."""
    folder = tmp_path_factory.mktemp("export")
    pictures = folder / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(5)
    for i in range(3):
        smooth = cv2.resize(rng.integers(0, 256, (6, 7, 3), np.uint8), (150, 130))
        cv2.imwrite(str(pictures / f"{i}.png"), smooth)
    recipe = PhotoRecipe(
        data=str(pictures), steps=3, batch=2, crop=64, width=16, deep_width=16, latent=16, hyper=16,
        analysis_depth=1, synthesis_depth=1, deep_depth=1, threads=1, seed=3,
    )  # fmt: skip
    trainer = Trainer(PhotoTask(recipe), folder / "run", "photo")
    trainer.train()
    return folder / "run"


@pytest.fixture(scope="module")
def bundle(run: Path) -> Iterator[Path]:
    folder = run.parent / "bundle"
    assert command.main([str(run), "--out", str(folder), "--name", "tiny"]) == 0
    yield folder


def test_the_same_checkpoint_gives_the_same_bytes(run: Path, bundle: Path) -> None:
    again = run.parent / "again"
    assert command.main([str(run), "--out", str(again), "--name", "tiny"]) == 0
    names = sorted(path.name for path in bundle.iterdir())
    assert names == sorted([*GRAPHS, *VARIANT, "tables.bin", "manifest.json", "card.md"])
    for name in names:
        assert (bundle / name).read_bytes() == (again / name).read_bytes(), name


@pytest.mark.parametrize("name", [*GRAPHS, *VARIANT])
def test_graphs_have_names_and_no_paths(bundle: Path, name: str) -> None:
    data = (bundle / name).read_bytes()
    model = onnx.load_from_string(data)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    for word in (b".py", b"site-packages", str(Path.home()).encode(), b"/train/", b"torch"):
        assert word not in data, word
    ports = [*model.graph.input, *model.graph.output]
    shapes = {
        port.name: [d.dim_param or d.dim_value for d in port.type.tensor_type.shape.dim]
        for port in ports
    }
    assert not {key for key in shapes if "." in key or key.isdigit()}
    if name.startswith("encoder"):
        assert shapes["image"] == [1, 3, "height", "width"]
    if name.startswith("decoder"):
        assert shapes["image"] == ["height", "width", 3]
    assert "DepthToSpace" not in {node.op_type for node in model.graph.node}


def test_runtime_equals_the_trained_network(run: Path, bundle: Path) -> None:
    state = torch.load(run / "step-0000003.pt", weights_only=True)
    model = CodecNetwork(SIZES).eval()
    model.load_state_dict(state["average"])
    picture = np.random.default_rng(0).integers(0, 256, (75, 101, 3), np.uint8)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.uint8)
    codec = Codec(bundle)
    decoded = codec.decompress(codec.compress(picture, quality=50.5))
    padded = np.pad(picture, ((0, 128 - 75), (0, 128 - 101), (0, 0)), "edge")
    image = torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        coded = model(image, torch.tensor([(50.5 - 1) / 99]), None).image
    expected = (coded.clamp(0, 1) * 255)[0].permute(1, 2, 0).numpy()[:75, :101]
    # The coder drops symbols whose table is "always zero", so a few pixels may differ more.
    difference = np.abs(decoded.astype(np.float64) - expected)
    assert np.median(difference) <= 0.5 + 1e-3
    assert decoded.shape == picture.shape


def test_a_variant_in_8_bits_comes_along(
    run: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    codec = Codec(bundle, precision="int8")
    assert codec.manifest.measured["int8_psnr_loss_db"] < int8.LOSS_MAX_DB
    picture = np.random.default_rng(0).integers(0, 256, (75, 101, 3), np.uint8)
    exact = Codec(bundle).decompress(codec.compress(picture))
    assert 0 < np.abs(exact.astype(int) - codec.decompress(codec.compress(picture))).mean() < 8
    assert command.main([str(run), "--out", str(tmp_path / "plain"), "--no-int8"]) == 0
    assert Codec(tmp_path / "plain").manifest.precisions == ("fp32",)
    monkeypatch.setattr(int8, "LOSS_MAX_DB", -9.0)
    assert command.main([str(run), "--out", str(tmp_path / "refused")]) == 1
    assert "--no-int8" in capsys.readouterr().err


def test_a_failing_parity_leaves_no_bundle(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export_codec, "TOLERANCE", -1.0)
    assert command.main([str(run), "--out", str(tmp_path / "bundle")]) == 1
    assert "differs from PyTorch" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_failing_export_keeps_the_old_bundle(
    run: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    monkeypatch.setattr(export_codec, "TOLERANCE", -1.0)
    assert command.main([str(run), "--out", str(bundle)]) == 1
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_a_folder_that_is_no_bundle_is_not_replaced(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me", encoding="utf-8")
    assert command.main([str(run), "--out", str(tmp_path / "mine")]) == 1
    assert (tmp_path / "mine" / "letter.txt").read_text(encoding="utf-8") == "keep me"


def test_a_bundle_of_another_release_is_replaced(
    run: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old"
    shutil.copytree(bundle, old)
    text = (old / "manifest.json").read_text(encoding="utf-8")
    (old / "manifest.json").write_text(text.replace("entropy_first", "entropy"), encoding="utf-8")
    assert command.main([str(run), "--out", str(old), "--name", "tiny", "--no-int8"]) == 0
    assert Codec(old).manifest.name == "tiny"
    (old / "manifest.json").write_text("[]", encoding="utf-8")
    assert command.main([str(run), "--out", str(old), "--no-int8"]) == 1
    assert "is no bundle" in capsys.readouterr().err


def test_export_without_a_checkpoint_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(tmp_path)]) == 1
    assert "no checkpoint" in capsys.readouterr().err


def test_exactness_is_proven_and_the_proof_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CodecNetwork(SIZES)
    assert entropy.prove_exact(model.entropy) < 2**24
    # Layers that scaled their weights as if sums could be a thousand times larger are found out.
    for name, value in (("_PRODUCT_BUDGET", 2**33), ("WEIGHT_MAX", 2**20), ("MAX_SHIFT", 30)):
        monkeypatch.setattr(integer, name, value)
    with pytest.raises(ParityError, match="partial sum"):
        entropy.prove_exact(model.entropy)


def test_parity_refuses_nan() -> None:
    with pytest.raises(ParityError, match="differs from PyTorch"):
        require(Path("x.onnx"), float("nan"), 1.0)


def test_block_major_turns_pixel_shuffle_into_dcr() -> None:
    x = torch.arange(2 * 12 * 3 * 5, dtype=torch.float32).view(2, 12, 3, 5)
    expected = functional.pixel_shuffle(x, 2)
    dcr = x[:, block_major(12, 2)].view(2, 2, 2, 3, 3, 5).permute(0, 3, 4, 1, 5, 2)
    assert torch.equal(dcr.reshape(2, 3, 6, 10), expected)


@torch.no_grad()
def test_one_strided_layer_is_two_unshuffles_and_a_layer() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(3 * 36, 7, 1)
    x = torch.rand(2, 3, 12, 18)
    unshuffled = functional.pixel_unshuffle(functional.pixel_unshuffle(x - 0.5, 3), 2)
    found = strided(layer, 3, 2, centre=0.5)(x)
    torch.testing.assert_close(found, layer(unshuffled), atol=1e-6, rtol=0)


@torch.no_grad()
def test_permuted_layers_turn_two_pixel_shuffles_into_dcr() -> None:
    def dcr(x: torch.Tensor, block: int) -> torch.Tensor:
        n, c, h, w = x.shape
        parts = x.view(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return parts.reshape(n, c // block**2, h * block, w * block)

    torch.manual_seed(0)
    layer = torch.nn.Conv2d(5, 3 * 36, 3, padding=1, bias=False)
    x = torch.rand(2, 5, 3, 4)
    expected = functional.pixel_shuffle(functional.pixel_shuffle(layer(x), 2), 3)
    found = dcr(dcr(permuted(layer, 2, 3)(x), 2), 3)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shuffles", [(8,), (2, 8)])
@torch.no_grad()
def test_layers_that_make_pixels_make_the_coefficients_of_patches(
    shuffles: tuple[int, ...],
) -> None:
    def shuffled(x: torch.Tensor, *sides: int) -> torch.Tensor:
        for side in sides:
            x = functional.pixel_shuffle(x, side)
        return x

    torch.manual_seed(0)
    basis = cosines()
    layer = torch.nn.Conv2d(5, 3 * math.prod(shuffles) ** 2, 1)
    x = torch.rand(2, 5, 3, 4)
    image = shuffled(layer(x), *shuffles)
    expected = functional.conv2d(image, basis.view(48, 3, 4, 4), stride=4)
    found = shuffled(in_patches(layer, basis)(x), *(2 for _ in shuffles))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@torch.no_grad()
def test_an_untrained_filter_changes_nothing_and_a_trained_one_sees_only_so_far() -> None:
    torch.manual_seed(0)
    end = PostFilter(16, 16, 1)
    image, features = torch.rand(1, 3, 128, 128), torch.rand(1, 16, 16, 16)
    assert torch.equal(end(image, features), image)
    for name, weight in end.named_parameters():
        if "share.weight" in name or "offset.weight" in name:
            weight.normal_(std=0.1)
    changed = image.clone()
    changed[..., 64:, :] += 0.5
    moved = (end(changed, features) - end(image, features)).abs().amax((0, 1, 3))
    reach = int(64 - moved.nonzero()[0])
    assert 8 < reach <= 16
    assert export_codec.margin(0, 0, filter_depth=1) >= reach


def test_tables_follow_counts_and_sum_to_one() -> None:
    plain = scale_tables(None)
    assert len(plain) == SCALE_COUNT
    assert plain[0].size == 0
    counts = np.zeros((SCALE_COUNT, 2 * COUNT_RADIUS + 1), np.int64)
    counts[30, COUNT_RADIUS] = 1_000_000
    fitted = scale_tables(counts)
    for table in (*plain, *fitted):
        assert table.size == 0 or (int(table.sum()) == TOTAL and int(table.min()) >= 1)
    middle = plain[30].size // 2 - 1
    assert fitted[30][middle] > plain[30][middle]
    assert fitted[31].tolist() == plain[31].tolist()


def test_frequencies_keep_proportions() -> None:
    assert frequencies(np.array([0.5, 0.25, 0.25])).tolist() == [32768, 16384, 16384]
    assert frequencies(np.array([1.0, 0.0])).tolist() == [65535, 1]


def test_weights_alone_give_the_same_bundle(run: Path, bundle: Path) -> None:
    weights = run.parent / "weights.pt"
    assert command.main([str(run), "--out", str(run.parent / "x"), "--weights", str(weights)]) == 0
    assert "optimizer" not in torch.load(weights, weights_only=True)
    again = run.parent / "from-weights"
    assert command.main([str(weights), "--out", str(again), "--name", "tiny"]) == 0
    assert (again / "manifest.json").read_bytes() == (bundle / "manifest.json").read_bytes()
