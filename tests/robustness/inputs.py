"""Devices that are not there, frames that are none, image files that are only half there."""

import contextlib
import io
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.bundles import CODEC
from tests.robustness.subjects import BUNDLES, autoencoder, codec, denoiser, picture
from tests.robustness.tally import Tally, outcome, row
from venturi import Codec, DeviceError, InputError, images
from venturi._cli.jobs import quiet_libraries
from venturi._cli.main import main
from venturi._engine.graph import PROVIDERS


@row(
    "devices",
    "a device that is not there, cannot run, or is misspelt",
    "DeviceError with what is there and what to install; never a silent CPU run",
    short=1, full=1,
)  # fmt: skip
def ask_for_devices(tally: Tally, _: int) -> None:
    """Ask for devices that onnxruntime does not have, or has and cannot run on."""
    only_cpu = patch("onnxruntime.get_available_providers", return_value=[PROVIDERS["cpu"]])
    never = patch("onnxruntime.InferenceSession", side_effect=AssertionError("a silent CPU run"))
    misspelt = ("CUDA", "cuda:0", "CUDAExecutionProvider", "gpu", "tpu", "", "cpu ", "Cpu")
    with only_cpu, never:
        for device in (*PROVIDERS, *misspelt):
            if device == "cpu":
                continue
            for says in ("this onnxruntime has: cpu", "install" if device in PROVIDERS else "cpu"):
                for source, model in BUNDLES.items():
                    make = partial(model, source, device=device)
                    tally.refuses(device, make, DeviceError, says)
    _fall_back(tally)
    _ask_on_the_command_line(tally)


def _fall_back(tally: Tally) -> None:
    """Let onnxruntime promise every device and then give a session on the CPU."""
    import onnxruntime

    real = onnxruntime.InferenceSession

    def on_the_cpu(model: bytes, options: object, **_: object) -> object:
        return real(model, providers=[PROVIDERS["cpu"]])

    every = patch("onnxruntime.get_available_providers", return_value=[*PROVIDERS.values()])
    with every, patch("onnxruntime.InferenceSession", on_the_cpu):
        for device in PROVIDERS:
            for source, model in BUNDLES.items():
                if device != "cpu":
                    make = partial(model, source, device=device)
                    tally.refuses(device, make, DeviceError, f"on device {device!r}: onnxruntime")


def _ask_on_the_command_line(tally: Tally) -> None:
    with tempfile.TemporaryDirectory() as name:
        image, out = Path(name) / "image.png", Path(name) / "out.vnt"
        images.write(image, picture(9, 9))
        for device in ("tpu", "CUDA", ""):
            tally.same("exit code", run_command("compress", image, out, f"--device={device}"), 1)
        tally.same("files", [path.name for path in Path(name).iterdir()], [image.name])


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
        "with gaps": np.pad(good, ((3, 3), (5, 5), (0, 0)))[3:-3, 5:-5],
        "behind the last byte of a buffer": np.frombuffer(
            b"?" + good.tobytes(), np.uint8, -1, 1
        ).reshape(good.shape),
    }


@row(
    "frames",
    "frames of wrong types, shapes and sizes, and of every layout",
    "InputError or the right answer; the input unchanged",
    short=1, full=1,
)  # fmt: skip
def give_frames(tally: Tally, _: int) -> None:
    """Give frames of every kind: an error or the right answer, and the input unchanged."""
    encode = partial(images.encode, suffix=".png")
    copy = partial(denoiser().denoise, strength=0)
    for call in (codec().compress, denoiser().denoise, copy, encode):
        for what, frame in wrong_frames().items():
            before = copy_of(frame)
            tally.refuses(what, partial(call, frame), InputError, "image is")
            tally.holds(f"{what}: the input", copy_of(frame) == before)
        expected = call(picture(16, 24))
        for what, frame in right_frames().items():
            answer = call(frame)
            tally.same(what, np.asarray(answer), np.asarray(expected))
            tally.same(f"{what}: the input", frame, picture(16, 24))
            shared = isinstance(answer, np.ndarray) and np.shares_memory(answer, frame)
            tally.holds(f"{what}: the answer is the input", not shared)
    _give_small_frames(tally)


def copy_of(frame: object) -> object:
    """Return what can be compared with a later copy."""
    return (frame.shape, frame.dtype, frame.tobytes()) if isinstance(frame, np.ndarray) else frame


def _give_small_frames(tally: Tally) -> None:
    """Give an autoencoder what is no picture of its size, and codes that are none."""
    model, good = autoencoder(), picture(8, 8)[..., 0]
    wrong = {**wrong_frames(), "another size": picture(9, 8)[..., 0], "no frames": good[None][:0]}
    for call in (model.encode, model.reconstruct, model.compress):
        for what, frame in wrong.items():
            tally.refuses(what, partial(call, frame), InputError, "image is")
        expected = call(good)
        for layout in (np.asfortranarray(good), good.astype(">u1"), good.repeat(2, axis=1)[:, ::2]):
            tally.same("layout", np.asarray(call(layout)), np.asarray(expected))
    code = model.encode(good)
    for value in (np.nan, np.inf, -np.inf):
        tally.refuses(f"{value}", partial(model.decode, np.full_like(code, value)), InputError)
    other: Any
    for other in (code[:-1], code[:0], code[None, None], "code", None, [[]], code[None][:0]):
        tally.refuses(f"{other!r:.40}", partial(model.decode, other), InputError)
    for layout in (code.astype(">f8"), code.repeat(2)[::2], code.tolist()):
        tally.same("layout", model.decode(layout), model.decode(code))
        tally.same("the input", layout, code)


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
        calls[f"threads {value!r}"] = partial(Codec, CODEC, threads=value)
    released = memoryview(data)
    released.release()
    for value in (None, 5, "a.vnt", [], np.frombuffer(data, np.uint8), released):
        calls[f"data {value!r:.20}"] = partial(codec().decompress, value)
    return calls


@row(
    "arguments",
    "wrong and odd arguments of every call",
    "InputError says which",
    short=1, full=1,
)  # fmt: skip
def give_arguments(tally: Tally, _: int) -> None:
    """Give arguments that are wrong, and right ones that are odd."""
    for what, call in wrong_arguments().items():
        tally.refuses(what, call, InputError)
    device: Any
    for device in (None, 5, [], b"cpu"):
        tally.refuses(f"device {device!r}", partial(Codec, CODEC, device=device), DeviceError)
    image, data = picture(16, 24), codec().compress(picture(16, 24))
    best = codec().compress(image, quality=100)
    tally.same("max_bytes 10^400", codec().compress(image, max_bytes=10**400), best)
    every_second = np.frombuffer(data, np.uint8).repeat(2)[::2]
    expected = codec().decompress(data)
    tally.same("every second byte", codec().decompress(every_second.data), expected)
    tally.same("max_pixels 10^400", codec().decompress(data, max_pixels=10**400), expected)


@row(
    "images",
    "half an image file; names beyond ASCII; no folder",
    "a clear error, nothing written",
    short=20, full=5_000,
)  # fmt: skip
def halve_images(tally: Tally, count: int) -> None:
    """Cut JPEG and PNG files; what is left is refused, and the command line writes nothing."""
    random = np.random.default_rng(8)
    with tempfile.TemporaryDirectory() as folder, quiet_libraries():
        for suffix in (".jpg", ".png", ".webp", ".bmp", ".tif", ".ppm"):
            data = images.encode(picture(90, 120), suffix)
            lengths = {0, 1, len(data) // 2, len(data) - 1, len(data) - 2}
            lengths |= {int(length) for length in random.integers(0, len(data), count)}
            for length in lengths:
                _give_cut(tally, data, length)
            half, out = Path(folder) / f"hälfte{suffix}", Path(folder) / "out.vnt"
            half.write_bytes(data[: len(data) // 2])
            tally.same("exit code", run_command("compress", half, out), 1)
            tally.same("files", [path.name for path in Path(folder).iterdir()], [half.name])
            half.unlink()
    _name_files(tally)


NAMES = (
    "大きさ",
    "größe",
    "with space",
    "-dash",
    "new\nline",
    "🖼",
    "a" * 251,
    os.fsdecode(b"\xff"),
)


def _name_files(tally: Tally) -> None:
    """Give files names of all kinds, and folders that are not there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, stem in enumerate(NAMES):
            whole, data = folder / f"{stem}.png", folder / f"{stem}.vnt"
            images.write(whole, picture(9, 9))
            tally.same(repr(stem), run_command("compress", whole, data), 0)
            tally.same(repr(stem), run_command("decompress", data, folder / f"{number}.png"), 0)
            tally.same(repr(stem), images.read(whole).pixels, picture(9, 9))
            tally.same(
                "a stream is no picture", run_command("compress", data, folder / "none.vnt"), 1
            )
        empty = folder / "empty"
        empty.mkdir()
        before = sorted(folder.iterdir())
        tally.same("no folder", run_command("compress", whole, folder / "none" / "out.vnt"), 1)
        tally.same("no input", run_command("compress", folder / "none.png", folder / "out.vnt"), 1)
        tally.same(
            "a folder without pictures", run_command("compress", empty, folder / "out.vnt"), 1
        )
        tally.same("a file as a folder", run_command("compress", whole, whole / "out.vnt"), 1)
        tally.same("a name too long", run_command("compress", whole, folder / ("a" * 300)), 1)
        tally.same("what is there", sorted(folder.iterdir()), before)


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


def run_command(command: str, *arguments: Path | str) -> int:
    """Run the command line; return its exit code."""
    with contextlib.redirect_stderr(io.StringIO()):
        return main([command, *map(str, arguments), "--bundle", str(CODEC)])
