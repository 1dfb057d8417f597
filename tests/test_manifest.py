"""The manifest: strict to read, the same text every time it is written."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundles import CODEC, Values
from venturi import BundleError, Manifest
from venturi._bundle.manifest import MAX_BYTES, FileEntry

TEXT = (CODEC / "manifest.json").read_text(encoding="utf-8")


def test_what_is_written_is_what_is_read() -> None:
    manifest = Manifest.load(CODEC)
    assert manifest.to_json() == TEXT
    assert Manifest.from_json(TEXT) == manifest
    assert Manifest.from_json(TEXT.encode()) == manifest
    reordered = json.dumps(dict(reversed(json.loads(TEXT).items())))
    assert Manifest.from_json(reordered).to_json() == TEXT


def test_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Manifest.load(CODEC).name = "other"  # type: ignore[misc]


def test_fingerprint_is_of_what_decodes_in_order() -> None:
    entropy = [f"entropy-{step}.onnx" for step in ("first", "second", "third")]
    files = [CODEC / name for name in ("decoder.onnx", *entropy, "tables.bin")]
    digests = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
    assert Manifest.load(CODEC).fingerprint == hashlib.sha256(digests).digest()[:8]


def test_fingerprint_leaves_the_encoder_out() -> None:
    manifest = Manifest.load(CODEC)
    encoder = dataclasses.replace(manifest.files["encoder"], sha256="0" * 64)
    other = dataclasses.replace(manifest, files={**manifest.files, "encoder": encoder})
    assert other.fingerprint == manifest.fingerprint


def test_a_file_describes_itself(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"abc")
    entry = FileEntry.of(tmp_path, "a.onnx")
    assert (entry.bytes, entry.sha256) == (3, hashlib.sha256(b"abc").hexdigest())


CHANGES: dict[str, Callable[[Values], object]] = {
    "an unknown key": lambda m: m.update(colour="red"),
    "a missing key": lambda m: m.pop("name"),
    "a newer version": lambda m: m.update(format_version=2),
    "a version of another type": lambda m: m.update(format_version="1"),
    "true for an integer": lambda m: m.update(channels=True),
    "a fraction for an integer": lambda m: m.update(stride=64.0),
    "a name for people to misread": lambda m: m.update(name="../photo"),
    "no name": lambda m: m.update(name=""),
    "an unknown task": lambda m: m.update(task="upscaler"),
    "another task's files": lambda m: m.update(task="denoiser"),
    "two channels": lambda m: m.update(channels=2),
    "a stride of 0": lambda m: m.update(stride=0),
    "a stride that windows do not take": lambda m: m.update(stride=48),
    "files in a list": lambda m: m.update(files=[]),
    "a file too few": lambda m: m["files"].pop("tables"),
    "a file too many": lambda m: m["files"].update(extra=m["files"]["tables"]),
    "one file in two roles": lambda m: m["files"].update(encoder=m["files"]["decoder"]),
    "a file without a hash": lambda m: m["files"]["tables"].pop("sha256"),
    "a hash in capitals": lambda m: m["files"]["tables"].update(sha256="A" * 64),
    "a short hash": lambda m: m["files"]["tables"].update(sha256="a" * 63),
    "a size that would fill the memory": lambda m: m["files"]["tables"].update(bytes=2**31),
    "a negative size": lambda m: m["files"]["tables"].update(bytes=-1),
    "a path outside": lambda m: m["files"]["tables"].update(path="../tables.bin"),
    "a path out and in": lambda m: m["files"]["tables"].update(path="a/../tables.bin"),
    "an absolute path": lambda m: m["files"]["tables"].update(path="/etc/passwd"),
    "a path of Windows": lambda m: m["files"]["tables"].update(path="..\\tables.bin"),
    "a drive of Windows": lambda m: m["files"]["tables"].update(path="C:tables.bin"),
    "an empty path": lambda m: m["files"]["tables"].update(path=""),
    "a folder": lambda m: m["files"]["tables"].update(path="tables/"),
    "a path with a NUL": lambda m: m["files"]["tables"].update(path="tables\0.bin"),
    "the manifest as a file": lambda m: m["files"]["tables"].update(path="manifest.json"),
    "a parameter too few": lambda m: m["parameters"].pop("decoder_margin"),
    "a parameter too many": lambda m: m["parameters"].update(depth=3),
    "another chunk": lambda m: m["parameters"].update(chunk=512),
    "a margin between strides": lambda m: m["parameters"].update(decoder_margin=32),
    "no channels": lambda m: m["parameters"].update(latent_channels=0),
    "far too many channels": lambda m: m["parameters"].update(latent_channels=10**9),
    "a measure that no float holds": lambda m: m["measured"].update(psnr_db=10**400),
    "an integer of more than 64 bits": lambda m: m["provenance"].update(steps=2**63),
    "words for a measure": lambda m: m["measured"].update(psnr_db="good"),
    "a version of two numbers": lambda m: m.update(version="1.0"),
    "a version with a name": lambda m: m.update(version="1.0.0-beta"),
    "a version that is a number": lambda m: m.update(version=1),
    "words for a parent": lambda m: m.update(parent="photo 0.8.0"),
    "a parent without a hash": lambda m: m["parent"].pop("weights_sha256"),
    "a parent with a short hash": lambda m: m["parent"].update(weights_sha256="0" * 63),
    "a parent with a path for a name": lambda m: m["parent"].update(name="../photo"),
    "a parent without a version": lambda m: m["parent"].update(version=""),
    "pictures that are no list": lambda m: m.update(pictures={}),
    "pictures without a licence": lambda m: m["pictures"][0].pop("licence"),
    "fewer pictures than none": lambda m: m["pictures"][0].update(count=-1),
    "half a picture": lambda m: m["pictures"][0].update(count=0.5),
    "pictures in words": lambda m: m["pictures"].append("CC0"),
    "a list of provenance": lambda m: m["provenance"].update(licence=["CC0"]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_is_no_manifest_is_refused(change: Callable[[Values], object]) -> None:
    values = json.loads(TEXT)
    values["parent"] = {"name": "photo", "version": "0.8.0", "weights_sha256": "0" * 64}
    values["pictures"] = [{"collection": "gb82", "count": 25, "licence": "CC0"}]
    Manifest.from_json(json.dumps(values))
    change(values)
    with pytest.raises(BundleError, match="manifest"):
        Manifest.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        TEXT[:-3],
        TEXT + "x",
        TEXT.encode("utf-16"),
        b"\xff" + TEXT.encode(),
        TEXT.replace('"stride": 64', '"stride": NaN'),
        TEXT.replace('"measured": {}', '"measured": {"psnr_db": Infinity}'),
        TEXT.replace('"measured": {}', '"measured": {"psnr_db": 1e999}'),
        TEXT.replace('"stride": 64', '"stride": 64, "stride": 64'),
        TEXT.replace('"stride": 64', '"stride": ' + "9" * 5000),
        "[" * 100_000,
    ],
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(BundleError, match="manifest"):
        Manifest.from_json(text)


def test_a_huge_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(TEXT + " " * MAX_BYTES)
    with pytest.raises(BundleError, match=str(MAX_BYTES)):
        Manifest.load(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: No such file"):
        Manifest.load(tmp_path / "nowhere")


def test_an_infinite_measure_is_not_written() -> None:
    manifest = dataclasses.replace(Manifest.load(CODEC), measured={"psnr_db": float("inf")})
    with pytest.raises(BundleError, match="finite"):
        manifest.to_json()
