"""Bundles: found by name or path, refused before onnxruntime sees a file that is not whole."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bundles import CODEC, DATA, DENOISER, replace_file
from venturi import BundleError, Codec, Denoiser, DeviceError, InputError, Manifest
from venturi._bundle import load, onnx_walk

DECODER = (CODEC / "decoder.onnx").read_bytes()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    shutil.copytree(CODEC, folder)
    return folder


def test_found_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)
    for place in (CODEC, str(CODEC), "tiny_codec", "./tiny_codec", Path("tiny_codec")):
        assert load.Bundle.load(place, task="codec").source == str(CODEC)


def test_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(CODEC, tmp_path / "models" / "photo")
    monkeypatch.setattr(load, "SHIPPED", tmp_path / "models")
    monkeypatch.chdir(tmp_path / "models")  # the name wins over a folder that is called like it
    assert load.shipped() == ["photo"]
    assert load.Bundle.load("photo", task="codec").source == "photo"
    source = load.Bundle.load("./photo", task="codec").source
    assert Path(source).is_absolute() or source == "photo"


@pytest.mark.parametrize("name", ["nothing", "", "../nothing", "nothing\0", "n" * 5000])
def test_what_is_not_there_is_named(name: str) -> None:
    with pytest.raises(BundleError, match="no such bundle"):
        load.locate(name)


def test_another_task_is_named() -> None:
    with pytest.raises(BundleError, match=r"is a denoiser; expected a codec.*venturi\.Denoiser"):
        Codec(DENOISER)
    with pytest.raises(BundleError, match=r"is a codec; expected a denoiser.*venturi\.Codec"):
        Denoiser(CODEC)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "No such file"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-1]), "bytes; expected"),
    "longer": (lambda p: p.write_bytes(p.read_bytes() + b"x"), "bytes; expected"),
    "one bit flipped": (_flip, "sha256"),
    "a link": (_link, "a symbolic link"),
    "a folder": (_folder, "no regular file"),
    "a pipe, which would never end": (_pipe, "no regular file"),
}


@pytest.mark.parametrize(
    "name", ["encoder.onnx", "entropy-first.onnx", "decoder.onnx", "tables.bin"]
)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_damaged_file_is_named(
    copy: Path, name: str, damage: tuple[Callable[[Path], object], str]
) -> None:
    change, message = damage
    change(copy / name)
    with pytest.raises(BundleError, match=f"{name}: .*{message}"):
        Codec(copy)


@pytest.mark.parametrize("damage", [_link, _folder, _pipe])
def test_a_manifest_that_is_no_file_is_refused(
    copy: Path, damage: Callable[[Path], object]
) -> None:
    damage(copy / "manifest.json")
    with pytest.raises(BundleError, match=r"manifest\.json: no regular file"):
        Codec(copy)


def test_a_path_that_is_too_long_is_refused(copy: Path) -> None:
    text = (copy / "manifest.json").read_text().replace("tables.bin", "t" * 300)
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="File name too long"):
        Codec(copy)


def test_names_that_are_not_text_are_refused(copy: Path) -> None:
    assert b"latent" in DECODER
    replace_file(copy, "decoder.onnx", DECODER.replace(b"latent", b"\xffatent"))
    with pytest.raises(BundleError, match=r"decoder\.onnx: the names of its inputs are not UTF-8"):
        Codec(copy)


class Cropping:
    """A session whose graph gives less than was asked for."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def run(self, names: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        return [output[..., :-1] for output in self.session.run(names, inputs)]


@pytest.mark.parametrize(
    "role", ["encoder", "entropy-first", "entropy-second", "entropy-third", "decoder"]
)
def test_a_graph_that_gives_another_shape_is_refused(role: str) -> None:
    codec = Codec(CODEC, threads=1)
    graphs = {f"entropy-{step}": g for step, g in codec._coder._graphs._asdict().items()}
    graphs |= {name: getattr(codec._transform, f"_{name}") for name in ("encoder", "decoder")}
    graph = graphs[role]
    graph._session = Cropping(graph._session)
    with pytest.raises(BundleError, match=rf"{role}\.onnx: it gave the shapes"):
        codec.decompress(codec.compress(np.zeros((9, 9, 3), np.uint8)))


def test_a_linked_folder_inside_is_refused(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(copy / "tables.bin", tmp_path / "elsewhere")
    (copy / "inside").symlink_to(tmp_path / "elsewhere")
    text = (copy / "manifest.json").read_text().replace('"tables.bin"', '"inside/tables.bin"')
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match="inside: a symbolic link"):
        Codec(copy)


def test_a_linked_bundle_is_taken(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(copy)
    assert Codec(tmp_path / "link").manifest == Manifest.load(CODEC)


def test_a_graph_needs_its_suffix(copy: Path) -> None:
    (copy / "decoder.onnx").rename(copy / "decoder.ort")
    text = (copy / "manifest.json").read_text().replace("decoder.onnx", "decoder.ort")
    (copy / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=r"decoder\.ort.*ends in"):
        Codec(copy)


def test_tables_of_another_size_are_refused(copy: Path) -> None:
    replace_file(copy, "tables.bin", (CODEC / "tables.bin").read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"tables\.bin"):
        Codec(copy)


def test_another_graph_is_refused(copy: Path) -> None:
    replace_file(copy, "decoder.onnx", (CODEC / "entropy-first.onnx").read_bytes())
    with pytest.raises(BundleError, match=r"decoder\.onnx: inputs are"):
        Codec(copy)


def test_other_channels_are_refused(copy: Path) -> None:
    text = (copy / "manifest.json").read_text()
    changed = text.replace('"latent_channels": 12', '"latent_channels": 16')
    (copy / "manifest.json").write_text(changed)
    with pytest.raises(BundleError, match=r"encoder\.onnx: outputs are"):
        Codec(copy)


def test_a_device_that_is_not_there_is_named() -> None:
    for device in ("tpu", "CPU", ""):
        with pytest.raises(DeviceError, match=rf"device is '{device}'; expected .*cpu"):
            Codec(CODEC, device=device)
    with pytest.raises(DeviceError, match=r"venturi\[gpu\]|cpu"):
        Denoiser(DENOISER, device="directml")


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_a_device_that_cannot_run_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a CUDA build of onnxruntime on a machine whose driver is missing."""
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(DeviceError, match=r"denoiser\.onnx on device 'cuda'"):
        Denoiser(DENOISER, device="cuda")


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_impossible_threads_are_refused(threads: int) -> None:
    with pytest.raises(InputError, match="threads"):
        Codec(CODEC, threads=threads)


# The walk over ONNX files. Messages are made by hand: field number and wire type, length, content.


def message(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    assert number < 16
    return bytes([number << 3 | 2, len(content)]) + content


def long_message(number: int, content: bytes) -> bytes:
    key = number << 3 | 2
    return bytes([key & 127 | 128, key >> 7, len(content)]) + content


def graph(content: bytes) -> bytes:
    return message(7, content)


def node(*fields: bytes) -> bytes:
    return message(1, b"".join(fields))


RELU = node(message(4, b"Relu"))
EXTERNAL = message(13, message(1, b"location") + message(2, b"/etc/passwd"))
LOOP_BODY = graph(node(message(4, b"Relu"), message(5, message(6, node(message(4, b"Loop"))))))

REFUSED = {
    "nothing": b"",
    "text": b"just some text, no protobuf",
    "no graph": message(2, b"torch"),
    "truncated": graph(RELU)[:-1],
    "a length beyond the end": b"\x3a\xff\xff\xff\xff\x0f",
    "an endless number": b"\x08" + b"\xff" * 20,
    "an endless key": b"\xff" * 20,
    "a group": b"\x3b",
    "field 0": b"\x02\x00",
    "a key that others take modulo 2^32": b"\xba\x80\x80\x80\x80\x02\x00" + graph(RELU),
    "an unknown operator": graph(node(message(4, b"Loop"))),
    "a forbidden operator among others": graph(RELU + node(message(4, b"RandomNormal")) + RELU),
    "an operator given twice": graph(node(message(4, b"Loop"), message(4, b"Relu"))),
    "an operator that is not text": graph(node(message(4, b"\xff\xfe"))),
    "another domain": graph(node(message(4, b"Relu"), message(7, b"com.microsoft"))),
    "another domain imported": message(8, message(1, b"my.own")) + graph(RELU),
    "an operator in a subgraph": LOOP_BODY,
    "an operator in a list of subgraphs": graph(
        node(message(4, b"Relu"), message(5, message(11, node(message(4, b"If")))))
    ),
    "a second graph": graph(RELU) + graph(node(message(4, b"Scan"))),
    "functions": graph(RELU) + long_message(25, b""),
    "training": graph(RELU) + long_message(20, b""),
    "sparse initializers": graph(RELU + message(15, b"")),
    "external data": graph(RELU + message(5, EXTERNAL)),
    "external data by location alone": graph(RELU + message(5, b"\x70\x01")),
    "external data in an attribute": graph(
        node(message(4, b"Constant"), message(5, message(5, EXTERNAL)))
    ),
    "external data in a subgraph": graph(
        node(message(4, b"Relu"), message(5, message(6, message(5, EXTERNAL))))
    ),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=list(REFUSED))
def test_a_graph_that_must_not_run_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"bad\.onnx"):
        onnx_walk.check(content, "bad.onnx")


def test_deep_nesting_is_refused() -> None:
    content = b""
    for _ in range(9):
        content = node(message(5, message(6, content)))
    with pytest.raises(BundleError, match="nested"):
        onnx_walk.check(graph(content), "bad.onnx")


@pytest.mark.parametrize("path", sorted(DATA.glob("tiny_*/*.onnx")), ids=lambda path: path.stem)
def test_the_tiny_graphs_pass(path: Path) -> None:
    onnx_walk.check(path.read_bytes(), path.name)


def test_hand_made_messages_pass() -> None:
    """The refusals above are for what they say, not for the way the messages are made."""
    onnx_walk.check(graph(RELU), "good.onnx")
    onnx_walk.check(graph(node(message(4, b"Relu"), message(7, b"ai.onnx"))), "good.onnx")
    onnx_walk.check(graph(RELU + message(5, message(9, b"raw"))), "good.onnx")


def test_no_damaged_graph_gives_another_exception() -> None:
    for position in range(len(DECODER)):
        damaged = bytearray(DECODER)
        damaged[position] ^= 1 << position % 8
        for content in (bytes(damaged), DECODER[:position]):
            try:
                onnx_walk.check(content, "decoder.onnx")
            except BundleError as error:
                assert "decoder.onnx" in str(error)


def test_refused_before_onnxruntime_sees_it(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(*_: object, **__: object) -> None:
        pytest.fail("the graph reached onnxruntime")

    replace_file(copy, "decoder.onnx", graph(node(message(4, b"Loop"))))
    monkeypatch.setattr("onnxruntime.InferenceSession", seen)
    with pytest.raises(BundleError, match="operator 'Loop'"):
        Codec(copy)


def test_the_generator_makes_the_committed_bundles(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the generator needs the onnx package")
    from tests import make_tiny_bundle

    make_tiny_bundle.main(tmp_path)
    for path in sorted(DATA.glob("tiny_*/*")):
        assert (tmp_path / path.relative_to(DATA)).read_bytes() == path.read_bytes(), path.name
