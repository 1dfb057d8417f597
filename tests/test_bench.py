"""venturi bench from the command line to the JSON, on tiny models."""

import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests import bundles
from tests.test_bench_trace import model
from venturi import Codec, Denoiser, images
from venturi._cli.main import main
from venturi.bench import cold, pictures, point, sweep
from venturi.bench.size import Size
from venturi.bench.subjects import Spec, opened
from venturi.errors import BundleError, DeviceError, InputError

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
CODEC, DENOISER, AUTOENCODER = (
    str(DATA / f"tiny_{name}") for name in ("codec", "denoiser", "autoencoder")
)
ENCODER, DECODER = (f"{CODEC}/{name}.onnx" for name in ("encoder", "decoder"))
DOCUMENT = (ROOT / "runtime" / "BENCH.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure little: what the figures are is no matter here."""
    monkeypatch.setattr(point, "WARM_UP_S", 0.0)
    monkeypatch.setattr(cold, "STARTS", 1)


def bench(folder: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    path = folder / "out.json"
    assert main(["bench", *arguments, "--seconds", "0.05", "--json", str(path)]) == code
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A codec in all scenarios, with its profile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("venturi.bench.peak.SIDE", 64)
        return bench(
            tmp_path_factory.mktemp("whole"), CODEC, "--size", "128x64", "--threads", "1",
            "--scenario", "all", "--fps", "500", "--profile",
        )  # fmt: skip


def documented(section: str) -> set[str]:
    """The keys in the first column of a section's tables in BENCH.md."""
    text = DOCUMENT.split(f"## {section}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`([^`]+)`", row)}


def test_the_document_has_every_key(whole: dict[str, Any]) -> None:
    assert set(whole) == documented("The file") - {"harness", "loadgen"}
    assert set(whole["machine"]) == documented("`machine`")
    assert set(whole["subject"]) == documented("`subject`")
    assert documented("A row") == set(whole["rows"][0])
    for row in whole["rows"]:
        assert set(row) == documented("A row")
        assert set(row["profile"]["roofline"]) == documented("`profile`")
        parts = [row[name] or () for name in ("load", "error", "latency_ms", "throughput")]
        parts += [row["stability"], row["profile"]["operators"][0], row["cold_start_ms"]]
        keys = {key for part in parts for key in part}
        assert {key for key in keys if f"`{key}`" not in DOCUMENT} == set()
    assert f"schema {whole['schema']}\n" in DOCUMENT.splitlines(keepends=True)[0]


def test_every_scenario_of_every_call_is_there(whole: dict[str, Any]) -> None:
    seen = [(row["call"], row["scenario"]) for row in whole["rows"]]
    assert seen == [
        (call, scenario)
        for call in ("compress", "decompress")
        for scenario in ("single-stream", "multi-stream", "offline", "server", "camera")
    ]
    for row in whole["rows"]:
        assert len(row["samples_ms"]) == row["samples"]
        if row["scenario"] != "server":  # which may find no rate on a machine with other work
            median = np.median(row["samples_ms"])
            assert row["latency_ms"]["median"] == pytest.approx(median, abs=0.001)
        assert row["warm_up_calls"] >= 3
        assert all(sample == round(sample, 3) for sample in row["samples_ms"])


def test_what_was_measured_is_named(whole: dict[str, Any]) -> None:
    manifest = Codec(CODEC).manifest
    assert whole["subject"] == {
        "kind": "codec",
        "name": "tiny-codec",
        "fingerprint": manifest.fingerprint.hex(),
        "settings": {"quality": 50.0},
    }
    assert whole["inputs"]["source"] == "street.png"
    row = whole["rows"][0]
    point_of_sweep = [row[key] for key in ("size", "threads", "device", "precision")]
    assert point_of_sweep == ["128x64", 1, "cpu", "fp32"]
    entropy = "entropy-first", "entropy-second", "entropy-third"
    assert set(row["split_ms"]) == {"encoder", *entropy, "coding", "conversion", "total"}
    assert set(row["providers"]) == {"encoder", *entropy}
    assert row["memory_mb"] is None or row["memory_mb"] > 10
    assert min(row["cold_start_ms"].values()) > 0


def test_the_error_is_that_of_these_very_pictures(whole: dict[str, Any]) -> None:
    image = pictures.fitted(pictures.shipped(), 128, 64)
    codec = Codec(CODEC)
    data = codec.compress(image, quality=50)
    difference = (codec.decompress(data) - image.astype(np.float64)) / 255
    for row in whole["rows"]:
        assert row["error"]["bytes"] == len(data)
        assert row["error"]["rate_bpp"] == pytest.approx(8 * len(data) / (128 * 64), abs=1e-4)
        assert row["error"]["mse"] == pytest.approx(np.square(difference).mean(), rel=1e-4)
        assert row["error"]["max_abs"] == pytest.approx(np.abs(difference).max(), abs=1e-5)


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, DENOISER, "--size", "64x48,32x32", "--threads", "1,2")
    printed = capsys.readouterr().out
    points = [(row["threads"], row["size"]) for row in found["rows"]]
    assert points == [(1, "64x48"), (1, "32x32"), (2, "64x48"), (2, "32x32")]
    assert "n/a (needs 662)" in printed
    for word in ("tiny-denoiser", "conversion", "peak memory", "PSNR", "CPUExecutionProvider"):
        assert word in printed
    assert printed.count("single-stream") == 4
    assert found["rows"][0]["profile"] is None
    # Sigma 15 is 24.6 dB; the photograph is dark, and what falls below black is cut off.
    assert 24.6 < found["rows"][0]["error"]["noisy_psnr_db"] < 26


def test_own_pictures(tmp_path: Path) -> None:
    grey, colour = np.full((90, 70), 99, np.uint8), np.full((30, 40, 3), 200, np.uint8)
    names = [str(tmp_path / name) for name in ("grey.png", "colour.png")]
    for name, pixels in zip(names, (grey, colour), strict=True):
        images.write(name, pixels)
    found = bench(tmp_path, DENOISER, "--size", "64x64", "--images", *names)
    assert found["inputs"]["source"] == "grey.png, colour.png"
    assert found["inputs"]["pictures"] == 2


def test_an_autoencoder_has_one_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bench(tmp_path, AUTOENCODER)
    assert [(row["call"], row["size"]) for row in found["rows"]] == [
        ("encode", "8x8"), ("decode", "8x8"),
    ]  # fmt: skip
    assert found["rows"][0]["error"]["psnr_db"] > 10
    assert main(["bench", AUTOENCODER, "--size", "28x28"]) == 1
    assert "expected 8x8" in capsys.readouterr().err


def test_an_onnx_pair(tmp_path: Path) -> None:
    found = bench(tmp_path, ENCODER, "--decoder", DECODER, "--size", "64x64", "--threads", "1")
    assert [row["call"] for row in found["rows"]] == ["encode", "decode"]
    assert {row["precision"] for row in found["rows"]} == {"as-is"}
    assert found["subject"]["kind"] == "onnx"
    assert found["subject"]["name"] == "encoder.onnx + decoder.onnx"
    assert found["rows"][1]["error"]["psnr_db"] > 15


def test_an_onnx_file_that_gives_no_picture(tmp_path: Path) -> None:
    found = bench(tmp_path, ENCODER, "--size", "64x64")
    assert [row["call"] for row in found["rows"]] == ["run"]
    assert found["rows"][0]["error"] is None


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("last", [False, True])
def test_onnx_pictures_of_every_kind(kind: int, channels: int, last: bool, tmp_path: Path) -> None:
    shape: list[str | int | None] = ["n", "h", "w", channels] if last else [2, channels, "h", "w"]
    tensors = [onnx.helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "same", tensors[:1], tensors[1:])
    path = tmp_path / "same.onnx"
    onnx.save(onnx.helper.make_model(graph, ir_version=8), path)
    subject = opened(Spec(str(path)))
    image = np.random.default_rng(0).integers(0, 256, (10, 20, 3), np.uint8)
    ((fed,),) = subject.inputs("run", [image])
    assert fed.shape == ((1, 10, 20, channels) if last else (2, channels, 10, 20))
    low, high = (0.5, 1) if fed.dtype == np.float32 else (128, 255)
    assert low < fed.max() <= high
    assert subject.error([image]) == {"mse": 0, "psnr_db": None, "max_abs": 0}


def test_a_denoisers_graph_takes_pixels(tmp_path: Path) -> None:
    found = bench(tmp_path, str(bundles.DENOISER / "denoiser.onnx"), "--size", "64x48")
    (row,) = found["rows"]
    assert row["call"] == "run"
    assert row["error"]["psnr_db"] > 20


def test_an_onnx_file_without_a_picture(tmp_path: Path) -> None:
    tensors = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [4]) for n in "xy"]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", tensors[:1], tensors[1:])
    path = tmp_path / "flat.onnx"
    onnx.save(onnx.helper.make_model(graph, ir_version=8), path)
    with pytest.raises(InputError, match=r"flat.onnx.*four axes"):
        opened(Spec(str(path)))


def test_an_onnx_file_of_one_size(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Relu", ["image"], ["y"])
    made = onnx.load_from_string(model([node], {}, {"y": 4}))
    for axis, side in zip(made.graph.input[0].type.tensor_type.shape.dim[2:], (6, 9), strict=True):
        axis.dim_value = side
    onnx.save(made, tmp_path / "fixed.onnx")
    assert opened(Spec(str(tmp_path / "fixed.onnx"))).fixed_size == Size(9, 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([DENOISER, "--device", "cpu,tensorrt"], "device is 'tensorrt'"),
        ([DENOISER, "--precision", "fp32,int8"], "no such variant"),
        ([ENCODER, "--precision", "int8"], "run as it is"),
        ([DENOISER, "--decoder", DECODER], "a bundle has its own"),
        (["no-such-bundle"], "no such bundle"),
        (["no-such-file.onnx"], "expected an ONNX file"),
    ],
)
def test_what_cannot_be_measured_is_an_error_before_anything_is(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep, "rows", lambda *_: pytest.fail("it measured"))
    assert main(["bench", *arguments]) == 1
    printed = capsys.readouterr()
    assert words in printed.err
    assert len(printed.err.splitlines()) == 1
    assert printed.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "640"], ["--size", "0x4"], ["--threads", "0"], ["--scenario", "fast"],
        ["--quality", "101"], ["--fps", "0"], ["--seconds", "x"],
    ],
)  # fmt: skip
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["bench", *arguments])
    assert stopped.value.code == 2
    assert arguments[1] in capsys.readouterr().err


def test_a_device_that_fails_is_told_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(spec: Spec) -> Any:
        if spec.device == "cuda":
            raise DeviceError("denoiser.onnx on device 'cuda': out of memory")
        return opened(spec)

    monkeypatch.setattr("venturi.bench.sweep.opened", broken)
    monkeypatch.setattr(sweep, "check_device", lambda *_: None)
    found = bench(tmp_path, DENOISER, "--size", "32x32", "--device", "cpu,cuda", code=1)
    assert [row["device"] for row in found["rows"]] == ["cpu"]
    assert found["failures"][0]["device"] == "cuda"
    assert "did not run" in capsys.readouterr().out
    assert main(["bench", DENOISER, "--device", "cuda"]) == 1
    assert "out of memory" in capsys.readouterr().err


def test_a_precision_that_a_model_has_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Sparing(Denoiser):
        def __init__(self, bundle: str, *, precision: str = "fp32", **rest: Any) -> None:
            asked.append(precision)
            super().__init__(bundle, **rest)

    monkeypatch.setattr("venturi.bench.subjects.Denoiser", Sparing)
    assert opened(Spec(DENOISER, precision="int8")).precision == "int8"
    assert opened(Spec(DENOISER)).precision == "fp32"
    assert asked == ["int8", "fp32"]


def test_a_cold_start_that_fails_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"cold start exits with 1: .*no such bundle"):
        cold.cold_start(Spec("gone"), "denoise", b"")


def test_the_photograph_is_real_and_its_decoder_agrees_with_opencv() -> None:
    ours, theirs = pictures.shipped(), images.read(pictures.SHIPPED)
    assert theirs.notes == ()
    np.testing.assert_array_equal(ours, theirs.pixels)
    assert ours.std() > 30
    assert pictures.SHIPPED.stat().st_size < 60_000


@pytest.mark.parametrize("damage", ["checksum", "filter", "signature", "short"])
def test_a_damaged_photograph_is_refused(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures.SHIPPED.read_bytes()
    start = data.index(b"IDAT")
    if damage == "filter":
        rows = b"\x01" + zlib.decompress(dict(pictures._chunks(data))[b"IDAT"])[1:]
        body = b"IDAT" + zlib.compress(rows)
        check = zlib.crc32(body).to_bytes(4, "big")
        data = data[: start - 4] + (len(body) - 4).to_bytes(4, "big") + body + check
    else:
        wrong = {
            "checksum": data[: start + 9] + b"?" + data[start + 10 :],
            "signature": b"?" + data[1:],
            "short": data[: start - 4],
        }
        data = wrong[damage]
    path = tmp_path / "street.png"
    path.write_bytes(data)
    monkeypatch.setattr(pictures, "SHIPPED", path)
    with pytest.raises(BundleError, match="install venturi again"):
        pictures.shipped()


@pytest.mark.parametrize(("width", "height"), [(7, 5), (204, 136), (300, 50), (1000, 900)])
def test_pictures_fit_any_size(width: int, height: int) -> None:
    image = pictures.shipped()
    fitted = pictures.fitted(image, width, height)
    assert fitted.shape == (height, width, 3)
    assert fitted.flags.c_contiguous
    if width >= 204 and height >= 136:
        np.testing.assert_array_equal(fitted[:136, :204], image)
    assert pictures.fitted(image[..., 0], width, height).shape == (height, width, 3)


def test_a_file_that_is_called_like_a_shipped_bundle_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "camera").write_bytes(b"no graph")
    (tmp_path / "graph").write_bytes(b"no graph")
    monkeypatch.chdir(tmp_path)
    assert opened(Spec("camera")).kind == "denoiser"
    with pytest.raises(BundleError, match="graph"):
        opened(Spec("graph"))


def test_a_cold_start_that_never_ends_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(cold, "_CHILD", "import time; time.sleep(60)")
    with pytest.raises(DeviceError, match=r"not ended after 0\.1 s"):
        cold.cold_start(Spec(DENOISER), "denoise", b"")


def test_peak_memory_with_and_without_a_status_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  204800 kB\n", encoding="ascii")
    monkeypatch.setattr(cold, "_STATUS", status)
    assert cold.peak_memory_mb() == 200
    status.write_text("Name:\tpython\n", encoding="ascii")
    pytest.importorskip("resource")
    fallback = cold.peak_memory_mb()
    assert fallback is not None
    assert fallback > 10
