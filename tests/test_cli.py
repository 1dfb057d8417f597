import argparse
import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import bundles
from venturi import Codec, Denoiser, Manifest, VenturiError, __version__, images
from venturi._bundle.load import locate
from venturi._cli import jobs
from venturi._cli.main import main
from venturi._cli.plan import Pair
from venturi._format.container import Header, pack

CODEC, DENOISER = str(bundles.CODEC), str(bundles.DENOISER)

Run = Callable[..., int]


def photograph(height: int = 70, width: int = 90) -> NDArray[np.uint8]:
    """Smooth enough for a tiny model, and its corners differ."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 2 + 20, columns * 2 + 10, rows + columns], -1).astype(np.uint8)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the command line in a folder with one picture, ``a.png``."""
    monkeypatch.chdir(tmp_path)
    images.write(tmp_path / "a.png", photograph())

    def call(command: str, *arguments: str) -> int:
        bundle = DENOISER if command == "denoise" else CODEC
        extra = [] if command == "info" else ["--bundle", bundle]
        return main([command, *arguments, *extra])

    return call


class Feed:
    """Standard input that holds the given bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_compress_and_decompress_do_what_the_library_does(run: Run, tmp_path: Path) -> None:
    assert run("compress", "a.png", "a.vnt", "--quality", "70") == 0
    assert run("decompress", "a.vnt", "b.png") == 0
    codec = Codec(CODEC)
    stream = codec.compress(photograph(), quality=70)
    assert (tmp_path / "a.vnt").read_bytes() == stream
    np.testing.assert_array_equal(images.read(tmp_path / "b.png").pixels, codec.decompress(stream))


def test_success_is_silent(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compress", "a.png", "a.vnt") == 0
    assert capsys.readouterr() == ("", "")


def test_max_bytes(run: Run, tmp_path: Path) -> None:
    assert run("compress", "a.png", "low.vnt", "--quality", "1") == 0
    limit = (tmp_path / "low.vnt").stat().st_size + 5
    assert run("compress", "a.png", "a.vnt", "--max-bytes", str(limit)) == 0
    assert (tmp_path / "a.vnt").stat().st_size <= limit


def test_region(run: Run, tmp_path: Path) -> None:
    assert run("compress", "a.png", "a.vnt") == 0
    assert run("decompress", "a.vnt", "whole.png") == 0
    assert run("decompress", "a.vnt", "part.png", "--region", "3,5,20,30") == 0
    whole = images.read(tmp_path / "whole.png").pixels
    np.testing.assert_array_equal(images.read(tmp_path / "part.png").pixels, whole[3:23, 5:35])


def test_salvage(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images.write(tmp_path / "wide.png", photograph(40, 1200))
    assert run("compress", "wide.png", "wide.vnt") == 0
    whole = (tmp_path / "wide.vnt").read_bytes()
    (tmp_path / "cut.vnt").write_bytes(whole[:-1])
    assert run("decompress", "cut.vnt", "out.png") == 1
    assert not (tmp_path / "out.png").exists()
    capsys.readouterr()
    assert run("decompress", "cut.vnt", "out.png", "--salvage") == 0
    note = "venturi: note: cut.vnt: lost, and grey now: 240 × 40 pixels from row 0, column 960\n"
    assert capsys.readouterr().err == note
    found = images.read(tmp_path / "out.png").pixels
    np.testing.assert_array_equal(found[:, :960], Codec(CODEC).decompress(whole)[:, :960])
    assert run("decompress", "wide.vnt", "out.png", "--salvage", "--force") == 0
    assert capsys.readouterr().err == ""


def test_the_limit_of_pixels_is_adjustable(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compress", "a.png", "a.vnt") == 0
    pixels = images.read(tmp_path / "a.png").pixels[..., 0].size
    for more in ((), ("--salvage",)):
        assert run("decompress", "a.vnt", "b.png", f"--max-pixels={pixels - 1}", *more) == 1
        assert f"expected at most {pixels - 1}; raise max_pixels" in capsys.readouterr().err
        assert not (tmp_path / "b.png").exists()
        assert run("decompress", "a.vnt", "b.png", f"--max-pixels={pixels}", *more) == 0
        (tmp_path / "b.png").unlink()


def test_denoise(run: Run, tmp_path: Path) -> None:
    assert run("denoise", "a.png", "b.png", "--strength", "0.5") == 0
    expected = Denoiser(DENOISER).denoise(photograph(), strength=0.5)
    np.testing.assert_array_equal(images.read(tmp_path / "b.png").pixels, expected)


def test_grey_stays_grey(run: Run, tmp_path: Path) -> None:
    images.write(tmp_path / "grey.png", photograph()[:, :, 0])
    assert run("compress", "grey.png", "grey.vnt") == 0
    assert run("decompress", "grey.vnt", "grey2.png") == 0
    assert images.read(tmp_path / "grey2.png").pixels.shape == (70, 90)


def test_several_inputs_and_a_new_folder(run: Run, tmp_path: Path) -> None:
    images.write(tmp_path / "b.jpg", photograph())
    assert run("compress", "a.png", "b.jpg", "new/streams") == 0
    assert run("decompress", "new/streams/a.vnt", "new/streams/b.vnt", "out/") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


def test_one_input_and_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("compress", "a.png", "out/") == 0
    assert (tmp_path / "out" / "a.vnt").is_file()


def test_paths_around_an_option(run: Run, tmp_path: Path) -> None:
    images.write(tmp_path / "b.png", photograph())
    assert run("compress", "a.png", "b.png", "--quality", "30", "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.vnt", "b.vnt"]


def test_one_failure_does_not_stop_the_others(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images.write(tmp_path / "c.png", photograph())
    (tmp_path / "b.png").write_bytes(b"text")
    assert run("compress", "a.png", "b.png", "absent.png", "c.png", "out") == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.vnt", "c.vnt"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("venturi: error: b.png: 4 bytes that are no picture")
    assert lines[1] == "venturi: error: absent.png: No such file or directory"


def test_pipes(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setattr(sys, "stdin", Feed((tmp_path / "a.png").read_bytes()))
    assert run("compress", "-", "-") == 0
    stream = capsysbinary.readouterr().out
    assert stream == Codec(CODEC).compress(photograph(), quality=50)
    monkeypatch.setattr(sys, "stdin", Feed(stream))
    assert run("decompress", "-", "-") == 0
    picture = images.decode(capsysbinary.readouterr().out, name="output")
    np.testing.assert_array_equal(picture.pixels, Codec(CODEC).decompress(stream))


def test_a_terminal_gets_no_binary(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("compress", "a.png", "-") == 1
    assert "is a terminal" in capsys.readouterr().err


def test_conversion_is_noted(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    deep = photograph()[:, :, 0].astype(np.uint16) * 257
    (tmp_path / "deep.png").write_bytes(bytes(cv2.imencode(".png", deep)[1]))
    assert run("compress", "deep.png", "deep.vnt") == 0
    expected = "venturi: note: deep.png: 16 bits per channel were rounded to 8\n"
    assert capsys.readouterr().err == expected


def test_libraries_are_kept_from_standard_error(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert run("compress", "cut.png", "cut.vnt") == 1
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "cut.vnt").exists()


def test_damage_is_one_line_and_leaves_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compress", "a.png", "a.vnt") == 0
    stream = bytearray((tmp_path / "a.vnt").read_bytes())
    stream[-1] ^= 1
    (tmp_path / "a.vnt").write_bytes(stream)
    assert run("decompress", "a.vnt", "b.png") == 1
    error = capsys.readouterr().err
    assert error.startswith("venturi: error: a.vnt: ")
    assert error.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.vnt"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("compress", "a.png", "absent/a.vnt"), "absent/a.vnt: cannot write: No such file"),
        (("compress", "a.png", "a.png"), "a.png: expected an output that ends in .vnt"),
        (("denoise", "a.png", "a.png"), "a.png: is an input and an output"),
        (("denoise", "a.png", "-o", "a.png", "--force"), "a.png: is an input and an output"),
        (("compress", "a.png", "b.png", "c.png"), "c.png: taken for an input"),
        (("compress", "*.bmp", "-o", "out/"), "*.bmp: matches no file"),
        (("compress", ".", "-o", "a.png"), "output a.png: expected a folder"),
        (("decompress", ".", "-o", "out/"), ".: a folder without files that end in .vnt"),
        (("compress", "a.png", "b.png", "-"), "output -: expected a folder for 2 inputs"),
        (("compress", "-", "a.png", "out"), "standard input: has no name"),
        (("compress", "a.png", "x/a.jpg", "out"), "a.png and x/a.jpg: both would become"),
        (("denoise", "a.png", "./"), "is an input and an output"),
        (("denoise", "a.png", "b.xyz"), "b.xyz: expected an output that ends in .png"),
        (("denoise", "a.png", "b.png", "--strength", "nan"), "strength"),
        (("decompress", "a.png", "b.png"), "a.png"),
        (("compress", "a.png", "a.vnt", "--device", "abacus"), "abacus"),
        (("info", "absent"), "absent"),
        (("info", "a.png"), "a.png: "),
    ],
)
def test_failures(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    part: str,
) -> None:
    before = (tmp_path / "a.png").read_bytes()
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("venturi: error: ")
    assert part in error
    assert error.count("\n") == 1
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "COMMAND"),
        (("squash",), "squash"),
        (("compress",), "PATH"),
        (("compress", "a.png"), "a.png: expected an input and an output"),
        (("compress", "-o", "a.vnt"), "expected an input and an output"),
        (("compress", "a.png", "b.vnt", "--background", "white"), "white: expected six hexa"),
        (("compress", "a.png", "b.vnt", "--quality", "0"), "0: expected a number from 1 to 100"),
        (("compress", "a.png", "b.vnt", "--quality", "nan"), "nan: expected a number"),
        (("compress", "a.png", "b.vnt", "--quality", "high"), "high: expected a number"),
        (("compress", "a.png", "b.vnt", "--max-bytes", "1k"), "1k: expected a whole number"),
        (("compress", "a.png", "b.vnt", "--quality", "5", "--max-bytes", "9"), "not allowed with"),
        (("compress", "a.png", "b.vnt", "--threads", "0"), "0: expected a whole number"),
        (("compress", "a.png", "b.vnt", "--fast"), "unknown argument --fast"),
        (("decompress", "a.vnt", "b.png", "--region", "1,2,3"), "1,2,3: expected TOP,LEFT"),
        (("denoise", "a.png", "b.png", "--strength", "much"), "much: expected a number"),
        (("info", "photo", "camera"), "unknown argument camera"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], part: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    error = capsys.readouterr().err
    assert exit_.value.code == 2
    assert error.startswith("venturi: error: ")
    assert part in error
    assert error.count("\n") == 1


def test_info_of_a_stream(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compress", "a.png", "a.vnt", "--quality", "70") == 0
    assert run("info", "a.vnt", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    size = (tmp_path / "a.vnt").stat().st_size
    assert facts == {
        "kind": "stream",
        "width": 90,
        "height": 70,
        "grey": False,
        "quality": 70.0,
        "bytes": size,
        "rate_bpp": round(8 * size / (90 * 70), 4),
        "fingerprint": Codec(CODEC).manifest.fingerprint.hex(),
        "bundle": None,
    }
    assert run("info", "a.vnt") == 0
    assert "width: 90\n" in capsys.readouterr().out


def test_info_of_a_stream_names_the_shipped_bundle_that_wrote_it(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fingerprint = Manifest.load(locate("photo")).fingerprint
    (tmp_path / "a.vnt").write_bytes(pack(Header(False, fingerprint, 12800, 8, 8), [b""]))
    assert run("info", "a.vnt") == 0
    assert "bundle: photo\n" in capsys.readouterr().out


def test_info_of_a_stream_without_a_quality(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an autoencoder writes it."""
    (tmp_path / "a.vnt").write_bytes(pack(Header(True, bytes(8), 0, 8, 8), [b""]))
    assert run("info", "a.vnt", "--json") == 0
    assert json.loads(capsys.readouterr().out)["quality"] is None


def test_info_of_a_bundle(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", CODEC, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "bundle"
    assert facts["fingerprint"] == Codec(CODEC).manifest.fingerprint.hex()
    assert facts["task"] == "codec"
    assert run("info", CODEC) == 0
    assert "  encoder:\n    bytes: " in capsys.readouterr().out


def test_info_says_where_a_model_comes_from(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads((Path(CODEC) / "manifest.json").read_text())
    values["version"] = "2.0.1"
    values["pictures"] = [
        {"collection": "gb82", "count": 25, "licence": "CC0"},
        {"collection": "mine", "count": 3, "licence": "not stated"},
    ]
    parents = None, {"name": "photo", "version": "1.9.0", "weights_sha256": "1" * 64}
    said = "parent: none\n", "parent:\n  name: photo\n  version: 1.9.0\n"
    (tmp_path / "bundle").mkdir()
    for parent, expected in zip(parents, said, strict=True):
        values["parent"] = parent
        (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(values))
        assert run("info", "bundle") == 0
        shown = capsys.readouterr().out
        assert expected in shown
        assert "version: 2.0.1\n" in shown
        assert "pictures:\n  gb82, 25, CC0\n  mine, 3, not stated\n" in shown
        assert run("info", "bundle", "--json") == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["parent"] == parent
        assert facts["pictures"] == values["pictures"]


def test_info_of_a_picture_beyond_the_limits_of_decoding(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = Header(False, bytes(8), 12800, 65535, 65535)
    (tmp_path / "huge.vnt").write_bytes(pack(header, [b""] * 4096))
    assert run("info", "huge.vnt", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["width"], facts["height"]) == (65535, 65535)


def test_a_manifest_does_not_steer_the_terminal(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = json.loads((Path(CODEC) / "manifest.json").read_text())
    values["description"] = "größe \x1b[2J \ud800 \n"
    values["provenance"]["\x07bell"] = "\u202e"
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(values))
    assert run("info", "bundle") == 0
    shown = capsys.readouterr().out
    assert "description: größe \\x1b[2J \\ud800 \\n\n" in shown
    assert "\\x07bell: \\u202e\n" in shown
    assert run("info", "bundle", "--json") == 0
    assert json.loads(capsys.readouterr().out)["description"] == values["description"]


def test_progress_on_a_terminal(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.png").write_bytes(b"text")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("compress", "a.png", "b.png", "out") == 1
    error = capsys.readouterr().err
    assert "0/2" in error
    assert "[############............] 1/2" in error
    assert error.endswith("[########################] 2/2\n")
    assert "\r\x1b[Kventuri: error: b.png" in error


def test_interruption(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Codec, "compress", interrupt)
    assert run("compress", "a.png", "a.vnt") == 130
    assert capsys.readouterr().err == "venturi: interrupted\n"


def venturi(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "venturi", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(bundles.DATA.parents[1] / "runtime")},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_version_as_a_process(tmp_path: Path) -> None:
    done = venturi("--version", folder=tmp_path)
    assert (done.returncode, done.stdout.decode().split()) == (0, ["venturi", __version__])


def test_failure_as_a_process(tmp_path: Path) -> None:
    done = venturi("decompress", "absent.vnt", "a.png", "--bundle", CODEC, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == b"venturi: error: absent.vnt: No such file or directory\n"


def test_help_needs_no_opencv_and_no_onnxruntime(tmp_path: Path) -> None:
    script = (
        "import sys, venturi._cli.main\n"
        "sys.exit('cv2' in sys.modules or 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(bundles.DATA.parents[1] / "runtime")},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ("compress", "a.png", "b.png"),
        ("compress", "a.png", "old.vnt"),
        ("compress", "a.png", "-o", "old.vnt"),
        ("compress", "a.png", "old.png", "-o", "."),
        ("denoise", "a.png", "b.png"),
        ("denoise", "a.png", "-o", "b.png"),
        ("decompress", "old.vnt", "b.png"),
    ],
)
def test_no_file_is_replaced_unasked(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    for name in ("b.png", "old.png"):
        images.write(tmp_path / name, photograph())
    assert run("compress", "a.png", "old.vnt") == 0
    before = contents(tmp_path)
    assert run(*arguments) == 1
    assert contents(tmp_path) == before
    assert capsys.readouterr().err.count("\n") == 1


def test_files_are_replaced_on_request(run: Run, tmp_path: Path) -> None:
    images.write(tmp_path / "b.png", photograph(20, 20))
    assert run("denoise", "a.png", "b.png", "--force") == 0
    assert images.read(tmp_path / "b.png").pixels.shape == (70, 90, 3)


def test_a_run_goes_on_where_it_stopped(run: Run, tmp_path: Path) -> None:
    images.write(tmp_path / "b.png", photograph())
    assert run("compress", "a.png", "-o", "out/") == 0
    (tmp_path / "out/a.vnt").write_bytes(b"mine")
    assert run("compress", "a.png", "b.png", "-o", "out", "--skip-existing") == 0
    assert (tmp_path / "out/a.vnt").read_bytes() == b"mine"
    assert (tmp_path / "out/b.vnt").exists()


def test_folders_and_patterns(run: Run, tmp_path: Path) -> None:
    for name in ("in/one.png", "in/deep/two.jpg", "in/deep/three.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        images.write(tmp_path / name, photograph())
    (tmp_path / "in/notes.txt").write_text("no picture")
    (tmp_path / "in/deep/loop").symlink_to(tmp_path / "in")
    assert run("compress", "in", "-o", "flat") == 0
    assert [*contents(tmp_path / "flat")] == ["one.vnt"]
    assert run("compress", "in", "-o", "all", "--recursive") == 0
    assert [*contents(tmp_path / "all")] == ["deep/three.vnt", "deep/two.vnt", "one.vnt"]
    assert run("compress", "in/deep/t*.png", "-o", "some/") == 0
    assert [*contents(tmp_path / "some")] == ["three.vnt"]
    assert run("decompress", "all", "-o", "back", "--recursive") == 0
    assert [*contents(tmp_path / "back")] == ["deep/three.png", "deep/two.png", "one.png"]


def test_several_files_at_once_give_the_same(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(4):
        images.write(tmp_path / f"in{i}.png", photograph(64 + i, 80))
    (tmp_path / "in4.png").write_bytes(b"junk")
    assert run("compress", "in*.png", "-o", "one", "--threads", "1") == 1
    one = capsys.readouterr().err
    assert run("compress", "in*.png", "-o", "two", "--threads", "1", "--jobs", "2") == 1
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert len(contents(tmp_path / "one")) == 4
    assert capsys.readouterr().err == one
    assert one.startswith("venturi: error: in4.png: 4 bytes that are no picture")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_model_that_does_not_open_is_one_line(
    jobs: str, run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    images.write(tmp_path / "b.png", photograph())
    assert run("compress", "a.png", "b.png", "-o", "out", "--jobs", jobs, "--device", "abacus") == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("venturi: error: device is 'abacus'; expected one ")


def dying(arguments: argparse.Namespace) -> jobs.Job:
    """Die, as a worker does that the system ends when memory runs out."""
    os._exit(9)


def test_a_worker_that_dies_is_an_error_with_a_remedy() -> None:
    arguments = argparse.Namespace(jobs=2, threads=1, quiet=False, json=False)
    with pytest.raises(VenturiError, match=r"2 worker processes died.*choose fewer --jobs"):
        jobs.run([Pair("a", "b"), Pair("c", "d")], dying, arguments)


def ignores_interruptions(process: int) -> bool:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (ignored,) = (line.split()[1] for line in lines if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (signal.SIGINT - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are counted in /proc")
def test_an_interruption_while_workers_start_is_one_line(run: Run, tmp_path: Path) -> None:
    for name in ("b.png", "c.png"):
        images.write(tmp_path / name, photograph())
    command = [sys.executable, "-m", "venturi", "compress", "a.png", "b.png", "c.png", "-o", "out"]
    environment = {**os.environ, "PYTHONPATH": str(bundles.DATA.parents[1] / "runtime")}
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [*command, "--jobs", "2", "--bundle", CODEC],
        env=environment, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heeding,
    ) as process:  # fmt: skip
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 60
        # Two workers, and the process with which multiprocessing cleans up.
        while len(children.read_text().split()) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        while ignores_interruptions(process.pid) and time.monotonic() < deadline:
            time.sleep(0.001)  # so that the workers inherit it; they have hardly begun to import
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"venturi: interrupted\n")


def test_what_programs_read(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = np.full((8, 8), 30000, np.uint16)
    (tmp_path / "deep.png").write_bytes(bytes(cv2.imencode(".png", deep)[1]))
    (tmp_path / "junk.png").write_bytes(b"junk")
    assert run("compress", "deep.png", "junk.png", "-o", "out", "--json") == 1
    printed = capsys.readouterr()
    good, bad = map(json.loads, printed.out.splitlines())
    assert good["output"] == "out/deep.vnt"
    assert good["notes"] == ["16 bits per channel were rounded to 8"]
    assert good["error"] is None
    assert bad["error"].startswith("junk.png: 4 bytes that are no picture")
    assert printed.err == ""


def test_quiet_prints_errors_only(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = np.full((8, 8), 30000, np.uint16)
    (tmp_path / "deep.png").write_bytes(bytes(cv2.imencode(".png", deep)[1]))
    assert run("compress", "deep.png", "-o", "deep.vnt", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert run("compress", "absent.png", "-o", "b.vnt", "--quiet") == 1
    assert capsys.readouterr().err == "venturi: error: absent.png: No such file or directory\n"


def test_transparency_and_frames(run: Run, tmp_path: Path) -> None:
    clear = np.zeros((16, 16, 4), np.uint8)
    (tmp_path / "clear.png").write_bytes(bytes(cv2.imencode(".png", clear)[1]))
    assert run("denoise", "clear.png", "b.png") == 1
    assert run("denoise", "clear.png", "b.png", "--background", "#ff8000") == 0
    assert images.read(tmp_path / "b.png").pixels[8, 8].tolist() == [255, 128, 0]
    assert run("denoise", "a.png", "c.png", "--frame", "1") == 1


def test_a_name_does_not_steer_the_terminal(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\x1b(31m\nred.png"
    assert run("compress", name, "-o", "a.vnt") == 1
    printed = capsys.readouterr().err
    assert printed == "venturi: error: a\\x1b(31m\\nred.png: No such file or directory\n"
    (tmp_path / name).write_bytes(b"junk")
    assert run("compress", name, "-o", "a.vnt") == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "\x1b" not in printed


def test_a_fidelity_is_met(run: Run, tmp_path: Path) -> None:
    assert run("compress", "a.png", "a.vnt", "--min-psnr-db", "30") == 0
    restored = Codec(CODEC).decompress((tmp_path / "a.vnt").read_bytes())
    error = np.square(restored.astype(float) - photograph()).mean()
    assert 10 * np.log10(255**2 / error) >= 30


def shell(folder: Path, command: str, *, bundle: str = CODEC) -> subprocess.CompletedProcess[str]:
    """Run a command line in a shell, which can close streams."""
    runtime = str(bundles.CODEC.parents[2] / "runtime")
    line = command.replace("venturi", f"{sys.executable} -m venturi").replace("BUNDLE", bundle)
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder, env={"PYTHONPATH": runtime, "PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("venturi compress a.png a.vnt --bundle BUNDLE >&-", 0, ""),
        ("venturi compress a.png a.vnt --bundle BUNDLE <&-", 0, ""),
        ("venturi compress a.png a.vnt --bundle BUNDLE 2>&-", 0, ""),
        ("venturi compress a.png a.vnt --bundle BUNDLE <&- >&- 2>&-", 0, ""),
        (
            "venturi compress a.png - --bundle BUNDLE >&-", 1,
            "venturi: error: a.png: standard output is closed; expected a file or a pipe\n",
        ),
        (
            "venturi compress - a.vnt --bundle BUNDLE <&-", 1,
            "venturi: error: standard input is closed; expected a file or a pipe\n",
        ),
        ("venturi compress loop.png a.vnt --bundle BUNDLE", 1,
         "venturi: error: loop.png: Too many levels of symbolic links\n"),
        ("venturi compress a.png loop.vnt --bundle BUNDLE", 1,
         "venturi: error: a.png: loop.vnt: cannot write: Too many levels of symbolic links\n"),
    ],
)  # fmt: skip
def test_streams_that_are_closed_and_links_in_a_circle(
    run: Run, tmp_path: Path, command: str, code: int, error: str
) -> None:
    for name in ("loop.png", "loop.vnt"):
        (tmp_path / name).symlink_to(tmp_path / name)
    done = shell(tmp_path, command)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", error)
    if not code:
        assert Codec(CODEC).decompress((tmp_path / "a.vnt").read_bytes()).shape == (70, 90, 3)


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell tells the exit codes of a pipe")
def test_a_reader_that_has_gone_ends_the_command_quietly(run: Run, tmp_path: Path) -> None:
    images.write(
        tmp_path / "large.png", np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8)
    )
    command = "(venturi denoise large.png - --bundle BUNDLE; echo $? >code) | true"
    done = shell(tmp_path, command, bundle=DENOISER)
    assert done.stderr == ""
    assert (tmp_path / "code").read_text() == "141\n"
