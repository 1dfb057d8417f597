"""The model card of a bundle as export writes it: what it is, from what, and what was measured.

``python -m benchmarks card`` replaces that of a codec by one with more figures, once it has some.
"""

from collections.abc import Mapping

from train.data import licences
from venturi._bundle.manifest import INT8_PAIR_SUM, Manifest

_PIXELS = "largest difference of a pixel from PyTorch, which does not round, in levels, in float32"

MEANINGS: Mapping[str, str] = {
    "decoder_max_error_levels": _PIXELS,
    "decoder_max_relative_error": "largest difference from PyTorch, decoder",
    "denoiser_max_error_levels": _PIXELS,
    "encoder_max_relative_error": "largest difference from PyTorch, encoder, in float32",
    "entropy_largest_partial_sum": "largest sum of integers that any input can cause; float32 is "
    "exact below 16,777,216",
    "entropy_max_error": "largest difference from PyTorch, entropy graphs",
    INT8_PAIR_SUM: "int8: largest sum of two neighbouring products that any input can cause; no "
    "processor clips up to 32,767",
    "int8_psnr_25_loss_db": "int8: PSNR lost of the one with Gaussian noise, sigma 25, in dB",
    "int8_psnr_loss_db": "int8: PSNR lost, in dB",
    "int8_stream_psnr_25_loss_db": "int8: PSNR lost of the one of noisy videos, in dB",
    "psnr_25_db": "PSNR of photographs kept from training, with Gaussian noise, sigma 25, in dB",
    "psnr_db": "PSNR of photographs kept from training, mean of qualities 25, 50 and 75, in dB",
    "state_max_relative_error": "largest difference of the state from PyTorch",
    "storage_loss_db": "PSNR lost by storing weights in fewer bits, in dB",
    "stream_psnr_25_db": "PSNR of moving photographs, with Gaussian noise, sigma 25, in dB",
    "test_bce": "binary cross-entropy per pixel of the test pictures",
    "test_mse": "squared error per pixel of the test pictures",
    "test_negative_elbo_nats": "negative evidence lower bound of the test pictures, in nats",
    "test_rounded_mse": "squared error per pixel of the test pictures, codes rounded",
}
"""What export measures, by the names in the manifest."""


def card(manifest: Manifest) -> str:
    """Return the model card of a bundle, Markdown."""
    parts = [_head(manifest), licences.section(manifest.pictures), _training(manifest)]
    return "\n\n".join([*parts, _measured(manifest), _files(manifest)]) + "\n"


def _head(manifest: Manifest) -> str:
    return "\n\n".join(
        [
            f"# Model card: {manifest.name} {manifest.version}",
            f"{manifest.description} Fingerprint `{manifest.fingerprint.hex()}`; licence of the "
            f"weights: {manifest.provenance.get('licence', 'not stated')}.",
            "Not for what must come back exactly: its output is no evidence.",
        ]
    )


def _training(manifest: Manifest) -> str:
    provenance, parent = manifest.provenance, manifest.parent
    start = "from random weights"
    if parent is not None:
        start = f"from {parent.name} {parent.version} (weights `{parent.weights_sha256[:16]}`)"
    return (
        f"## Training\n\n`python -m train {provenance.get('recipe')}`, "
        f"{provenance.get('steps')} steps {start}, seed {provenance.get('seed')}; "
        f"weights `{provenance.get('weights_sha256')}`."
    )


def _measured(manifest: Manifest) -> str:
    rows = [
        f"| {MEANINGS.get(name, name)} | {value:.6g} |"
        for name, value in sorted(manifest.measured.items())
    ]
    return "\n".join(["## Measured by export", "", "| what | value |", "|---|---:|", *rows])


def _files(manifest: Manifest) -> str:
    rows = [f"| `{entry.path}` | {entry.bytes} |" for entry in manifest.files.values()]
    return "\n".join(["## Files", "", "| file | bytes |", "|---|---:|", *rows])
