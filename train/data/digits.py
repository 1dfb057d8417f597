"""Small pictures of one size, in three sets: MNIST, Fashion-MNIST, or the user's own folder.

They are read from ``--data``, ``VENTURI_DATA`` or the cache, whichever has them first. Otherwise
the four files are downloaded into the cache and checked against known hashes.
"""

import gzip
import hashlib
import os
import struct
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.data import photographs

Bytes = NDArray[np.uint8]

SETS: Mapping[str, str] = {"train": "train", "test": "t10k"}
FILES: Mapping[str, str] = {"images": "images-idx3-ubyte", "labels": "labels-idx1-ubyte"}

MIRRORS: Mapping[str, str] = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist",
    "fashion-mnist": "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
}

HASHES: Mapping[str, Mapping[str, str]] = {
    "mnist": {
        "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion-mnist": {
        "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
"""SHA-256 of the unpacked files: the .gz around them differs from mirror to mirror."""

LICENCES: Mapping[str, str] = {
    "mnist": "CC BY-SA 3.0 (LeCun, Cortes, Burges)",
    "fashion-mnist": "MIT (Zalando)",
}

_VALIDATION_SHARE = 12
_FOLDER_CYCLE = 10
_LARGEST_DOWNLOAD = 2**26
_TIMEOUT_S = 30


class Labelled(NamedTuple):
    """Pictures and their labels.

    Attributes:
        images: uint8 (N, H, W) grey or (N, H, W, 3) RGB.
        labels: uint8 (N,).
    """

    images: Bytes
    labels: Bytes


@dataclass(frozen=True)
class Digits:
    """A data set in three parts that share no picture.

    Attributes:
        train: for training.
        validation: for watching a training and for choosing between models.
        test: for the reported numbers only.
    """

    train: Labelled
    validation: Labelled
    test: Labelled

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture."""
        _, height, width, *channels = self.train.images.shape
        return (channels[0] if channels else 1), height, width


def load(dataset: str, data: str = "") -> Digits:
    """Read a data set.

    Args:
        dataset: ``mnist`` or ``fashion-mnist``.
        data: a folder with the four idx files, plain or .gz, or with pictures of one size. Empty
            takes them from ``VENTURI_DATA`` or the cache, and downloads them if neither has them.

    Raises:
        FileNotFoundError: ``data`` holds neither.
        ValueError: a file is damaged, or there is no such data set.
        OSError: the download failed.
    """
    if data:
        return load_folder(Path(data))
    if dataset not in HASHES:
        raise ValueError(
            f"dataset is {dataset!r}; expected one of {', '.join(HASHES)}, "
            "or --data with a folder of pictures"
        )
    return _load_idx(_folder_of(dataset), HASHES[dataset])


def _folder_of(dataset: str) -> Path:
    """Return the folder that has the files of a data set, after a download if there is none."""
    named = os.environ.get("VENTURI_DATA")
    if named and _has_idx(Path(named) / dataset):
        return Path(named) / dataset
    folder = cache_folder() / dataset
    download(dataset, folder)
    return folder


def load_folder(folder: Path) -> Digits:
    """Read a folder of idx files or of pictures.

    Raises:
        FileNotFoundError: it holds neither.
        ValueError: a file is damaged, or the pictures differ in size.
    """
    if _has_idx(folder):
        return _load_idx(folder, None)
    return _load_pictures(folder)


def cache_folder() -> Path:
    """Return the folder of downloads: ``venturi`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "venturi"


def download(dataset: str, folder: Path) -> None:
    """Download the files of a data set that a folder lacks.

    Raises:
        OSError: the mirror cannot be reached.
        ValueError: the mirror sent something else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in SETS.values():
        for kind, name in FILES.items():
            path = folder / f"{part}-{name}.gz"
            if not path.exists():
                _fetch(f"{MIRRORS[dataset]}/{path.name}", path, HASHES[dataset][f"{part}-{kind}"])


def _fetch(url: str, path: Path, sha256: str) -> None:
    print(f"downloading {url}")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            data = answer.read(_LARGEST_DOWNLOAD)
    except OSError as error:
        raise OSError(
            f"{url}: {error}; expected a download: connect to the network, or put the four .gz "
            "files into a folder and pass it as --data"
        ) from error
    _check_hash(url, _unpacked(url, data), sha256)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as aside:
        aside.write(data)
    Path(aside.name).replace(path)


def _has_idx(folder: Path) -> bool:
    return _idx_path(folder, "train", "images").exists()


def _idx_path(folder: Path, part: str, kind: str) -> Path:
    plain = folder / f"{SETS[part]}-{FILES[kind]}"
    return plain if plain.exists() else plain.with_name(plain.name + ".gz")


def _load_idx(folder: Path, hashes: Mapping[str, str] | None) -> Digits:
    sets = {}
    for part, prefix in SETS.items():
        arrays = {}
        for kind in FILES:
            path = _idx_path(folder, part, kind)
            data = path.read_bytes()
            data = _unpacked(str(path), data) if path.suffix == ".gz" else data
            if hashes is not None:
                _check_hash(str(path), data, hashes[f"{prefix}-{kind}"])
            arrays[kind] = read_idx(str(path), data, 3 if kind == "images" else 1)
        if len(arrays["images"]) != len(arrays["labels"]):
            raise ValueError(
                f"{folder}: {len(arrays['images'])} pictures and {len(arrays['labels'])} labels "
                f"in {prefix}; expected as many; get the files again"
            )
        sets[part] = Labelled(arrays["images"], arrays["labels"])
    images, labels = sets["train"]
    end = len(images) - max(1, len(images) // _VALIDATION_SHARE)
    return Digits(
        Labelled(images[:end], labels[:end]), Labelled(images[end:], labels[end:]), sets["test"]
    )


def read_idx(name: str, data: bytes, axes: int) -> Bytes:
    """Return the uint8 array of an idx file, which must have this number of axes.

    Raises:
        ValueError: the bytes are not such a file.
    """
    head = 4 + 4 * axes
    expected = f"expected an idx file of bytes with {axes} axes; get it again"
    if data[:4] != bytes([0, 0, 8, axes]) or len(data) < head:
        raise ValueError(f"{name} begins with {data[:4].hex(' ')}; {expected}")
    shape = struct.unpack(f">{axes}I", data[4:head])
    if len(data) - head != np.prod(shape, dtype=object) or not all(shape):
        raise ValueError(f"{name} has {len(data) - head} bytes for the shape {shape}; {expected}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def _unpacked(name: str, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise ValueError(f"{name}: {error}; expected a whole .gz file; get it again") from error


def _check_hash(name: str, data: bytes, sha256: str) -> None:
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ValueError(
            f"{name}: its content has sha256 {digest}; expected {sha256}; get the file again"
        )


def _load_pictures(folder: Path) -> Digits:
    """Read equal-sized pictures; of ten, the fifth is for validation and the tenth for testing."""
    images = photographs.load_folder(folder)
    names = [p.name for p in sorted(folder.glob("*")) if p.suffix.lower() in photographs.SUFFIXES]
    for name, image in zip(names, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{folder / name} has {image.shape[1]} x {image.shape[0]} pixels; expected "
                f"{images[0].shape[1]} x {images[0].shape[0]}, as {names[0]}; "
                "crop or scale the pictures to one size"
            )
    if len(images) < _FOLDER_CYCLE:
        raise ValueError(
            f"{folder} holds {len(images)} pictures; expected at least {_FOLDER_CYCLE}, to make "
            "three sets of them; add some"
        )
    stack = np.stack(images)
    if bool((stack[..., :1] == stack).all()):
        stack = np.ascontiguousarray(stack[..., 0])
    place = np.arange(len(stack)) % _FOLDER_CYCLE
    labels = np.zeros(len(stack), np.uint8)
    chosen = (place % 5 != 4, place == 4, place == 9)
    train, validation, test = (Labelled(stack[part], labels[part]) for part in chosen)
    return Digits(train, validation, test)
