"""The autoencoder family, each recipe trained for two steps on generated pictures and exported."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export import __main__ as export
from export import autoencoder as exporter
from tests.training import write_digits
from train import __main__ as train
from train.engine.loop import Trainer
from train.networks.autoencoders import Rounded, Variational
from train.recipes import RECIPES, AutoencoderRecipe, MnistSimpleRecipe
from train.tasks import digits
from train.tasks.digits import DigitsTask, activity, noisy
from venturi import Autoencoder, Manifest

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec:FutureWarning")

FAMILY = [name for name, kind in RECIPES.items() if issubclass(kind, AutoencoderRecipe)]
HEIGHT, WIDTH = 6, 7
CONV = {"width": 4, "dense": 8}
SMALL: dict[str, dict[str, int]] = {
    "mnist-deep": {"wide": 8, "narrow": 6},
    "mnist-best": {"wide": 8, "narrow": 6},
    "mnist-seq2seq": {"width": 6},
    **{f"mnist-{kind}": CONV for kind in ("conv", "denoise", "vae", "bytes")},
}
EXPORTED = ("mnist-sparse", "mnist-seq2seq", "mnist-vae", "mnist-bytes")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blobs that wander: something that a code of a few numbers can hold."""
    folder = tmp_path_factory.mktemp("blobs")
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for part, count in (("train", 240), ("t10k", 30)):
        top, left = rng.uniform(2, HEIGHT - 2, count), rng.uniform(2, WIDTH - 2, count)
        far = (rows - top[:, None, None]) ** 2 + (columns - left[:, None, None]) ** 2
        write_digits(folder, part, (255 * np.exp(-far / 4)).astype(np.uint8))
    return folder


def task(name: str, data: Path, **fields: Any) -> DigitsTask:
    small: dict[str, Any] = {"steps": 2, "batch": 16, "numbers": 5, "threads": 1, "data": str(data)}
    recipe = RECIPES[name](**small | SMALL.get(name, {}) | fields)
    assert isinstance(recipe, AutoencoderRecipe)
    return DigitsTask(recipe)


@pytest.mark.parametrize("name", FAMILY)
def test_a_recipe_trains(name: str, data: Path, tmp_path: Path) -> None:
    made = task(name, data)
    trainer = Trainer(made, tmp_path, name)
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.train()
    after = trainer.model.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    assert any((after[key] != value).any() for key, value in before.items())
    found = made.validate(trainer.model, torch.device("cpu"))
    assert 0 < found["mse"] < 1
    assert 0 < found["bce"] < 2


@pytest.mark.parametrize(("epochs", "steps"), [("1", 14), ("2.5", 35), ("0.01", 1)])
def test_epochs_become_steps(epochs: str, steps: int, data: Path, tmp_path: Path) -> None:
    small = ["--batch", "16", "--numbers", "5", "--threads", "1", "--data", str(data)]
    run = tmp_path / "run"
    assert train.main(["mnist-simple", "--epochs", epochs, "--run", str(run), *small]) == 0
    assert json.loads((run / "recipe.json").read_text())["steps"] == steps  # 220 pictures
    assert (run / f"step-{steps:07d}.pt").is_file()


@pytest.mark.parametrize("epochs", ["0", "-1", "nan", "inf"])
def test_no_epochs_are_refused(
    epochs: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data", str(data), "--run", str(tmp_path)]
    assert train.main(["mnist-simple", f"--epochs={epochs}", *where]) == 1
    assert "expected a number above 0" in capsys.readouterr().err


def test_epochs_and_steps_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        train.main(["mnist-simple", "--epochs", "1", "--steps", "10"])
    assert "not allowed with" in capsys.readouterr().err


def test_training_learns(data: Path, tmp_path: Path) -> None:
    made = task("mnist-deep", data, steps=150, learning_rate=1e-2, warmup=10, average=0.9)
    device = torch.device("cpu")
    trainer = Trainer(made, tmp_path, "mnist-deep")
    before = made.validate(trainer.model, device)["mse"]
    trainer.train()
    assert made.validate(trainer.model, device)["mse"] < 0.5 * before


def test_batches_depend_on_the_step_alone(data: Path) -> None:
    first, second = task("mnist-denoise", data), task("mnist-denoise", data)
    expected = [first.batch(step, 0, 16) for step in range(30)]
    for step in (29, 3, 14):
        found = second.batch(step, 0, 16)
        assert found.keys() == expected[step].keys()
        assert all(torch.equal(found[key], expected[step][key]) for key in found)


def test_an_epoch_takes_each_picture_once(data: Path) -> None:
    made = task("mnist-simple", data, batch=20)
    count = len(made.images)
    assert count == 220
    seen = torch.cat([made._places(step, 0, 20) for step in range(count // 20)])
    assert sorted(seen.tolist()) == list(range(count))
    ranks = torch.cat([made._places(0, rank, 10) for rank in (0, 1)])
    assert torch.equal(ranks, seen[:20])


def test_noise_is_clipped() -> None:
    image = torch.rand(4, 1, 5, 5)
    rng = torch.Generator().manual_seed(0)
    found = noisy(image, 0.5, rng)
    assert (float(found.min()), float(found.max())) == (0, 1)
    assert noisy(image, 0.0, rng) is image


def test_activity_is_about_zeros_and_not_about_size() -> None:
    busy, sparse = torch.ones(10, 2), torch.zeros(10, 2)
    sparse[0] = 1
    assert float(activity(busy)) == pytest.approx(1)
    assert float(activity(sparse)) == pytest.approx(0.1**0.5)
    assert float(activity(9 * sparse)) == pytest.approx(0.1**0.5)
    assert float(activity(torch.zeros(10, 2))) == 0


def test_what_a_code_costs(data: Path) -> None:
    image = torch.rand(3, 1, HEIGHT, WIDTH)
    variational = task("mnist-vae", data).build()
    assert isinstance(variational, Variational)
    for parameter in variational.encoder.parameters():
        torch.nn.init.zeros_(parameter)
    assert variational(image).nats.tolist() == [0, 0, 0]  # the posterior is the prior
    rounded = task("mnist-bytes", data).build()
    assert isinstance(rounded, Rounded)
    for parameter in rounded.encoder.parameters():
        torch.nn.init.zeros_(parameter)
    inside = 2 / (1 + np.exp(-0.5 / np.e)) - 1
    assert rounded(image).nats.detach().numpy() == pytest.approx(
        [-5 * np.log(inside)] * 3, rel=1e-4
    )


@pytest.mark.parametrize(
    ("field", "value"), [("numbers", 0), ("numbers", 257), ("noise", -0.1), ("activity", -1.0)]
)
def test_recipes_refuse_what_makes_no_sense(field: str, value: float) -> None:
    values: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match=field):
        replace(MnistSimpleRecipe(), **values)


@pytest.fixture(scope="module", params=EXPORTED)
def bundle(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A bundle made through the two command lines."""
    name: str = request.param
    run = tmp_path_factory.mktemp("run") / name
    sizes = {"steps": 2, "batch": 16, "numbers": 5, "threads": 1} | SMALL.get(name, {})
    options = [text for key, value in sizes.items() for text in (f"--{key}", str(value))]
    assert train.main([name, "--run", str(run), "--data", str(data), *options]) == 0
    assert export.main([str(run)]) == 0
    return run / "bundle"


def test_the_bundle_does_what_was_trained(bundle: Path, data: Path) -> None:
    name = bundle.parent.name
    made = task(name, data)
    model = made.build().eval()
    (checkpoint,) = bundle.parent.glob("step-*.pt")
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    autoencoder = Autoencoder(bundle, threads=1)
    images = made.data.test.images
    with torch.no_grad():
        code = model.encode(digits.to_tensor(images).float() / 255)
        expected = torch.sigmoid(model.decode(code))[:, 0].numpy()
    np.testing.assert_allclose(autoencoder.decode(autoencoder.encode(images)), expected, atol=1e-4)
    error = np.abs(autoencoder.reconstruct(images[3]) / 255 - expected[3]).max()
    assert error <= 0.5 / 255 + 1e-4
    restored = autoencoder.decompress(autoencoder.compress(images[3]))
    assert restored.shape == (HEIGHT, WIDTH)
    assert np.abs(restored / 255 - expected[3]).max() < 0.5


def test_the_manifest_tells_where_it_is_from(bundle: Path) -> None:
    manifest = Manifest.load(bundle)
    assert (manifest.task, manifest.channels, manifest.stride) == ("autoencoder", 1, 1)
    assert manifest.parameters["height"] == HEIGHT
    assert manifest.parameters["width"] == WIDTH
    assert manifest.measured["encoder_max_relative_error"] <= exporter.TOLERANCE
    assert manifest.measured["decoder_max_relative_error"] <= exporter.TOLERANCE
    is_variational = manifest.provenance["recipe"] == "mnist-vae"
    assert ("test_negative_elbo_nats" in manifest.measured) == is_variational
    assert (manifest.parameters["prior_deviation"] > 0) == is_variational
    assert int(manifest.provenance["parameters"]) > 0
    if is_variational:
        assert Autoencoder(bundle, threads=1).generate(2, 0).shape == (2, HEIGHT, WIDTH)


def test_tables_follow_the_code() -> None:
    rng = np.random.default_rng(0)
    symbols = np.stack([rng.integers(-3, 4, 30_000), np.zeros(30_000, np.int64)], 1)
    tables = exporter.code_tables(symbols)
    assert tables.hyper_index.tolist() == [[0, 1]]
    assert tables.radius.tolist() == [3, 1]
    share = tables.frequencies[0][:7] / 65536
    assert np.abs(share - 1 / 7).max() < 0.01
    assert tables.frequencies[1][1] > 65_500  # a number that is always 0 costs next to nothing


def test_a_failing_parity_leaves_no_bundle(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Trainer(task("mnist-simple", data), tmp_path / "run", "mnist-simple").train()
    monkeypatch.setattr(exporter, "TOLERANCE", -1.0)
    assert export.main([str(tmp_path / "run"), "--out", str(tmp_path / "bundle")]) == 1
    assert "differs from PyTorch" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
