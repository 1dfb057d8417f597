"""What a frame costs on its way in and out: every way gives the same picture."""

from pathlib import Path

import pytest

from benchmarks import frame, results
from benchmarks.__main__ import main
from benchmarks.report.frames import NETWORK, TODAY, outside_percent
from tests import bundles

DENOISER = str(bundles.DENOISER)


@pytest.fixture(scope="module")
def found() -> results.Results:
    return frame.measure(frame.Options(DENOISER, threads=1, runs=2, sizes=[(64, 48)]))


def test_every_way_is_timed_and_gives_the_same(found: results.Results) -> None:
    parts = found["sizes"]["64x48"]
    assert set(parts) == {"in", "out", "whole"}
    for ways in parts.values():
        assert len(ways) >= 2
        for name, way in ways.items():
            assert way["samples"] == 2
            assert way["median_ms"] > 0
            assert way["largest_difference"] < 1e-4, name
    assert {TODAY, NETWORK} < set(parts["whole"])


def test_the_text_has_every_way(found: results.Results) -> None:
    text = frame.text(found)
    for ways in found["sizes"]["64x48"].values():
        assert all(name in text for name in ways)
    assert "% of the whole call is outside" in text


def test_what_is_outside_of_the_run_is_told() -> None:
    whole = {TODAY: {"median_ms": 4.0}, NETWORK: {"median_ms": 3.0}}
    assert outside_percent(whole) == pytest.approx(25)


def test_the_command_writes_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame.Options.__init__, "__defaults__", (((32, 16),),))
    path = tmp_path / "frame.json"
    options = ["--bundle", DENOISER, "--threads", "1", "--runs", "1", "--json", str(path)]
    assert main(["frame", *options]) == 0
    assert list(results.read(path)["sizes"]) == ["32x16"]


def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recurrent = str(bundles.RECURRENT)
    options = ["--runs", "1", "--json", str(tmp_path / "a.json"), "--bundle", recurrent]
    assert main(["frame", *options]) == 1
    assert "carries state; expected one without" in capsys.readouterr().err
    with pytest.raises(ValueError, match="60x48: expected multiples of 8"):
        frame.measure(frame.Options(DENOISER, threads=1, runs=1, sizes=[(60, 48)]))
    assert not (tmp_path / "a.json").exists()
