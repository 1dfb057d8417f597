"""Bundles from strangers: refused before onnxruntime sees them, and usable or refused after."""

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from tests.bundles import CODEC, edit_manifest, replace_file
from tests.robustness.processes import start
from tests.robustness.subjects import BUNDLES, flipped
from tests.robustness.tally import Tally, row
from tests.test_bundle import DAMAGES, REFUSED
from tests.test_manifest import CHANGES
from venturi import BundleError
from venturi._bundle.manifest import MAX_BYTES

BATCH = 250
"""Mutated bundles for one process."""

Attack = Callable[[Path], object]


@row(
    "bundles",
    "a bundle missing a file, changed, linked, escaping, lying, with forbidden graphs",
    "BundleError before onnxruntime sees it",
    short=10, full=1_000,
)  # fmt: skip
def attack(tally: Tally, count: int) -> None:
    """Change each bundle in every way; onnxruntime must never see it."""
    loaded = AssertionError("onnxruntime was called")
    with (
        tempfile.TemporaryDirectory() as folder,
        patch("onnxruntime.InferenceSession", side_effect=loaded),
        patch("onnxruntime.SessionOptions", side_effect=loaded),
    ):
        for source, model in BUNDLES.items():
            for number, (what, change) in enumerate(_attacks(source, count)):
                copy = Path(folder) / f"{source.name}-{number}"
                shutil.copytree(source, copy)
                change(copy)
                is_manifest = what.startswith("manifest")
                bound = tally.within(what, peak_mb=8) if is_manifest else contextlib.nullcontext()
                with bound:
                    tally.refuses(f"{source.name}: {what}", partial(model, copy), BundleError)
                shutil.rmtree(copy)


def _attacks(source: Path, count: int) -> Iterator[tuple[str, Attack]]:
    """Name what is done to a bundle, and do it."""
    files = sorted(path.name for path in source.iterdir() if path.name != "manifest.json")
    graphs = [name for name in files if name.endswith(".onnx")]
    for name in files:
        for what, (damage, _) in DAMAGES.items():
            yield f"{name}: {what}", partial(_damage, name, damage)
    for what, (damage, _) in DAMAGES.items():
        if what not in ("truncated", "one bit flipped"):  # which leave what may be a manifest
            yield f"manifest.json: {what}", partial(_damage, "manifest.json", damage)
    for number, (what, content) in enumerate(REFUSED.items()):
        yield (
            f"graph: {what}",
            partial(replace_file, name=graphs[number % len(graphs)], content=content),
        )
    if source == CODEC:  # whose manifest the changes are made for
        for what, change in CHANGES.items():
            yield f"manifest: {what}", partial(edit_manifest, edit=change)
    for what, text in _bad_manifests((source / "manifest.json").read_text(encoding="utf-8")):
        yield f"manifest: {what}", partial(_put_manifest, text)
    yield "manifest: 1 TB", lambda folder: _grow(folder / "manifest.json")
    random = np.random.default_rng(6)
    for number in range(count):
        name = files[number % len(files)]
        bit = int(random.integers(8 * (source / name).stat().st_size))
        yield f"{name}: bit {bit}", partial(_damage, name, partial(_flip, bit))


def _bad_manifests(good: str) -> Iterator[tuple[str, str]]:
    first = json.loads(good)["files"]
    path = next(iter(first.values()))["path"]
    yield "huge", good + " " * MAX_BYTES
    yield "deep", "[" * 100_000
    yield "a deep object", '{"a":' * 100_000
    for what, other in (
        ("a path with a name too long", "a" * 300),
        ("a path too long", "a/" * 5000 + "a"),
        ("a path out", f"../{path}"),
        ("a path from the root", "/etc/passwd"),
        ("a path to nowhere", f"none/{path}"),
    ):
        yield what, good.replace(f'"{path}"', json.dumps(other))


def _damage(name: str, damage: Attack, folder: Path) -> None:
    damage(folder / name)


def _flip(bit: int, path: Path) -> None:
    path.write_bytes(flipped(path.read_bytes(), bit))


def _grow(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(10**12)  # a hole; nothing is written


def _put_manifest(text: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")


@row(
    "graphs",
    "mutated graphs and tables, whose hashes the manifest has",
    "our own errors or a result, whatever the graphs give",
    short=60, full=5_000,
)  # fmt: skip
def mutate(tally: Tally, count: int) -> None:
    """Use bundles whose mutated files have the hashes that their manifest says.

    In a process of its own, since what passes the checks runs in onnxruntime, whose crashes are not
    ours to catch: they are counted, and the next process goes on after them.
    """
    figures = dict.fromkeys(("accepted", "crashes_of_onnxruntime"), 0.0)
    done = 0
    while done < count:
        code, lines = _worker(done, min(done + BATCH, count))
        for line in lines:
            number, what, leak = json.loads(line)
            tally.holds(f"{number}: {what}: {leak}", not leak)
            figures["accepted"] += what == "accepted"
            done = number + 1
        if code:
            figures["crashes_of_onnxruntime"] += 1
            done += 1
    tally.figures.update(figures)


def _worker(first: int, end: int) -> tuple[int, list[bytes]]:
    command = [sys.executable, "-m", "tests.robustness._user", str(first), str(end)]
    found = start(command)
    return found.returncode, found.stdout.splitlines()
