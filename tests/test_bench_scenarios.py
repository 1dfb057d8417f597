"""Scenarios on a clock of our own: every figure is known before it is measured."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks import harness
from venturi._percentiles import NEEDED, percentile
from venturi.bench.camera import camera
from venturi.bench.clock import MILLISECOND, SECOND, VirtualClock, WallClock
from venturi.bench.percentiles import readable, shown, summary
from venturi.bench.scenarios import Limits, multi_stream, offline, single_stream, warm_up
from venturi.bench.server import SIMULATED, TRIALS, arrivals, server, simulated_rate


class Model:
    """Takes a known time for each call, in turn, and remembers the numbers of the queries."""

    def __init__(self, *takes_ms: float) -> None:
        self.clock = VirtualClock()
        self.queries: list[int] = []
        self._takes_ms = takes_ms

    def __call__(self, number: int) -> None:
        self.clock.pass_ms(self._takes_ms[len(self.queries) % len(self._takes_ms)])
        self.queries.append(number)

    def batch(self, numbers: Sequence[int]) -> None:
        self(len(numbers))


def test_fewest_samples_are_those_of_early_stopping() -> None:
    """So many that the chance of fewer than two above the percentile is at most 1 %."""

    def chance(samples: int, above: float) -> float:
        return float((1 - above) ** samples + samples * above * (1 - above) ** (samples - 1))

    for percent, needed in NEEDED.items():
        above = 1 - percent / 100
        assert chance(needed, above) <= 0.01 < chance(needed - 1, above), percent


def test_percentiles_need_samples() -> None:
    assert percentile([1.0] * 10, 50) is None
    assert percentile([float(n) for n in range(11)], 50) == 5
    assert percentile([1.0] * 661, 99) is None
    assert percentile(list(np.arange(662.0)), 99) == pytest.approx(654.39)
    found = summary([float(n) for n in range(64)])
    assert (found["min"], found["median"], found["max"]) == (0, 31.5, 63)
    assert found["p90"] == pytest.approx(56.7)
    assert found["p95"] is None
    assert shown(None, 90) == "n/a (needs 64)"
    assert shown(None, 99.9) == "n/a (needs 6636)"
    assert [readable(x) for x in (12.34, 1.234, 0.1234, 0)] == ["12.3", "1.23", "0.123", "0.0"]


def test_single_stream() -> None:
    model = Model(10, 20)
    seen = single_stream(model, model.clock, Limits(seconds=1))
    assert seen.samples_ms == [*[10, 20] * 33, 10]  # 0.99 s, and the call that makes it a second
    assert seen.pictures == 67
    assert seen.seconds == 1
    assert model.queries == list(range(67))


@pytest.mark.parametrize(
    ("seconds", "samples", "most_seconds", "expected"),
    [
        (0.0, 5, math.inf, 5),  # samples alone
        (1.0, 5, None, 10),  # time alone
        (1.0, 64, None, 40),  # samples take too long: four times the time, then no more
        (0.0, 64, None, 1),  # never without a sample
    ],
)
def test_limits(seconds: float, samples: int, most_seconds: float | None, expected: int) -> None:
    model = Model(100)
    seen = single_stream(model, model.clock, Limits(seconds, samples, most_seconds))
    assert seen.pictures == expected


def test_multi_stream_counts_pictures_and_times_batches() -> None:
    model = Model(40)
    seen = multi_stream(model.batch, model.clock, Limits(1, samples=1), streams=8)
    assert model.queries == [8] * 25
    assert seen.samples_ms == [40] * 25
    assert (seen.pictures, seen.load) == (200, {"streams": 8, "batch": 8})


def test_offline_hands_over_larger_batches() -> None:
    model = Model(100)
    seen = offline(model.batch, model.clock, Limits(1, samples=1), streams=2)
    assert model.queries == [8] * 10
    assert seen.pictures / seen.seconds == 80
    assert seen.load == {"streams": 2, "batch": 8}


def test_warm_up_counts_calls_and_time() -> None:
    slow, fast = Model(500), Model(1)
    assert warm_up(slow, slow.clock, seconds=0.3) == 3
    assert warm_up(fast, fast.clock, seconds=0.3) == 300


def test_a_camera_that_is_kept_up_with() -> None:
    model = Model(5)
    seen = camera(model, model.clock, Limits(1, samples=1), fps=50)
    assert seen.samples_ms == [5] * 51
    assert model.queries == list(range(51))
    assert (seen.load["frames"], seen.load["dropped"]) == (51, 0)
    assert seen.load["age_ms"]["p50"] == 25  # a frame is replaced one period after it was done


def test_a_camera_that_is_too_fast_drops_frames_and_counts_their_wait() -> None:
    model = Model(50)  # frames are due every 20 ms
    seen = camera(model, model.clock, Limits(0, samples=5, most_seconds=math.inf), fps=50)
    # done at 50, 100, ...; the newest frame due by then is 2 (at 40), 5 (at 100), 7, 10
    assert model.queries == [0, 2, 5, 7, 10]
    assert seen.samples_ms == [50, 60, 50, 60, 50]
    assert (seen.load["frames"], seen.load["dropped"]) == (11, 6)
    assert seen.load["age_ms"]["max"] == 110


def test_a_late_camera_frame_is_measured_from_when_it_was_due() -> None:
    model = Model(30, 1)
    seen = camera(model, model.clock, Limits(0, samples=2, most_seconds=math.inf), fps=50)
    assert seen.samples_ms == [30, 11]  # due at 20, begun at 30


def test_arrivals_are_poisson_and_wait_in_a_queue() -> None:
    model = Model(1)
    seen = arrivals(model, model.clock, rate_per_s=500, queries=20_000, seed=0)
    assert seen.pictures / seen.seconds == pytest.approx(500, rel=0.02)
    # M/D/1: mean wait = service x load / (2 (1 - load)) = 0.5 ms at half load
    assert np.mean(seen.samples_ms) == pytest.approx(1.5, rel=0.05)
    assert min(seen.samples_ms) == pytest.approx(1, abs=0.001)


def test_the_simulated_rate_is_that_of_the_queue() -> None:
    low, high = (simulated_rate([1.0] * 50, bound_ms=b) for b in (1.5, 10))
    assert low is not None
    assert high is not None
    assert 0 < low < 250 < high < 1000
    model = Model(1)
    seen = arrivals(model, model.clock, rate_per_s=high, queries=SIMULATED, seed=1)
    assert percentile(seen.samples_ms, 99) == pytest.approx(10, rel=0.01)
    assert simulated_rate([2.0] * 50, bound_ms=1) is None


def test_server_confirms_the_rate_with_calls() -> None:
    model = Model(1)
    seen = server(model, model.clock, [1.0] * 20, bound_ms=5)
    (*failed, held) = seen.load["trials"]
    assert held["held"]
    assert held["p99_ms"] <= 5
    assert seen.load["rate_per_s"] == held["rate_per_s"]
    assert len(seen.samples_ms) == 662
    assert all(not trial["held"] for trial in failed)


def test_server_lowers_the_rate_when_calls_are_slower_than_they_were() -> None:
    model = Model(3)
    seen = server(model, model.clock, [1.0] * 20, bound_ms=5)
    rates = [trial["rate_per_s"] for trial in seen.load["trials"]]
    assert len(rates) == TRIALS
    assert seen.load["rate_per_s"] is None
    assert rates == sorted(rates, reverse=True)


def test_server_without_hope_makes_no_call() -> None:
    model = Model(3)
    seen = server(model, model.clock, [3.0] * 20, bound_ms=1)
    assert (seen.load["trials"], seen.load["rate_per_s"]) == ([], None)
    assert model.queries == []


def test_the_wall_clock_wakes_up_after_its_time_and_not_before() -> None:
    clock = WallClock()
    when = clock.now() + 2 * MILLISECOND
    clock.sleep_until(when)
    assert when <= clock.now() < when + 10 * SECOND
    clock.sleep_until(when)


class TickingClock(VirtualClock):
    """Every look at it takes 100 ns."""

    def now(self) -> int:
        self.pass_ms(0.0001)
        return super().now()


def test_the_harness_is_charged_for_what_is_not_the_model() -> None:
    found = harness.cost(calls=100, clock=TickingClock())
    assert found.calls == 100
    # a call is looked at before and after, and the model's own two looks end and begin inside
    assert found.overhead_us == pytest.approx(0.3, abs=0.01)
    assert found.share_of_1_ms == pytest.approx(0.0003, abs=0.00001)
