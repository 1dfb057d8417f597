"""The card that export puts into each bundle."""

import dataclasses

import pytest

from export.card import MEANINGS, card
from tests.bundles import CODEC
from venturi import Manifest
from venturi._bundle.load import SHIPPED
from venturi._bundle.manifest import Parent, Pictures


def test_a_card_says_what_the_manifest_says() -> None:
    manifest = dataclasses.replace(
        Manifest.load(CODEC),
        version="3.2.1",
        parent=Parent("photo", "3.1.0", "ab" * 32),
        pictures=(Pictures("gb82", 25, "CC0"),),
        measured={"psnr_db": 34.5, "int8_psnr_loss_db": 0.125},
    )
    text = card(manifest)
    assert text.startswith("# Model card: tiny-codec 3.2.1\n")
    assert "| gb82 | 25 | CC0 |" in text
    assert "from photo 3.1.0 (weights `abababababababab`)" in text
    assert f"| {MEANINGS['psnr_db']} | 34.5 |" in text
    assert f"| {MEANINGS['int8_psnr_loss_db']} | 0.125 |" in text
    assert f"| `decoder.onnx` | {manifest.files['decoder'].bytes} |" in text
    assert "from random weights" in card(dataclasses.replace(manifest, parent=None))


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.iterdir()))
def test_what_shipped_bundles_measure_is_explained(name: str) -> None:
    assert set(Manifest.load(SHIPPED / name).measured) <= set(MEANINGS)
