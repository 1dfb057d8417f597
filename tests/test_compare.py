"""Comparing results files: what is noise, what is a regression, what cannot be compared."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import compare, registry, results
from benchmarks.__main__ import main
from benchmarks.figures import interval
from tests import sample_results

Values = sample_results.Values
Change = Callable[[Values], None]


def changes(name: str, old: Values, new: Values) -> list[compare.Change]:
    """Compare plain values of a benchmark."""
    return compare.changes(sample_results.record(name, old), sample_results.record(name, new))


def verdicts(name: str, old: Values, new: Values) -> dict[str, str]:
    """Return what changed, by figure."""
    verdict = {change.name: change.verdict for change in changes(name, old, new)}
    return {name: verdict for name, verdict in verdict.items() if verdict != "same"}


def setting(*path: Any, to: Any) -> Change:
    """Return a change of the value at a path of keys."""

    def change(values: Values) -> None:
        place: Any = values
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


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
    assert verdicts(benchmark, old, new) == {name: "worse"}
    assert verdicts(benchmark, new, old) == {name: "better"}
    paths = [
        str(sample_results.put(tmp_path / title, benchmark, values))
        for title, values in (("old", old), ("new", new))
    ]
    assert main(["compare", *paths]) == 1
    first = capsys.readouterr().out.splitlines()[1]
    assert first.startswith(name)
    assert first.endswith("worse")
    assert main(["compare", *reversed(paths)]) == 0


def test_rates_of_the_curves() -> None:
    listed = changes("codec", sample_results.codec(), sample_results.codec(1.1))
    (change,) = (each for each in listed if each.name == "rate at equal PSNR, old to new, %")
    assert change.new == pytest.approx(10, abs=0.5)
    assert change.verdict == "worse"


def test_slower_beyond_the_noise() -> None:
    old = sample_results.latency()
    assert verdicts("latency", old, sample_results.latency(1.05)) == {}
    slower = verdicts("latency", old, sample_results.latency(1.3))
    assert set(slower.values()) == {"worse"}
    assert len(slower) == 6, "p50, p90 and p99 of two rows"


def test_few_scattered_samples_prove_little() -> None:
    rng = np.random.default_rng(3)
    few, many = rng.uniform(5, 15, 20).tolist(), rng.uniform(5, 15, 5000).tolist()
    assert interval(few, 50) > 4
    assert interval(many, 50) < 0.5
    old, new = sample_results.latency(), sample_results.latency()
    for values, middle in ((old, 10.0), (new, 11.5)):
        values["rows"] = values["rows"][:1]
        values["rows"][0]["samples_ms"] = few
        values["rows"][0]["latency_ms"] = {"p50": middle}
    assert verdicts("latency", old, new) == {}


def test_nothing_from_nothing_is_the_same() -> None:
    old, new = sample_results.mnist(), sample_results.mnist()
    old["models"]["mnist-vae"]["test_mse"] = 0.0
    new["models"]["mnist-vae"]["test_mse"] = 0.0
    assert verdicts("mnist", old, new) == {}
    new["models"]["mnist-vae"]["test_mse"] = 1e-9
    assert verdicts("mnist", old, new) == {"mnist-vae test_mse": "worse"}


def test_changes_are_read_in_their_unit() -> None:
    old, new = sample_results.denoise(), sample_results.denoise()
    new["clean_psnr_db"]["kodak"]["venturi"] += 1
    new["latency"]["640x480"]["methods"]["venturi"]["median_ms"] = 13.0
    lines = compare.text(changes("denoise", old, new)).splitlines()
    assert lines[1].split()[-5:] == ["10.000", "13.000", "+30.00%", "10.00%", "worse"]
    assert lines[2].split()[-5:] == ["41.000", "42.000", "+1", "0.03", "better"]
    assert lines[-1] == "1 worse, 1 better, 4 same"


def test_what_is_gone_is_a_regression() -> None:
    old = sample_results.mnist()
    new = copy.deepcopy(old)
    del new["models"]["mnist-vae"]
    gone = verdicts("mnist", old, new)
    assert set(gone.values()) == {"gone"}
    assert all(change.regression for change in changes("mnist", old, new) if change.name in gone)
    assert set(verdicts("mnist", new, old).values()) == {"new"}
    assert not any(change.regression for change in changes("mnist", new, old))


def test_times_need_an_idle_machine_and_the_same() -> None:
    old, new = sample_results.denoise(), sample_results.denoise()
    new["latency"]["640x480"]["methods"]["venturi"]["median_ms"] = 99.0
    assert verdicts("denoise", old, new) == {"median 640x480, ms": "worse"}
    busy = copy.deepcopy(new)
    busy["environment"]["load_average"][0] = 3.0
    assert verdicts("denoise", old, busy) == {}
    assert "load average 3.0" in str(
        compare.untimed(
            sample_results.record("denoise", old), sample_results.record("denoise", busy)
        )
    )
    new["environment"]["cpu"] = "Another"
    assert verdicts("denoise", old, new) == {}
    assert "Another" in str(
        compare.untimed(
            sample_results.record("denoise", old), sample_results.record("denoise", new)
        )
    )


def test_a_row_that_was_not_stable_is_left_out() -> None:
    old, new = sample_results.latency(), sample_results.latency(1.5)
    new["rows"][0]["stability"] |= {"verdict": "busy"}
    left = verdicts("latency", old, new)
    assert {name.split()[4] for name in left} == {"int8"}
    assert {
        name.split()[4]
        for name in compare.unsteady(
            sample_results.record("latency", old), sample_results.record("latency", new)
        )
    } == {"fp32"}
    assert compare.about_times(
        sample_results.record("latency", old), sample_results.record("latency", new)
    ).startswith("4 times not compared")
    assert compare.about_times(
        sample_results.record("latency", old), sample_results.record("latency", old)
    ).startswith("times compared")


def test_different_things_are_refused(tmp_path: Path) -> None:
    codec, denoise = (str(sample_results.put(tmp_path, name)) for name in ("codec", "denoise"))
    assert main(["compare", codec, denoise]) == 2
    assert main(["compare", str(tmp_path / "none.json"), denoise]) == 2
    fewer = sample_results.codec()
    fewer["data"]["pictures"] = 1
    with pytest.raises(ValueError, match="data is"):
        changes("codec", sample_results.codec(), fewer)
    other = sample_results.latency()
    other["subject"]["name"] = "photo"
    with pytest.raises(ValueError, match="name is 'camera'"):
        changes("latency", sample_results.latency(), other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            setting("points", "venturi", 0, "bpp", to="0.5"),
            r"points\.venturi\.0\.bpp is '0.5'; expected a valid number",
        ),
        (setting("notes", to="none"), r"notes is 'none'; expected a valid array"),
        (setting("data", "pictures", to=True), "pictures is 'True'; expected a valid integer"),
        (setting("bd_rate_percent", to=3), "bd_rate_percent is '3'; expected an object"),
        (setting("parts_ms", "compress", "total", to=float("nan")), "JSON"),
        (setting("benchmark", to="speed"), "benchmark is 'speed'; expected one of codec"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: Change, words: str, tmp_path: Path) -> None:
    values = sample_results.codec()
    change(values)
    path = tmp_path / "r.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ValueError, match=words if words != "JSON" else r"r\.json"):
        registry.read(path)
    if values["benchmark"] == "codec":
        with pytest.raises(ValueError, match=words):
            sample_results.record("codec", values)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", r"r\.json: .*expected results that a benchmark wrote"),
        ("[1]", r"r\.json: list; expected an object"),
        ("{}", r"r\.json: benchmark is 'None'; expected one of"),
    ],
)
def test_other_files_are_refused(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        registry.read(path)


def test_changed_values_are_checked_when_written(tmp_path: Path) -> None:
    """A record is frozen, but the lists and objects in it are not."""
    result = sample_results.record("codec")
    result.parts_ms["compress"]["total"] = "10"
    with pytest.raises(ValueError, match=r"parts_ms\.compress\.total is '10'"):
        results.write(tmp_path / "r.json", result)
    result.parts_ms["compress"]["total"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        results.write(tmp_path / "r.json", result)
    assert not (tmp_path / "r.json").exists()
