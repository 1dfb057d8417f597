"""When a run is called stable, and when never."""

import pytest

from venturi.bench import stability
from venturi.bench.stability import Work, is_busy, other_cpus, verdict


def test_the_last_three_windows_must_agree() -> None:
    assert verdict([10.0] * 60, busy=False) == {
        "verdict": "stable", "windows_ms": [10, 10, 10], "spread": 0,
    }  # fmt: skip
    cold_start = [50.0] * 20 + [10.0] * 36
    assert verdict(cold_start, busy=False)["verdict"] == "stable"
    drift = [10.0] * 40 + [10.5] * 12 + [11.2] * 12
    found = verdict(drift, busy=False)
    assert found["verdict"] == "drifting"
    assert found["windows_ms"] == [10, 10.5, 11.2]
    assert found["spread"] == pytest.approx(0.12)


def test_windows_are_medians_so_that_one_pause_is_no_drift() -> None:
    samples = [10.0] * 60
    samples[55] = 500
    assert verdict(samples, busy=False)["verdict"] == "stable"


def test_a_busy_machine_is_never_stable() -> None:
    assert verdict([10.0] * 60, busy=True)["verdict"] == "busy"
    assert verdict([10.0], busy=True)["verdict"] == "busy"


def test_too_few_samples() -> None:
    assert verdict([10.0] * 32, busy=False)["verdict"] == "too few samples"
    assert verdict([10.0] * 33, busy=False)["verdict"] == "stable"
    assert verdict([], busy=False)["verdict"] == "too few samples"


def test_other_work_is_what_is_not_ours() -> None:
    before, after = Work(0, 100, 10), Work(10, 118, 25)
    assert other_cpus(before, after) == 0.3
    assert other_cpus(None, after) is None
    assert other_cpus(before, before) is None


@pytest.mark.parametrize(
    ("others", "load", "threads", "cpus", "busy"),
    [
        (0.0, 9.0, 2, 2, False),  # the load is our own, from before
        (0.2, 0.0, 2, 2, True),
        (0.5, 0.0, 1, 2, False),  # a processor is spare
        (0.7, 0.0, 1, 2, True),
        (None, 0.3, 2, 2, False),
        (None, 0.6, 2, 2, True),
    ],
)
def test_busy(others: float | None, load: float, threads: int, cpus: int, busy: bool) -> None:
    assert is_busy(others, load, threads=threads, cpus=cpus) is busy


def test_work_where_the_system_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(stability, "_STAT", tmp_path_factory.mktemp("none") / "stat")
    assert stability.work() is None
