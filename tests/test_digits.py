"""The loader of small pictures: three sets, idx files, folders, downloads that are checked."""

import gzip
import hashlib
import io
import struct
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.training import idx
from train.data import digits

COUNT, TESTS = 24, 5


def idx_files(side: int = 6) -> dict[str, bytes]:
    """The four files of a tiny data set, by name; picture i is flat at level i."""
    found = {}
    for part, count in (("train", COUNT), ("t10k", TESTS)):
        level = np.arange(count, dtype=np.uint8)
        found[f"{part}-images-idx3-ubyte"] = idx(np.tile(level[:, None, None], (1, side, side)))
        found[f"{part}-labels-idx1-ubyte"] = idx(level)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in idx_files().items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(data))
    return tmp_path


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """A mirror that holds the tiny data set as ``mnist``; nothing else is anywhere."""
    files = idx_files()
    hashes = {
        name.split("-idx")[0]: hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    monkeypatch.setattr(digits, "HASHES", {"mnist": hashes})
    monkeypatch.setenv("VENTURI_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    answers = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        assert url.startswith(digits.MIRRORS["mnist"] + "/") and timeout > 0
        name = url.rpartition("/")[2]
        if name not in answers:
            raise urllib.error.URLError("not found")
        return io.BytesIO(answers[name])

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return answers


def test_three_sets_share_no_picture(folder: Path) -> None:
    found = digits.load("mnist", str(folder))
    assert found.shape == (1, 6, 6)
    assert [len(part.images) for part in (found.train, found.validation, found.test)] == [22, 2, 5]
    assert found.train.labels.tolist() == list(range(22))
    assert found.validation.labels.tolist() == [22, 23]
    assert found.validation.images[1].tolist() == [[23] * 6] * 6


def test_plain_files_are_taken_as_well(tmp_path: Path) -> None:
    for name, data in idx_files().items():
        (tmp_path / name).write_bytes(data)
    assert len(digits.load("mnist", str(tmp_path)).test.images) == TESTS


def test_the_data_folder_comes_before_the_cache(
    folder: Path, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    published.clear()
    monkeypatch.setenv("VENTURI_DATA", str(folder.parent))
    folder.rename(folder.parent / "mnist")
    assert digits.load("mnist").shape == (1, 6, 6)


def test_what_is_nowhere_is_downloaded_once(published: dict[str, bytes], tmp_path: Path) -> None:
    assert len(digits.load("mnist").train.images) == 22
    names = sorted(path.name for path in (tmp_path / "cache" / "venturi" / "mnist").iterdir())
    assert names == sorted(published)
    published.clear()
    assert len(digits.load("mnist").train.images) == 22


def test_a_download_of_something_else_is_refused(
    published: dict[str, bytes], tmp_path: Path
) -> None:
    for wrong, message in ((gzip.compress(b"other"), "sha256"), (b"<html>", "whole"), (b"", "sha")):
        published["t10k-labels-idx1-ubyte.gz"] = wrong
        with pytest.raises(ValueError, match=message):
            digits.load("mnist")
    cache = tmp_path / "cache" / "venturi" / "mnist"
    assert "t10k-labels-idx1-ubyte.gz" not in {path.name for path in cache.iterdir()}


def test_without_a_network_the_remedy_is_named(published: dict[str, bytes]) -> None:
    published.clear()
    with pytest.raises(OSError, match="--data"):
        digits.load("mnist")


def test_a_changed_file_in_the_cache_is_refused(
    published: dict[str, bytes], tmp_path: Path
) -> None:
    digits.load("mnist")
    cache = tmp_path / "cache" / "venturi" / "mnist"
    (cache / "t10k-labels-idx1-ubyte.gz").write_bytes(published["train-labels-idx1-ubyte.gz"])
    with pytest.raises(ValueError, match="sha256"):
        digits.load("mnist")


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(ValueError, match=r"letters.*fashion-mnist.*--data"):
        digits.load("letters")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes([0, 0, 8, 3]),
        idx(np.zeros((2, 3), np.uint8)),
        idx(np.zeros((2, 3, 4), np.uint8))[:-1],
        idx(np.zeros((2, 3, 4), np.uint8)) + b"\0",
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 4),
        bytes([0, 0, 8, 3]) + struct.pack(">3I", 0, 28, 28),
        bytes([0, 0, 9, 3]) + idx(np.zeros((2, 3, 4), np.uint8))[4:],
    ],
)
def test_what_is_no_idx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected an idx file"):
        digits.read_idx("some.gz", data, 3)


def test_more_labels_than_pictures_are_refused(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(TESTS + 1, np.uint8))))
    with pytest.raises(ValueError, match="as many"):
        digits.load("mnist", str(folder))


def write_pictures(folder: Path, count: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        image = rng.integers(0, 256, shape, np.uint8)
        cv2.imwrite(str(folder / f"{number:03d}.png"), image)


@pytest.mark.parametrize(("shape", "found"), [((9, 7), (1, 9, 7)), ((9, 7, 3), (3, 9, 7))])
def test_a_folder_of_pictures(tmp_path: Path, shape: Any, found: Any) -> None:
    write_pictures(tmp_path, 21, shape)
    data = digits.load("mnist", str(tmp_path))
    assert data.shape == found
    assert [len(part.images) for part in (data.train, data.validation, data.test)] == [17, 2, 2]
    assert data.train.images.dtype == np.uint8


def test_pictures_of_two_sizes_are_refused_by_name(tmp_path: Path) -> None:
    write_pictures(tmp_path, 12, (9, 7))
    cv2.imwrite(str(tmp_path / "zzz.png"), np.zeros((7, 9), np.uint8))
    with pytest.raises(ValueError, match=r"zzz\.png has 9 x 7 pixels; expected 7 x 9"):
        digits.load("mnist", str(tmp_path))


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, 9, (9, 7))
    with pytest.raises(ValueError, match="at least 10"):
        digits.load("mnist", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no pictures"):
        digits.load("mnist", str(tmp_path / "nowhere"))


def test_without_a_data_folder_the_cache_is_taken(
    published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VENTURI_DATA")
    assert digits.load("mnist").shape == (1, 6, 6)
    assert (tmp_path / "cache" / "venturi" / "mnist").is_dir()


@pytest.mark.parametrize("name", sorted(digits.HASHES))
def test_the_real_data(name: str, shared_data: Callable[[str], Path]) -> None:
    shared_data(name)
    found = digits.load(name)
    sizes = [len(part.images) for part in (found.train, found.validation, found.test)]
    assert (found.shape, sizes) == ((1, 28, 28), [55_000, 5_000, 10_000])
