"""The benchmarks measure what they say, on tiny bundles and small generated pictures."""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import (
    crops,
    documents,
    environment,
    filters,
    options,
    pictures,
    plot,
    registry,
)
from benchmarks.__main__ import main
from benchmarks.metrics import psnr_db
from benchmarks.peers import PEERS, Peer
from benchmarks.suite import codec, denoise
from benchmarks.timing import interleaved, summary
from tests import bundles, sample_results
from venturi import Codec, Manifest
from venturi._bundle.load import SHIPPED
from venturi.bench.size import Size

CODEC, DENOISER = str(bundles.CODEC), str(bundles.DENOISER)


def picture(seed: int, height: int = 176, width: int = 192) -> NDArray[np.uint8]:
    """Return waves with a little texture: something that a codec can work on."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    wave = 128 + 90 * np.sin(rows / (11 + seed)) * np.cos(columns / 17)
    planes = np.stack([wave, wave[::-1], 255 - wave], axis=2)
    return np.clip(planes + rng.normal(0, 4, planes.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder laid out like the real data, but for cbsd68, which is absent."""
    folder = tmp_path_factory.mktemp("data")
    for seed in (1, 2):
        image = picture(seed)
        pictures.write(folder / "kodak" / f"{seed}.png", image)
        pictures.write(folder / "cc15" / "clean" / f"{seed}.png", image)
        noisy = pictures.noisy(image, 8, name=str(seed))
        pictures.write(folder / "cc15" / "noisy" / f"{seed}.png", noisy)
    return folder


@pytest.fixture(scope="module")
def measured(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of both benchmarks."""
    folder = tmp_path_factory.mktemp("results")
    common = ["--runs", "1", "--threads", "1"]
    kodak = ["--data", str(data / "kodak"), "--json", str(folder / "codec.json")]
    assert main(["codec", *kodak, "--bundle", CODEC, *common]) == 0
    whole = ["--data", str(data), "--json", str(folder / "denoise.json")]
    few = ["--pictures", "1", "--beside", "camera", "--sizes", "96x64"]
    assert main(["denoise", *whole, "--bundle", DENOISER, *few, *common]) == 0
    return folder


def test_codec_results(measured: Path) -> None:
    found = sample_results.values(measured / "codec.json")
    for name in ("environment", "points", "bd_rate_percent", "bd_rate_msssim_percent"):
        assert name in found
    assert {"venturi", "jpeg", "webp"} <= set(found["points"])
    for name, points in found["points"].items():
        for point in points:
            assert set(point) == {
                "quality", "bpp", "psnr_db", "msssim", "encode_ms", "decode_ms",
            }  # fmt: skip
        assert len(points) >= 5, name
    jpeg = found["points"]["jpeg"]
    assert [p["bpp"] for p in jpeg] == sorted(p["bpp"] for p in jpeg)
    assert set(found["bd_rate_percent"]) == set(found["points"]) - {"venturi"}
    assert set(found["kmac_per_pixel"]) == {"encoder", "entropy", "decoder"}
    assert found["kmac_per_pixel"]["decoder"] > 0
    assert found["data"] == {"folder": "kodak", "pictures": 2}
    for suffix in (".svg", "-msssim.svg"):
        assert (measured / f"codec{suffix}").read_text(encoding="utf-8").startswith("<svg")


def test_codec_points_are_real_file_sizes(measured: Path, data: Path) -> None:
    found = sample_results.values(measured / "codec.json")
    ours = Codec(CODEC, threads=1)
    images = [pictures.read(path) for path in pictures.listed(data / "kodak")]
    sizes = [len(ours.compress(image, quality=50)) for image in images]
    point = next(p for p in found["points"]["venturi"] if p["quality"] == 50)
    assert point["bpp"] == pytest.approx(np.mean(sizes) * 8 / (176 * 192), abs=1e-5)
    qualities = [psnr_db(i, ours.decompress(ours.compress(i, quality=50))) for i in images]
    assert point["psnr_db"] == pytest.approx(np.mean(qualities), abs=1e-5)


def test_denoise_results(measured: Path) -> None:
    found = sample_results.values(measured / "denoise.json")
    ours = {"venturi", "venturi-camera", "venturi-camera-int8"}
    methods = {"noisy", *ours, "nlmeans", "bilateral", "median"}
    assert found["labels"]["venturi-camera-int8"] == "Venturi, camera, int8"
    shipped = Manifest.load(SHIPPED / "camera").fingerprint.hex()
    assert found["bundles"]["venturi-camera"] == {"name": "camera", "fingerprint": shipped}
    assert set(found["gaussian_psnr_db"]["kodak"]) == {str(sigma) for sigma in filters.SIGMAS}
    for means in found["gaussian_psnr_db"]["kodak"].values():
        assert set(means) == methods
        assert means["nlmeans"] > means["noisy"]
    assert set(found["real_psnr_db"]["cc15"]) == methods
    assert set(found["clean_psnr_db"]["kodak"]) == ours
    times = found["latency"]["96x64"]
    assert times["methods"]["venturi"]["samples"] == 1
    assert 0 < times["session_run_ms"] <= times["parts_ms"]["total"]
    assert "cbsd68: absent from the data, not measured" in found["notes"]
    crops = sorted(path.name for path in (measured / found["crops"]).iterdir())
    assert crops == ["cc15", "clean", "kodak-sigma15", "kodak-sigma25", "kodak-sigma50"]


def test_crops_of_the_codec_tell_what_they_cost(measured: Path, data: Path) -> None:
    found = sample_results.values(measured / "codec.json")
    assert set(found["crop_figures"]) == {"1", "2"}
    names = list(found["labels"])
    views = crops.read(measured / found["crops"] / "1.png", names)
    assert list(views) == ["original", *names]
    image = pictures.read(data / "kodak" / "1.png")
    assert np.array_equal(views["original"], crops.middle(image))
    costs = found["crop_figures"]["1"]
    assert set(costs) == set(names)
    back = Codec(CODEC, threads=1).decompress(Codec(CODEC, threads=1).compress(image, quality=50))
    assert costs["venturi"]["psnr_db"] == pytest.approx(psnr_db(image, back), abs=1e-3)
    assert np.array_equal(views["venturi"], crops.middle(back))


def test_what_ships_is_measured_beside() -> None:
    assert "camera" in denoise.shipped_beside("tiny")
    assert "camera" not in denoise.shipped_beside("camera")
    assert "photo" not in denoise.shipped_beside("tiny")


def test_an_absent_filter_is_said_to_be_absent(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(filters.FUNCTIONS, "nlmeans", "notThere")
    asked = denoise.Options(
        data=data, bundle=DENOISER, pictures=1, threads=1, runs=1, sizes=(Size(96, 64),), beside=()
    )
    result = denoise.measure(asked)
    assert set(result.labels) == {"noisy", "venturi", "bilateral", "median"}
    assert set(result.timed) == {"ffdnet"}
    assert result.latency["96x64"].methods["ffdnet"].median_ms > 0
    assert "nlmeans" not in result.gaussian_psnr_db["kodak"]["25"]
    assert "OpenCV non-local means: absent, this OpenCV has no notThere" in result.notes
    assert result.crops is None


def test_noise_is_the_same_in_every_run() -> None:
    flat = np.full((400, 400, 3), 128, np.uint8)
    first = pictures.noisy(flat, 25, name="a.png")
    assert np.array_equal(first, pictures.noisy(flat, 25, name="a.png"))
    assert not np.array_equal(first, pictures.noisy(flat, 25, name="b.png"))
    assert psnr_db(flat, first) == pytest.approx(20 * math.log10(255 / 25), abs=0.05)


def test_filters_remove_noise() -> None:
    clean = picture(3)
    noisy = pictures.noisy(clean, 25, name="x")
    for name, method in filters.filters("25").items():
        assert psnr_db(clean, method(noisy)) > psnr_db(clean, noisy) + 3, name


def test_summary_has_the_percentiles_that_hold() -> None:
    assert asdict(summary([3.0, 1.0, 2.0])) == {
        "samples": 3, "median_ms": 2.0, "p50_ms": None, "p90_ms": None, "p99_ms": None,
    }  # fmt: skip


def test_interleaved_calls_take_turns() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "ab"}
    samples = interleaved(calls, runs=3, warm_up=1)
    assert order == ["a", "b"] * 4
    assert {name: len(found) for name, found in samples.items()} == {"a": 3, "b": 3}


def test_environment_names_the_machine() -> None:
    on = environment.describe(threads=2)
    assert json.loads(json.dumps(asdict(on), allow_nan=False)) == asdict(on)
    assert on.threads == 2
    assert on.cpu
    assert replace(on, load_average=[0.1, 0.0, 0.0]).busy is None
    assert "load average 3.0" in str(replace(on, load_average=[3.0, 0.0, 0.0]).busy)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_keep_red_red(peer: Any) -> None:
    if not peer.present():
        pytest.skip(f"this OpenCV has no {peer.label}")
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    back = peer.decode(peer.encode(red, peer.qualities[-1]))
    assert np.abs(back.astype(int) - red).max() < 12


def test_an_absent_peer_is_said_to_be_absent(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Peer("none", "No codec", ".none", 1, (), (50,))
    monkeypatch.setattr(codec, "PEERS", (PEERS[0], gone))
    asked = codec.Options(data=data / "kodak", bundle=CODEC, pictures=1, threads=1, runs=1)
    result = codec.measure(asked)
    assert set(result.points) == {"venturi", "jpeg"}
    assert "No codec: absent, OpenCV cannot write it" in result.notes


def test_curves_are_drawn_inside_the_frame() -> None:
    drawn = plot.rate_distortion(
        {"a & b": [(0.1, 25.0), (2.0, 42.0)]}, title="t", quality="PSNR, dB"
    )
    assert "a &amp; b" in drawn
    assert drawn.count("<circle") == 2


def test_readme_block(measured: Path, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    mark = documents.begin("codec")
    page.write_text(f"# Title\n{mark}\nstale figures\n{documents.END}\nend\n", encoding="utf-8")
    new = documents.rewritten(page, measured)
    assert new.startswith(f"# Title\n{mark}\n")
    assert new.endswith(f"{documents.END}\nend\n")
    assert "stale figures" not in new
    found = sample_results.values(measured / "codec.json")
    assert f"{found['latency']['webp']['encode']['median_ms']:.1f} ms" in new
    page.write_text(new, encoding="utf-8")
    assert documents.rewritten(page, measured) == new


def test_compare_takes_what_was_measured(measured: Path) -> None:
    for name in ("codec", "denoise"):
        path = str(measured / f"{name}.json")
        assert main(["compare", path, path]) == 0


def test_the_report_shows_what_was_measured(measured: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert main(["report", "--results", str(measured), "--html", str(path)]) == 0
    page = path.read_text(encoding="utf-8")
    for word in ("<svg", "AVIF speed 6", "OpenCV bilateral", 'type="range"'):
        assert word in page
    assert page.count('class="card compare"') == 2 + 3, "the codec's crops, and three sets"


def test_rows_come_apart_as_they_were_joined() -> None:
    images = [picture(seed, 16, 24) for seed in range(3)]
    back = pictures.apart(pictures.beside(images), 3)
    assert all(np.array_equal(a, b) for a, b in zip(images, back, strict=True))


Asked = Callable[[Any], Any]


def replaced(monkeypatch: pytest.MonkeyPatch, **measure: Asked) -> None:
    """Let benchmarks measure in another way."""
    registered = registry.every()
    others = {name: replace(registered[name], measure=call) for name, call in measure.items()}
    monkeypatch.setattr(registry, "every", lambda: {**registered, **others})


def test_all_runs_what_is_there_and_says_what_is_not(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def latency(options: Any) -> Any:
        asked.append(options.json)
        return sample_results.record("latency") if asked else None

    replaced(
        monkeypatch,
        latency=latency,
        memory=lambda _: sample_results.record("memory"),
        frame=lambda _: sample_results.record("frame"),
        denoise=lambda options: denoise.measure(replace(options, sizes=(Size(96, 64),))),
    )
    monkeypatch.setattr(codec, "PEERS", PEERS[:1])
    folders = ["--results", str(tmp_path), "--runs-folder", str(tmp_path)]
    short = ["--pictures", "1", "--runs", "1", "--threads", "1"]
    # A part of the sample sweep could not run, which the exit code says.
    assert main(["all", "--data", str(data), *folders, *short]) == 1
    assert {path.name for path in tmp_path.iterdir()} >= {
        "codec.json", "codec.svg", "denoise.json", "frame.json", "memory.json", "latency.json",
        "report.html",
    }  # fmt: skip
    said = capsys.readouterr().err
    assert "benchmarks all: latency failed" in said
    assert said.count("benchmarks all:") == 1
    for name in ("mnist", "video"):
        assert f"{name}: absent, no folder {data / name}" in said
    assert asked == [tmp_path / "latency.json"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No <code>mnist.json</code>" in page


def test_all_goes_on_after_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ValueError("broken")

    replaced(monkeypatch, latency=broken, memory=broken, frame=broken)
    (tmp_path / "kodak").mkdir()
    assert main(["all", "--data", str(tmp_path), "--results", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    for name in ("codec", "denoise", "frame", "memory", "latency", "report"):
        assert f"benchmarks all: {name} failed" in said


def test_a_measurement_writes_beside_the_clone_s_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless a file is named, what git tracks stays as it is."""
    monkeypatch.chdir(tmp_path)
    replaced(monkeypatch, memory=lambda _: sample_results.record("memory"))
    assert main(["memory"]) == 0
    assert (tmp_path / "results" / "memory.json").exists()
    ignored = (Path(__file__).parent.parent / ".gitignore").read_text(encoding="utf-8")
    assert "/results/" in ignored.splitlines()


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Options of every kind."""

    files: tuple[Path, ...] = options.option("files", (), positional=True)
    name: str = options.option("a name")
    count: int | None = options.option("a count", None)
    share: float = options.option("a share in %", 0.5)
    sizes: tuple[Size, ...] = options.option(
        "sizes", (Size(1, 2),), metavar="WxH", parse=Size.parsed
    )
    check: bool = options.option("whether to check", False)


def test_options_are_the_fields_of_a_dataclass(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    options.add_arguments(parser, Asking)
    assert options.built(Asking, parser.parse_args(["--name", "x"])) == Asking(name="x")
    words = [
        "a",
        "b",
        "--name",
        "x",
        "--count",
        "3",
        "--share",
        ".1",
        "--sizes",
        "3x4",
        "5x6",
        "--check",
    ]
    assert options.built(Asking, parser.parse_args(words)) == Asking(
        files=(Path("a"), Path("b")), name="x", count=3, share=0.1, check=True,
        sizes=(Size(3, 4), Size(5, 6)),
    )  # fmt: skip
    assert options.required(Asking) == "--name NAME_OR_PATH"
    for wrong in ([], ["--name", "x", "--count", "0"], ["--name", "x", "--sizes", "3"]):
        with pytest.raises(SystemExit):
            parser.parse_args(wrong)
    capsys.readouterr()
    assert "a share in %; default: 0.5" in parser.format_help()
    assert "sizes; default: 1x2" in parser.format_help()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["codec", "--data", "nowhere", "--json", "x.json", "--bundle", CODEC], "no lossless"),
        (["codec", "--data", "nowhere", "--json", "x.json", "--bundle", "none"], "no such bundle"),
        (["compare", "nothing.json", "nothing.json"], "nothing.json"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == (2 if arguments[0] == "compare" else 1)
    shown_lines = capsys.readouterr().err.splitlines()
    assert len(shown_lines) == 1
    assert words in shown_lines[0]
