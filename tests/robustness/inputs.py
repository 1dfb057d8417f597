"""Devices that are not there, frames that are none, image files that are only half there."""

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.robustness.subjects import TINY, TINY_DENOISER, codec, denoiser, picture
from tests.robustness.tally import Row, Tally, outcome
from venturi import Codec, Denoiser, DeviceError, InputError, images
from venturi.cli import _quiet_libraries, main
from venturi.sessions import PROVIDERS


def ask_for_devices(tally: Tally, _: int) -> None:
    """Ask for devices that onnxruntime does not have; no session may be made instead."""
    only_cpu = patch("onnxruntime.get_available_providers", return_value=[PROVIDERS["cpu"]])
    never = patch("onnxruntime.InferenceSession", side_effect=AssertionError("a silent CPU run"))
    misspelt = ("CUDA", "cuda:0", "CUDAExecutionProvider", "gpu", "tpu", "", "cpu ")
    with only_cpu, never:
        for device in (*PROVIDERS, *misspelt):
            if device == "cpu":
                continue
            for says in ("this onnxruntime has: cpu", "install" if device in PROVIDERS else "cpu"):
                tally.refuses(device, partial(Codec, TINY, device=device), DeviceError, says)
                make = partial(Denoiser, TINY_DENOISER, device=device)
                tally.refuses(device, make, DeviceError, says)


def wrong_frames() -> dict[str, Any]:
    """Return what is no picture."""
    good = picture(16, 24)
    return {
        "NaN": np.full((16, 24, 3), np.nan, np.float32),
        "infinity": np.full((16, 24, 3), np.inf),
        "float": good / np.float32(255),
        "16 bits": good.astype(np.uint16),
        "16 bits, big-endian": good.astype(">u2"),
        "signed": good.astype(np.int8),
        "bool": good > 9,
        "object": good.astype(object),
        "complex": good.astype(complex),
        "four channels": np.dstack([good, good[..., 0]]),
        "one channel": good[..., :1],
        "planes first": good.transpose(2, 0, 1),
        "a batch": good[None],
        "a row": good[0, :, 0],
        "a number": np.uint8(3),
        "no rows": good[:0],
        "no columns": good[:, :0],
        "too wide": np.broadcast_to(np.uint8(0), (1, 65536, 3)),
        "a list": good.tolist(),
        "bytes": good.tobytes(),
        "nothing": None,
    }


def right_frames() -> dict[str, Any]:
    """Return one picture in every layout that memory can have."""
    good = picture(16, 24)
    frozen = good.copy()
    frozen.setflags(write=False)
    return {
        "read-only": frozen,
        "Fortran": np.asfortranarray(good),
        "backwards": good[:, ::-1].copy()[:, ::-1],
        "every second": np.repeat(good, 2, axis=0)[::2],
        "BGR view": good[..., ::-1].copy()[..., ::-1],
        "planes": np.ascontiguousarray(good.transpose(2, 0, 1)).transpose(1, 2, 0),
        "big-endian": good.astype(">u1"),
    }


def give_frames(tally: Tally, _: int) -> None:
    """Give frames of every kind: an error or the right answer, and the input unchanged."""
    for call in (codec().compress, denoiser().denoise):
        for what, frame in wrong_frames().items():
            tally.refuses(what, partial(call, frame), InputError, "image is")
        expected = call(picture(16, 24))
        for what, frame in right_frames().items():
            answer = call(frame)
            tally.same(what, np.asarray(answer), np.asarray(expected))
            tally.same(f"{what}: the input", frame, picture(16, 24))


def halve_images(tally: Tally, count: int) -> None:
    """Cut JPEG and PNG files; what is left is refused, and the command line writes nothing."""
    random = np.random.default_rng(8)
    with tempfile.TemporaryDirectory() as folder, _quiet_libraries():
        for suffix in (".jpg", ".png"):
            data = images.encode(picture(90, 120), suffix)
            lengths = {0, 1, len(data) // 2, len(data) - 1, len(data) - 2}
            lengths |= {int(length) for length in random.integers(0, len(data), count)}
            for length in lengths:
                _give_cut(tally, data, length)
            half, out = Path(folder) / f"hälfte{suffix}", Path(folder) / "out.vnt"
            half.write_bytes(data[: len(data) // 2])
            tally.same("exit code", _run("compress", half, out), 1)
            tally.holds("something was written", not out.exists())
        whole = Path(folder) / "大きさ.png"
        images.write(whole, picture(9, 9))
        tally.same("beyond ASCII", _run("compress", whole, Path(folder) / "größe.vnt"), 0)
        tally.same("no folder", _run("compress", whole, Path(folder) / "none" / "out.vnt"), 1)
        tally.same("no input", _run("compress", Path(folder) / "none.png", whole), 1)
        tally.same("the input", images.read(whole).pixels, picture(9, 9))


def _give_cut(tally: Tally, data: bytes, length: int) -> None:
    """Give the beginning of an image file: refused, unless every pixel of it is there.

    A JPEG without its last marker is such a one.
    """
    what = f"{length} of {len(data)} bytes of an image"
    decode = partial(images.decode, data[:length], name="half")
    if length >= len(data) - 2 and outcome(decode) is None:
        tally.same(what, decode().pixels, images.decode(data, name="whole").pixels)
    else:
        tally.refuses(what, decode, InputError, "half: ")


def _run(command: str, *paths: Path) -> int:
    """Run the command line; return its exit code."""
    with contextlib.redirect_stderr(io.StringIO()):
        return main([command, *map(str, paths), "--bundle", str(TINY)])


def wrong_arguments() -> dict[str, Callable[[], object]]:
    """Return calls with an argument that is not what the docstring asks for."""
    image, data = picture(16, 24), codec().compress(picture(16, 24))
    value: Any
    numbers: tuple[Any, ...] = ("x", float("nan"), float("inf"), -1, 10**400, [5], 1j)
    calls: dict[str, Callable[[], object]] = {}
    for value in (*numbers, 0, 101):
        calls[f"quality {value!r:.20}"] = partial(codec().compress, image, quality=value)
        calls[f"strength {value!r:.20}"] = partial(denoiser().denoise, image, strength=value or 9)
    for value in (*numbers[:4], 0, 1.5, [5]):
        calls[f"max_bytes {value!r}"] = partial(codec().compress, image, max_bytes=value)
    for value in (*numbers[:3], 10**400, 1e308, 500, [5], 1j):
        calls[f"min_psnr_db {value!r:.20}"] = partial(codec().compress, image, min_psnr_db=value)
    for value in (5, "abcd", (1, 2, 3), (0, 0, 1.5, 1), (0, 0, 10**400, 1), (-1, 0, 1, 1), {}, b""):
        calls[f"region {value!r:.20}"] = partial(codec().decompress, data, region=value)
    for value in ("x", None, 1e9, float("nan")):
        for read in (codec().decompress, codec().salvage):
            calls[f"{read.__name__} max_pixels {value!r}"] = partial(read, data, max_pixels=value)
    for value in (None, 5, b"photo", []):
        calls[f"bundle {value!r}"] = partial(Codec, value)
    for value in (0, -1, 1.5, "2", True, 10**9):
        calls[f"threads {value!r}"] = partial(Codec, TINY, threads=value)
    for value in (None, 5, "a.vnt", [], np.frombuffer(data, np.uint8)):
        calls[f"data {value!r:.20}"] = partial(codec().decompress, value)
    return calls


def give_arguments(tally: Tally, _: int) -> None:
    """Give arguments that are wrong, and right ones that are odd."""
    for what, call in wrong_arguments().items():
        tally.refuses(what, call, InputError)
    device: Any
    for device in (None, 5, [], b"cpu"):
        tally.refuses(f"device {device!r}", partial(Codec, TINY, device=device), DeviceError)
    image, data = picture(16, 24), codec().compress(picture(16, 24))
    best = codec().compress(image, quality=100)
    tally.same("max_bytes 10^400", codec().compress(image, max_bytes=10**400), best)
    every_second = np.frombuffer(data, np.uint8).repeat(2)[::2]
    expected = codec().decompress(data)
    tally.same("every second byte", codec().decompress(every_second.data), expected)
    tally.same("max_pixels 10^400", codec().decompress(data, max_pixels=10**400), expected)


ROWS = (
    Row(
        "a device that is not there or misspelt", "DeviceError says what is", ask_for_devices, 1, 1
    ),
    Row(
        "frames of wrong types, shapes and sizes, and of every layout",
        "InputError or the right answer; the input unchanged",
        give_frames,
        short=1,
        full=1,
    ),
    Row("wrong and odd arguments of every call", "InputError says which", give_arguments, 1, 1),
    Row(
        "half a JPEG or PNG; names beyond ASCII; no folder",
        "a clear error, nothing written",
        halve_images,
        short=20,
        full=5_000,
    ),
)
