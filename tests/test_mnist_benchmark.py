"""The benchmark of the autoencoder family, on the tiny bundle and generated pictures."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import digit_figures, pictures
from benchmarks.__main__ import main
from benchmarks.suite import mnist
from tests import bundles, sample_results
from tests.training import write_digits

KEYS = {
    "code_numbers", "parameters", "test_bce", "test_mse", "test_psnr_db", "bytes_per_digit",
    "encode_us", "decode_us", "out_of_domain_mse",
}  # fmt: skip
TESTS = 40


def write_set(folder: Path, seed: int, grain: int) -> None:
    """Squares in random levels, ``grain`` pixels wide: 4 is what the tiny bundle holds."""
    rng = np.random.default_rng(seed)
    for part, count in (("train", 120), ("t10k", TESTS)):
        levels = rng.integers(0, 256, (count, 8 // grain, 8 // grain), np.uint8)
        write_digits(folder, part, levels.repeat(grain, 1).repeat(grain, 2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_set(folder / "mnist", 1, 4)
    write_set(folder / "fashion-mnist", 2, 2)
    return folder


def make_run(runs: Path, name: str, data: str, **provenance: Any) -> None:
    """A run whose bundle is the tiny one, said to be of some recipe."""
    bundle = runs / name / "bundle"
    shutil.copytree(bundles.AUTOENCODER, bundle)
    values = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    values["provenance"] |= {"parameters": 12, **provenance}
    values["pictures"] = [{"collection": data, "count": 60000, "licence": "not stated"}]
    values["measured"] = {"test_negative_elbo_nats": 99.5}
    (bundle / "manifest.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.fixture(scope="module")
def measured(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    runs = folder / "runs"
    make_run(runs, "mnist-vae", "mnist", recipe="mnist-vae")
    make_run(runs, "cleaning", "mnist", recipe="mnist-denoise", noise=0.5)
    make_run(runs, "fashion", "fashion-mnist", recipe="mnist-vae")
    make_run(runs, "own", "folder 'own'", recipe="mnist-vae")
    options = ["--data", str(data), "--json", str(folder / "mnist.json"), "--runs", "3"]
    assert main(["mnist", "--runs-folder", str(runs), "--threads", "1", *options]) == 0
    return folder


def test_results(measured: Path) -> None:
    found = sample_results.values(measured / "mnist.json")
    assert set(found["models"]) == {"mnist-vae", "mnist-denoise"}
    assert set(found["fashion_models"]) == {"mnist-vae"}
    vae, denoise = found["models"]["mnist-vae"], found["models"]["mnist-denoise"]
    assert vae.keys() >= KEYS
    assert (vae["code_numbers"], vae["parameters"]) == (4, 12)
    assert vae["test_mse"] < 1e-10  # the code holds these pictures
    assert vae["bytes_mse"] == pytest.approx(np.square(np.array([0, 1, 2, 2, 1]) / 255).mean(), 0.2)
    assert 25 < vae["bytes_per_digit"] <= 31
    assert vae["out_of_domain_mse"] > 0.03
    assert vae["negative_elbo_nats"] == 99.5
    assert set(vae["encode_us"]) == set(vae["decode_us"]) == {"1", "256"}
    assert denoise["test_psnr_db"] > denoise["noisy_psnr_db"] + 7  # 16 pixels for each number
    assert found["data"] == {"mnist": TESTS, "fashion-mnist": TESTS}
    assert any("own" in note for note in found["notes"])


def test_pca_stands_beside(measured: Path) -> None:
    found = sample_results.values(measured / "mnist.json")
    assert found["pca"]["4"]["test_mse"] < 1e-10  # four squares are four components
    assert found["pca"]["4"]["out_of_domain_mse"] > 0.03
    assert 0 < found["fashion_pca"]["4"]["test_mse"] < 0.1


def test_the_fewest_bytes_are_named(measured: Path) -> None:
    found = sample_results.values(measured / "mnist.json")
    assert found["fewest_bytes"]["recipe"] == "mnist-vae"
    assert found["fewest_bytes"]["at_most_mse"] == 0.01
    assert found["lossless_bytes"]["mnist"]["png"] > 60
    models = sample_results.record("mnist").models
    assert min(model.bytes_mse for model in models.values()) > mnist.GOOD_MSE
    assert mnist._fewest(models) is None


def test_the_table_has_a_row_for_each(measured: Path) -> None:
    rows = mnist.rows(mnist.BENCHMARK.read(measured / "mnist.json"))
    assert {len(row) for row in rows} == {12}
    names = [row[0] for row in rows]
    assert names == [
        "model", "mnist-denoise", "mnist-vae", "PCA", "PNG", "zlib",
        "mnist-vae (Fashion)", "PCA (Fashion)", "PNG (Fashion)", "zlib (Fashion)",
    ]  # fmt: skip
    assert rows[4][6] != ""


def test_figures(measured: Path) -> None:
    folder = measured / "mnist-figures" / "mnist"
    sizes = {path.name: pictures.read(path).shape[:2] for path in folder.glob("*.png")}
    side = 3 * (8 + 4)
    assert sizes == {
        "mnist-vae.png": (2 * side, 10 * side),
        "mnist-vae-generated.png": (10 * side, 10 * side),
        "mnist-denoise.png": (3 * side, 10 * side),
        "mnist-denoise-generated.png": (10 * side, 10 * side),
        "pca-4.png": (2 * side, 10 * side),
    }
    for name in ("mnist-vae-map.svg", "mnist-denoise-map.svg", "pca-map.svg"):
        drawn = (folder / name).read_text(encoding="utf-8")
        assert drawn.count("h0") == TESTS
        for label, colour in enumerate(digit_figures.COLOURS):
            assert drawn.count(f"stroke:{colour}") == 1
            assert f">{label}</text>" in drawn
    restored = pictures.read(folder / "pca-4.png")[..., 0]
    assert np.abs(restored[:side].astype(int) - restored[side:]).max() <= 1, "4 hold the squares"


def test_one_of_each_label_comes_first() -> None:
    labels = np.array([3, 3, 1, 0, 1, 2] + [3] * 10, np.uint8)
    assert digit_figures._one_of_each(labels) == [3, 2, 5, 0, 1, 4, 6, 7, 8, 9]


def test_bce_is_that_of_bernoulli() -> None:
    images = np.array([[[0, 255, 51]]], np.uint8)
    pictures = np.array([[[0.5, 0.25, 0.2]]], np.float32)
    entropy = -(0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    assert mnist._bce(images, pictures) == pytest.approx((np.log(2) + np.log(4) + entropy) / 3)
    assert np.isfinite(mnist._bce(images, np.array([[[1, 0, 1]]], np.float32)))


def test_without_bundles_the_commands_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mnist", "--runs-folder", str(tmp_path)]) == 1
    assert "python -m train mnist-simple" in capsys.readouterr().err
