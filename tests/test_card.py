"""The model card: put into a bundle once it has been measured, and nothing else changes."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import pictures, weaknesses
from benchmarks.__main__ import main
from tests import bundles, make_golden, sample_results
from tests.training import picture
from train.data import licences
from train.engine import checkpoint
from venturi import BundleError, Codec, Manifest
from venturi._bundle.manifest import Pictures
from venturi._cli.main import main as venturi

PICTURES = Pictures("gb82", 25, "CC BY-SA 4.0")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A bundle with its weights, its results and pictures to find weaknesses in."""
    weights = {"weight": torch.arange(4.0)}
    recipe = {"steps": 7, "learning_rate": 0.003, "data": "/home/someone/pictures"}
    checkpoint.save_weights(tmp_path / "weights.pt", "photo", 7, recipe, weights)
    shutil.copytree(bundles.CODEC, tmp_path / "bundle")
    told: dict[str, str | int | float] = {
        "licence": "Apache-2.0", "recipe": "photo",
        "seed": 0, "steps": 7, "weights_sha256": checkpoint.weights_hash(weights),
    }  # fmt: skip
    manifest = dataclasses.replace(
        Manifest.load(bundles.CODEC), provenance=told, pictures=(PICTURES,)
    )
    (tmp_path / "bundle" / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    for name, made in (("codec", sample_results.codec()), ("memory", sample_results.memory())):
        made["bundle"]["fingerprint"] = manifest.fingerprint.hex()
        sample_results.put(tmp_path / "results", name, made)
    for seed in range(4):
        pictures.write(tmp_path / "data" / f"{seed}.png", picture(150, 160, seed))
    return tmp_path


def write_card(place: Path) -> int:
    return main([
        "card", "--bundle", str(place / "bundle"), "--weights", str(place / "weights.pt"),
        "--data", str(place / "data"), "--results", str(place / "results"),
        "--pictures", str(place / "results" / "card"), "--threads", "1",
    ])  # fmt: skip


def test_a_card_is_added_without_another_change(place: Path) -> None:
    bundle = place / "bundle"
    before, stream = Manifest.load(bundle), Codec(bundle).compress(make_golden.waves(70, 90))
    for _ in range(2):  # the second time it replaces its own
        assert write_card(place) == 0
        after = Manifest.load(bundle)
        assert set(after.files) == {*before.files, "card"}
        assert {role: after.files[role] for role in before.files} == dict(before.files)
        assert after.fingerprint == before.fingerprint
        assert Codec(bundle).decompress(stream).shape == (70, 90, 3)


def test_a_card_says_what_was_measured(place: Path) -> None:
    assert write_card(place) == 0
    text = (place / "bundle" / "card.md").read_text(encoding="utf-8")
    found = sample_results.values(place / "results" / "codec.json")
    for point in found["points"]["venturi"]:
        assert f"| {point['bpp']:.3f} | {point['psnr_db']:.2f} |" in text
    assert f"| WebP | −{-found['bd_rate_percent']['webp']:.1f} % |" in text
    assert "encoder 9.0, entropy 2.0, decoder 8.0" in text
    assert "600 MB to compress and 600 MB to decompress" in text
    assert "| gb82 | 25 | CC BY-SA 4.0 |" in text
    assert licences.SHARE_ALIKE in text
    assert "| `learning_rate` | 0.003 |" in text
    assert "someone" not in text
    links = [line.split("](")[1].split(")")[0] for line in text.splitlines() if line[:2] == "!["]
    assert len(links) == 3
    sizes = [(place / "bundle" / link).resolve().stat().st_size for link in links]
    assert max(sizes) < 60_000


def test_weaknesses_are_the_worst_first(place: Path) -> None:
    found = weaknesses.find(Codec(bundles.CODEC, threads=1), place / "data", count=4)
    assert [one.lead_db for one in found] == sorted(one.lead_db for one in found)
    for one in found:
        original, ours, webp = one.crops
        assert original.shape == ours.shape == webp.shape == (128, 128, 3)
        assert (original != ours).any()
        assert (original != webp).any()


def test_the_crop_shows_the_largest_error() -> None:
    image = np.full((300, 400, 3), 90, np.uint8)
    made = image.copy()
    made[200:260, 300:380] = 200
    rows, columns = weaknesses._worst_place(image, made)
    assert rows.start <= 200
    assert rows.stop >= 260
    assert columns.start <= 300
    assert columns.stop >= 380


@pytest.mark.parametrize("wrong", ["weights", "results"])
def test_another_models_figures_are_refused(
    wrong: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if wrong == "weights":
        other = {"weight": torch.zeros(4)}
        checkpoint.save_weights(place / "weights.pt", "photo", 7, {}, other)
    else:
        sample_results.put(place / "results", "codec")
    assert write_card(place) == 1
    assert "expected" in capsys.readouterr().err
    assert "card" not in Manifest.load(place / "bundle").files


def test_a_card_is_checked_like_any_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert write_card(place) == 0
    card = place / "bundle" / "card.md"
    assert venturi(["info", str(place / "bundle")]) == 0
    assert f"card: {card}" in capsys.readouterr().out
    card.write_bytes(card.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"card\.md"):
        Codec(place / "bundle")


def test_a_card_has_one_name(place: Path) -> None:
    assert write_card(place) == 0
    manifest = Manifest.load(place / "bundle")
    entry = dataclasses.replace(manifest.files["card"], path="card.html")
    with pytest.raises(BundleError, match=r"card: path is 'card\.html'; expected 'card\.md'"):
        dataclasses.replace(manifest, files={**manifest.files, "card": entry})
