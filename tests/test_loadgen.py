"""The plumbing to MLPerf's LoadGen: what it is asked, what is read back. Times are not judged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import harness, loadgen, pieces
from benchmarks.__main__ import main
from benchmarks.suite import latency
from tests import bundles
from venturi._percentiles import NEEDED
from venturi.bench.sweep import Options

DENOISER = str(bundles.DENOISER)
SUMMARY = """
================================================
MLPerf Results Summary
================================================
Scenario : SingleStream
90.0th percentile latency (ns) : 1

Min latency (ns)                : 1000000
50.00 percentile latency (ns)   : 1100000
90.00 percentile latency (ns)   : 1234500
99.00 percentile latency (ns)   : 1500000
"""


def test_the_p90_of_a_summary() -> None:
    assert loadgen.parsed_p90_ms(SUMMARY) == 1.2345
    with pytest.raises(ValueError, match="no p90"):
        loadgen.parsed_p90_ms("nothing")


def test_loadgen_calls_as_often_as_it_is_asked_to() -> None:
    pytest.importorskip("mlperf_loadgen")
    queries: list[int] = []
    value = loadgen.their_p90_ms(queries.append, queries=70)
    assert value > 0
    assert queries == list(range(70))


def clocks(
    monkeypatch: pytest.MonkeyPatch, p90_ms: Callable[[str, int], float]
) -> list[tuple[str, int]]:
    """Replace both clocks, and return the turns that they will have had: whose, how many queries.

    p90_ms: of a clock, after so many turns.
    """
    turns: list[tuple[str, int]] = []

    def clock(name: str) -> Any:
        def measured(_: object, *, queries: int) -> float:
            turns.append((name, queries))
            return p90_ms(name, len(turns))

        return measured

    monkeypatch.setattr(loadgen, "our_p90_ms", clock("ours"))
    monkeypatch.setattr(loadgen, "their_p90_ms", clock("theirs"))
    return turns


def test_the_clocks_take_turns_and_each_is_first_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = clocks(monkeypatch, lambda _, turn: 10 + turn)
    found = loadgen.turns(lambda _: None, rounds=loadgen.ROUNDS)
    pair = [("ours", NEEDED[90]), ("theirs", NEEDED[90])]
    assert turns == (pair + pair[::-1]) * (loadgen.ROUNDS // 2)
    assert (found.rounds, found.queries) == (10, 64)
    assert found.p90_ms_by_round[:3] == [11, 14, 15]
    assert found.loadgen_p90_ms_by_round[:3] == [12, 13, 16]


def test_a_machine_that_slows_down_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks(monkeypatch, lambda _, turn: 10 * 1.02**turn)
    found = loadgen.turns(lambda _: None, rounds=loadgen.ROUNDS)
    assert found.difference == pytest.approx(0, abs=1e-3)


def test_other_work_in_a_few_turns_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks(monkeypatch, lambda _, turn: 50.0 if turn in (3, 4, 5, 9) else 10.0)
    found = loadgen.turns(lambda _: None, rounds=loadgen.ROUNDS)
    assert (found.p90_ms, found.loadgen_p90_ms, found.difference) == (10, 10, 0)


def test_a_clock_that_is_slower_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks(monkeypatch, lambda name, _: 10.6 if name == "ours" else 10.0)
    found = loadgen.turns(lambda _: None, rounds=loadgen.ROUNDS)
    assert found.difference == 0.06


def test_ours_needs_enough_queries() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        loadgen.our_p90_ms(lambda _: None, queries=NEEDED[90] - 1)


def test_a_comparison_of_a_real_call() -> None:
    pytest.importorskip("mlperf_loadgen")
    found = loadgen.compare(Options(DENOISER, threads=(1,)), rounds=2)
    assert (found.name, found.call, found.rounds) == ("tiny-denoiser", "denoise", 2)
    assert min(found.p90_ms_by_round + found.loadgen_p90_ms_by_round) > 0
    assert "LoadGen" in loadgen.text(found)
    assert "2 rounds of 64 queries" in loadgen.text(found)


@pytest.mark.parametrize(("difference", "code"), [(0.04, 0), (-0.06, 1)])
def test_the_command_fails_when_the_clocks_disagree(
    difference: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = loadgen.Comparison(
        name="x", call="denoise", size="8x8", threads=1, rounds=10, queries=64, p90_ms=1.0,
        loadgen_p90_ms=1.0, difference=difference, load_average=[0.0, 0.0, 0.0],
        p90_ms_by_round=[1.0], loadgen_p90_ms_by_round=[1.0],
    )  # fmt: skip
    monkeypatch.setattr(loadgen, "present", lambda: True)
    monkeypatch.setattr(loadgen, "compare", lambda _: found)
    assert main(["loadgen", DENOISER]) == code


def test_the_latency_command_keeps_all_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("venturi.bench.peak.SIDE", 64)
    monkeypatch.setattr("venturi.bench.cold.STARTS", 1)
    monkeypatch.setattr(harness, "CALLS", 20)
    monkeypatch.setattr(loadgen, "present", lambda: False)
    path = tmp_path / "latency.json"
    arguments = ["--size", "32x32", "--threads", "1", "--seconds", "0.05", "--json", str(path)]
    assert main(["latency", DENOISER, *arguments]) == 0
    found = json.loads(path.read_text(encoding="utf-8"))
    scenarios = [row["scenario"] for row in found["rows"]]
    assert scenarios == ["single-stream", "offline", "camera"]
    assert found["loadgen"] is None
    assert set(found["harness"]) == {"model_ms", "calls", "overhead_us", "share_of_1_ms"}
    assert found["rows"][0]["profile"]["roofline"]["kmac_per_pixel"] >= 0
    printed = capsys.readouterr().out
    assert "The harness costs" in printed
    assert "LoadGen: absent" in printed
    shown = pieces.text(latency.pieces(latency.BENCHMARK.read(path), tmp_path))
    assert shown in printed
