"""What a frame costs on its way in and out: every way gives the same picture."""

from pathlib import Path

import pytest

from benchmarks import pieces
from benchmarks.__main__ import main
from benchmarks.suite import frame
from benchmarks.suite.frame import NETWORK, TODAY
from tests import bundles, sample_results
from venturi.bench.size import Size

DENOISER = str(bundles.DENOISER)


def measure(*sizes: Size) -> frame.Result:
    return frame.measure(frame.Options(bundle=DENOISER, threads=1, runs=2, sizes=sizes))


@pytest.fixture(scope="module")
def result() -> frame.Result:
    return measure(Size(64, 48))


def test_every_way_is_timed_and_gives_the_same(result: frame.Result) -> None:
    ways = result.sizes["64x48"]
    for each in ways.parts.values():
        assert len(each) >= 2
        for name, way in each.items():
            assert way.samples == 2
            assert way.median_ms > 0
            assert way.largest_difference < 1e-4, name
    assert {TODAY, NETWORK} < set(ways.whole)


def test_the_text_has_every_way(result: frame.Result) -> None:
    text = pieces.text(frame.pieces(result, Path()))
    for each in result.sizes["64x48"].parts.values():
        assert all(name in text for name in each)
    assert "of the whole call is outside" in text


def test_the_share_outside_of_the_run() -> None:
    ways = sample_results.record("frame").sizes["640x480"]
    assert ways.whole[TODAY].median_ms == 2.0
    assert ways.whole[NETWORK].median_ms == 1.5
    assert ways.outside_percent == pytest.approx(25)


def test_the_command_writes_results(tmp_path: Path) -> None:
    path = tmp_path / "frame.json"
    options = ["--bundle", DENOISER, "--threads", "1", "--runs", "1", "--json", str(path)]
    assert main(["frame", *options, "--sizes", "32x16"]) == 0
    assert list(sample_results.values(path)["sizes"]) == ["32x16"]


def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recurrent = str(bundles.RECURRENT)
    options = ["--runs", "1", "--json", str(tmp_path / "a.json"), "--bundle", recurrent]
    assert main(["frame", *options]) == 1
    assert "carries state; expected one without" in capsys.readouterr().err
    with pytest.raises(ValueError, match="60x48: expected multiples of 8"):
        measure(Size(60, 48))
    assert not (tmp_path / "a.json").exists()
