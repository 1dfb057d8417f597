"""The Bjontegaard delta rate, against published points and against cases solved by hand."""

import math

import pytest

from benchmarks.bd_rate import Point, bd_rate_percent

# The document behind the interpolation: JCTVC-E137 (Geneva, 2011), whose spreadsheet has these
# points and results. They are repeated, with its values, by the tests of Netflix's VMAF
# (python/test/bd_rate_calculator_test.py) and of Android's BdRateCalculator.
STANDARD: list[tuple[list[Point], list[Point], float]] = [
    (
        [(108048.8736, 43.6471), (61279.976, 40.3953), (33905.6656, 37.247), (18883.6928, 34.2911)],
        [
            (108061.2784, 43.6768),
            (61299.9936, 40.4232),
            (33928.7472, 37.2761),
            (18910.912, 34.3147),
        ],
        -0.465215420752807,
    ),
    (
        [(40433.8848, 37.5761), (7622.7456, 35.3756), (2394.488, 33.8977), (1017.6184, 32.0603)],
        [(40370.12, 37.5982), (7587.0024, 35.4025), (2390.0944, 33.9194), (1017.0984, 32.0822)],
        -1.8779823450567612,
    ),
]

# The three cases of example_usage.py of FAU-LMS/bjontegaard (x265 presets, high rates, more
# points), and an example that goes round with the scripts for VCEG-M33. The expected values are
# `bd_rate(..., method="pchip")` of that package, version 1.3.0, which says of itself that it equals
# the spreadsheet of JVET-T2010 to 10 decimals.
PUBLISHED: list[tuple[list[Point], list[Point], float]] = [
    (
        [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)],
        [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)],
        -4.417485350589,
    ),
    (
        [(686.76, 40.28), (309.58, 37.18), (157.11, 34.24), (85.95, 31.42)],
        [(893.34, 40.39), (407.80, 37.21), (204.93, 34.17), (112.75, 31.24)],
        31.379878202398,
    ),
    (
        [(82472.76, 43.825), (26875.24, 41.404), (9487.76, 40.037), (4593.6, 38.615)],
        [(99896.96, 44.731), (33952.04, 41.875), (9787.8, 40.121), (4469.0, 38.651)],
        -4.472182002762,
    ),
    (
        [
            (82472.76, 43.825), (26875.24, 41.404), (9487.76, 40.037), (4593.6, 38.615),
            (3600.0, 36.5), (2900.0, 35.1),
        ],
        [
            (99896.96, 44.731), (33952.04, 41.875), (9787.8, 40.121), (4469.0, 38.651),
            (4040.0, 37.0), (3300.0, 36.5),
        ],
        -2.952802411643,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("anchor", "test", "percent"), STANDARD)
def test_the_points_of_the_standard(anchor: list[Point], test: list[Point], percent: float) -> None:
    assert bd_rate_percent(anchor, test) == pytest.approx(percent, abs=1e-4)


@pytest.mark.parametrize(("anchor", "test", "percent"), PUBLISHED)
def test_published_points(anchor: list[Point], test: list[Point], percent: float) -> None:
    assert bd_rate_percent(anchor, test) == pytest.approx(percent, abs=1e-6)


def logarithmic(scale: float, rates: list[float]) -> list[Point]:
    """Return a curve whose quality is a straight line over the logarithm of the rate."""
    return [(scale * rate, 30 + 6 * math.log2(rate)) for rate in rates]


def test_a_scaled_curve_costs_its_scale() -> None:
    anchor = logarithmic(1.0, [0.1, 0.3, 0.5, 1.0, 2.0])
    assert bd_rate_percent(anchor, logarithmic(0.8, [0.1, 0.2, 0.6, 2.0])) == pytest.approx(-20)
    assert bd_rate_percent(anchor, logarithmic(1.5, [0.1, 0.2, 0.6, 2.0])) == pytest.approx(50)
    assert bd_rate_percent(anchor, anchor) == pytest.approx(0, abs=1e-9)


def test_lines_that_cross_by_hand() -> None:
    # log rate over quality 30..40: anchor 0..1, test 0.5..0.7; mean difference 0.6 - 0.5
    anchor = [(math.exp(0.0), 30.0), (math.exp(1.0), 40.0)]
    test = [(math.exp(0.5), 30.0), (math.exp(0.7), 40.0)]
    assert bd_rate_percent(anchor, test) == pytest.approx(100 * (math.exp(0.1) - 1))


def test_swapping_the_two_inverts_the_ratio() -> None:
    anchor, test, _ = PUBLISHED[1]
    there, back = bd_rate_percent(anchor, test), bd_rate_percent(test, anchor)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1)


def test_points_outside_the_rates_do_not_move_the_result() -> None:
    anchor = logarithmic(1.0, [0.05, 0.15, 0.4, 1.0, 3.0])
    test = logarithmic(0.7, [0.15 / 0.7, 0.4, 1.0, 1.0 / 0.7])
    wild = [(0.01, 1.0), (0.02, 2.0), *test, (8.0, 79.0), (9.0, 80.0)]
    rates = (0.15, 1.0)
    assert bd_rate_percent(anchor, test, rates=rates) == pytest.approx(-30, abs=0.2)
    assert bd_rate_percent(anchor, wild, rates=rates) == pytest.approx(-30, abs=1.5)


def test_points_far_outside_the_rates_may_be_no_curve() -> None:
    anchor = logarithmic(1.0, [0.05, 0.1, 0.3, 0.9, 1.5, 2.0])
    test = logarithmic(0.7, [0.05, 0.1, 0.3, 0.9, 1.5, 2.0, 3.0])
    rates = (0.15, 1.0)
    expected = bd_rate_percent(anchor, test, rates=rates)
    assert bd_rate_percent(anchor, [(0.001, 9.0), *test], rates=rates) == expected
    assert bd_rate_percent(anchor, [*test, (6.0, 1.0)], rates=rates) == expected


def test_rates_cut_both_curves() -> None:
    # cheaper by half below 30 dB, equal above: seen or not seen by the range of rates
    anchor = [(0.1, 26.0), (0.2, 28.0), (0.4, 30.0), (0.8, 32.0), (1.6, 34.0)]
    test = [(0.05, 26.0), (0.1, 28.0), (0.4, 30.0), (0.8, 32.0), (1.6, 34.0)]
    assert bd_rate_percent(anchor, test, rates=(0.4, 1.6)) == pytest.approx(0, abs=1.5)
    assert bd_rate_percent(anchor, test) < -20


@pytest.mark.parametrize(
    ("anchor", "test", "words"),
    [
        ([(1.0, 30.0)], [(1.0, 30.0), (2.0, 33.0)], "at least 2"),
        ([(1.0, 30.0), (2.0, 29.0)], [(1.0, 30.0), (2.0, 33.0)], "anchor does not grow"),
        ([(1.0, 30.0), (2.0, 33.0)], [(0.0, 30.0), (2.0, 33.0)], "rate of 0"),
        ([(1.0, 30.0), (2.0, 33.0)], [(1.0, 40.0), (2.0, 43.0)], "nothing in common"),
    ],
)
def test_what_is_no_pair_of_curves_is_refused(
    anchor: list[Point], test: list[Point], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        bd_rate_percent(anchor, test)


def test_a_curve_outside_the_rates_is_refused() -> None:
    curve = logarithmic(1.0, [2.0, 3.0])
    with pytest.raises(ValueError, match="no point near"):
        bd_rate_percent(curve, curve, rates=(0.15, 1.0))
