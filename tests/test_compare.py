"""Comparing results files: what is noise, what is a regression, what cannot be compared."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import compare, results
from benchmarks.__main__ import main
from benchmarks.figures import figures, interval
from tests import sample_results

Change = Callable[[results.Results], None]


def verdicts(old: results.Results, new: results.Results) -> dict[str, str]:
    """Return what changed, by figure."""
    found = {change.name: change.verdict for change in compare.changes(old, new)}
    return {name: verdict for name, verdict in found.items() if verdict != "same"}


def setting(*path: Any, to: Any) -> Change:
    """Return a change of the value at a path of keys."""

    def change(found: results.Results) -> None:
        place: Any = found
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


@pytest.mark.parametrize("name", sample_results.ALL)
def test_a_file_is_the_same_as_itself(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.json"
    results.write(path, sample_results.ALL[name]())
    found = results.read(path)
    assert len(figures(found)) >= 2
    assert verdicts(found, found) == {}
    assert main(["compare", str(path), str(path)]) == 0


WORSE: dict[str, tuple[str, Change, str]] = {
    "bytes": (
        "codec",
        setting("bd_rate_percent", "webp", to=-10.0),
        "BD-rate (PSNR) against webp, %",
    ),
    "monotony": (
        "codec",
        setting("grows_with_quality_on_every_picture", to=False),
        "grows with quality on every picture",
    ),
    "arithmetic": (
        "codec",
        setting("kmac_per_pixel", "decoder", to=9.0),
        "kMAC per pixel, decoder",
    ),
    "time": (
        "codec",
        setting("latency", "venturi", "decode", "median_ms", to=12.0),
        "median decode, ms",
    ),
    "noise left": (
        "denoise",
        setting("gaussian_psnr_db", "kodak", "25", "venturi", to=31.4),
        "PSNR kodak sigma 25, dB",
    ),
    "camera noise left": (
        "denoise",
        setting("real_psnr_db", "cc15", "venturi", to=31.4),
        "PSNR cc15 real, dB",
    ),
    "smear": (
        "denoise",
        setting("clean_psnr_db", "kodak", "venturi", to=39.0),
        "PSNR kodak clean, dB",
    ),
    "entropy": (
        "mnist",
        setting("models", "mnist-simple", "test_bce", to=0.095),
        "mnist-simple test_bce",
    ),
    "bytes of a digit": (
        "mnist",
        setting("models", "mnist-vae", "bytes_per_digit", to=31.0),
        "mnist-vae bytes_per_digit",
    ),
    "time of a digit": (
        "mnist",
        setting("models", "mnist-vae", "encode_us", "256", to=2.0),
        "mnist-vae encode at 256, µs",
    ),
    "memory": (
        "latency",
        setting("rows", 0, "memory_mb", to=200.0),
        "denoise 640x480 2 cpu fp32 single-stream memory, MB",
    ),
    "int8": (
        "latency",
        setting("rows", 1, "error", "psnr_db", to=30.5),
        "denoise 640x480 2 cpu int8 single-stream PSNR, dB",
    ),
    "cold start": (
        "latency",
        setting("rows", 1, "cold_start_ms", "session", to=100.0),
        "denoise 640x480 2 cpu int8 single-stream cold start, ms",
    ),
    "lost": ("robustness", setting("rows", 1, "lost", to=1), "lost: cut"),
}


@pytest.mark.parametrize("case", WORSE)
def test_what_got_worse_is_found_and_fails(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark, change, name = WORSE[case]
    old = sample_results.ALL[benchmark]()
    new = copy.deepcopy(old)
    change(new)
    assert verdicts(old, new) == {name: "worse"}
    assert verdicts(new, old) == {name: "better"}
    for title, found in (("old", old), ("new", new)):
        results.write(tmp_path / f"{title}.json", found)
    paths = [str(tmp_path / "old.json"), str(tmp_path / "new.json")]
    assert main(["compare", *paths]) == 1
    first = capsys.readouterr().out.splitlines()[1]
    assert first.startswith(name)
    assert first.endswith("worse")
    assert main(["compare", *reversed(paths)]) == 0


def test_rates_of_the_curves() -> None:
    found = {c.name: c for c in compare.changes(sample_results.codec(), sample_results.codec(1.1))}
    change = found["rate at equal PSNR, old to new, %"]
    assert change.new == pytest.approx(10, abs=0.5)
    assert change.verdict == "worse"


def test_slower_beyond_the_noise() -> None:
    old = sample_results.latency()
    assert verdicts(old, sample_results.latency(1.05)) == {}
    slower = verdicts(old, sample_results.latency(1.3))
    assert set(slower.values()) == {"worse"}
    assert len(slower) == 6, "p50, p90 and p99 of two rows"


def test_few_scattered_samples_prove_little() -> None:
    rng = np.random.default_rng(3)
    few, many = rng.uniform(5, 15, 20).tolist(), rng.uniform(5, 15, 5000).tolist()
    assert interval(few, 50) > 4
    assert interval(many, 50) < 0.5
    old, new = sample_results.latency(), sample_results.latency()
    for found, middle in ((old, 10.0), (new, 11.5)):
        found["rows"] = found["rows"][:1]
        found["rows"][0]["samples_ms"] = few
        found["rows"][0]["latency_ms"] = {"p50": middle}
    assert verdicts(old, new) == {}


def test_nothing_from_nothing_is_the_same() -> None:
    old, new = sample_results.mnist(), sample_results.mnist()
    old["models"]["mnist-vae"]["test_mse"] = 0.0
    new["models"]["mnist-vae"]["test_mse"] = 0.0
    assert verdicts(old, new) == {}
    new["models"]["mnist-vae"]["test_mse"] = 1e-9
    assert verdicts(old, new) == {"mnist-vae test_mse": "worse"}


def test_changes_are_read_in_their_unit() -> None:
    old, new = sample_results.denoise(), sample_results.denoise()
    new["clean_psnr_db"]["kodak"]["venturi"] += 1
    new["latency"]["640x480"]["venturi"]["median_ms"] = 13.0
    lines = compare.text(compare.changes(old, new)).splitlines()
    assert lines[1].split()[-5:] == ["10.000", "13.000", "+30.00%", "10.00%", "worse"]
    assert lines[2].split()[-5:] == ["41.000", "42.000", "+1", "0.03", "better"]
    assert lines[-1] == "1 worse, 1 better, 4 same"


def test_what_is_gone_is_a_regression() -> None:
    old = sample_results.mnist()
    new = copy.deepcopy(old)
    del new["models"]["mnist-vae"]
    gone = verdicts(old, new)
    assert set(gone.values()) == {"gone"}
    assert all(change.regression for change in compare.changes(old, new) if change.name in gone)
    assert set(verdicts(new, old).values()) == {"new"}
    assert not any(change.regression for change in compare.changes(new, old))


def test_times_need_an_idle_machine_and_the_same() -> None:
    old, new = sample_results.denoise(), sample_results.denoise()
    new["latency"]["640x480"]["venturi"]["median_ms"] = 99.0
    assert verdicts(old, new) == {"median 640x480, ms": "worse"}
    busy = copy.deepcopy(new)
    busy["environment"]["load_average"][0] = 3.0
    assert verdicts(old, busy) == {}
    assert "load average 3.0" in str(compare.untimed(old, busy))
    new["environment"]["cpu"] = "Another"
    assert verdicts(old, new) == {}
    assert "Another" in str(compare.untimed(old, new))


def test_a_row_that_was_not_stable_is_left_out() -> None:
    old, new = sample_results.latency(), sample_results.latency(1.5)
    new["rows"][0]["stability"] = {"verdict": "busy"}
    found = verdicts(old, new)
    assert {name.split()[4] for name in found} == {"int8"}
    assert {name.split()[4] for name in compare.unsteady(old, new)} == {"fp32"}
    assert compare.about_times(old, new).startswith("4 times not compared")
    assert compare.about_times(old, old).startswith("times compared")


def test_different_things_are_refused(tmp_path: Path) -> None:
    for name, make in sample_results.ALL.items():
        results.write(tmp_path / f"{name}.json", make())
    assert main(["compare", str(tmp_path / "codec.json"), str(tmp_path / "denoise.json")]) == 2
    assert main(["compare", str(tmp_path / "none.json"), str(tmp_path / "denoise.json")]) == 2
    fewer = sample_results.codec()
    fewer["data"]["pictures"] = 1
    with pytest.raises(ValueError, match="data is"):
        compare.changes(sample_results.codec(), fewer)
    other = sample_results.latency()
    other["subject"]["name"] = "photo"
    with pytest.raises(ValueError, match="name is 'camera'"):
        compare.changes(sample_results.latency(), other)


@pytest.mark.parametrize("name", sample_results.ALL)
def test_the_schema_finds_what_is_missing_or_wrong(name: str, tmp_path: Path) -> None:
    path, found = tmp_path / "r.json", sample_results.ALL[name]()
    version = "schema" if name == "latency" else "schema_version"
    part = {"latency": "machine", "robustness": "rows"}.get(name, "environment")
    for key in (part, version):
        less = {other: value for other, value in found.items() if other != key}
        with pytest.raises(ValueError, match=key):
            results.write(path, less)
        path.write_text(json.dumps(less), encoding="utf-8")
        with pytest.raises(ValueError, match=rf"r\.json: .*{key}"):
            results.read(path)
    with pytest.raises(ValueError, match=f"{version} is 2; expected 1"):
        results.write(path, found | {version: 2})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (setting("points", "venturi", 0, "bpp", to="0.5"), r"points\.venturi\[0\]\.bpp is '0.5'"),
        (setting("notes", to="none"), r"notes is 'none'; expected a list"),
        (setting("data", "pictures", to=True), "pictures is 'True'; expected a whole number"),
        (setting("bd_rate_percent", to=3), "bd_rate_percent is '3'; expected an object"),
        (setting("benchmark", to="speed"), "benchmark is 'speed'"),
    ],
)
def test_the_schema_names_the_place(change: Change, words: str, tmp_path: Path) -> None:
    found = sample_results.codec()
    change(found)
    with pytest.raises(ValueError, match=words):
        results.write(tmp_path / "r.json", found)
    found = sample_results.codec() | {"another": 1}
    results.write(tmp_path / "r.json", found)
    assert results.read(tmp_path / "r.json") == found


def test_the_committed_results_are_as_the_schema_says() -> None:
    paths = sorted(results.FOLDER.glob("*.json"))
    assert {path.name for path in paths} >= {"codec.json", "denoise.json"}
    for path in paths:
        assert results.read(path)["benchmark"] == path.stem
