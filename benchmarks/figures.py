"""The figures of a results file that can get better or worse, and what is only noise in each."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import results

TIME_NOISE = 0.10
"""Share of a time that a second run on an idle machine may differ by."""

PSNR_NOISE_DB = 0.03
RATE_NOISE_PERCENT = 0.5
ARITHMETIC_NOISE = 0.01
ERROR_NOISE = 0.005
MEMORY_NOISE = 0.10
COLD_NOISE = 0.25

_PERCENTS = (50, 90, 99)
_DEVIATIONS = 2.58  # of a normal distribution: 99 % lie within


@dataclass(frozen=True)
class Figure:
    """One figure of a results file.

    noise: up to here a change means nothing, in the figure's unit, or as a share of the old value
    where `relative`. spread: half the width of its 99 % confidence interval as a share of it, where
    that is known. timed: whether it counts only on one machine that does nothing else. steady:
    whether the run was found to be stable.
    """

    name: str
    value: float
    noise: float
    relative: bool = False
    higher_is_better: bool = False
    timed: bool = False
    spread: float = 0.0
    steady: bool = True


def figures(found: results.Results) -> dict[str, Figure]:
    """Return the figures of results by name."""
    return {figure.name: figure for figure in _SOURCES[found["benchmark"]](found)}


def _time(name: str, value: float, spread: float = 0.0) -> Figure:
    return Figure(name, value, TIME_NOISE, relative=True, timed=True, spread=spread)


def _psnr(name: str, value: float) -> Figure:
    return Figure(name, value, PSNR_NOISE_DB, higher_is_better=True)


def _codec(found: results.Results) -> Iterator[Figure]:
    for key, kind in (("bd_rate_percent", "PSNR"), ("bd_rate_msssim_percent", "MS-SSIM")):
        for name, value in found.get(key, {}).items():
            if value is not None:
                yield Figure(f"BD-rate ({kind}) against {name}, %", value, RATE_NOISE_PERCENT)
    grows = float(found["grows_with_quality_on_every_picture"])
    yield Figure("grows with quality on every picture", grows, 0.0, higher_is_better=True)
    for role, value in found["kmac_per_pixel"].items():
        yield Figure(f"kMAC per pixel, {role}", value, ARITHMETIC_NOISE, relative=True)
    for call in ("encode", "decode"):
        yield _time(f"median {call}, ms", found["latency"]["venturi"][call]["median_ms"])


def _denoise(found: results.Results) -> Iterator[Figure]:
    for name, sigmas in found["gaussian_psnr_db"].items():
        for sigma, means in sigmas.items():
            yield _psnr(f"PSNR {name} sigma {sigma}, dB", means["venturi"])
    for kind in ("real", "clean"):
        for name, means in found[f"{kind}_psnr_db"].items():
            yield _psnr(f"PSNR {name} {kind}, dB", means["venturi"])
    for size, times in found["latency"].items():
        yield _time(f"median {size}, ms", times["venturi"]["median_ms"])


def _mnist(found: results.Results) -> Iterator[Figure]:
    for key, suffix in (("models", ""), ("fashion_models", " (Fashion)")):
        for recipe, model in found[key].items():
            yield from _autoencoder(recipe + suffix, model)


def _autoencoder(name: str, model: Mapping[str, Any]) -> Iterator[Figure]:
    for key in ("code_numbers", "parameters"):
        yield Figure(f"{name} {key}", model[key], 0.0)
    for key in ("test_bce", "test_mse", "bytes_per_digit", "bytes_mse", "negative_elbo_nats"):
        if key in model:
            yield Figure(f"{name} {key}", model[key], ERROR_NOISE, relative=True)
    yield _psnr(f"{name} PSNR, dB", model["test_psnr_db"])
    for call in ("encode", "decode"):
        for batch, value in model[f"{call}_us"].items():
            yield _time(f"{name} {call} at {batch}, µs", value)


def _latency(found: results.Results) -> Iterator[Figure]:
    for row in found["rows"]:
        keys = ("call", "size", "threads", "device", "precision", "scenario")
        name = " ".join(str(row[key]) for key in keys if key in row)
        lost = (row.get("error") or {}).get("psnr_db")
        if lost is not None:
            yield _psnr(f"{name} PSNR, dB", lost)
        if row.get("memory_mb") is not None:
            yield Figure(f"{name} memory, MB", row["memory_mb"], MEMORY_NOISE, relative=True)
        work = ((row.get("profile") or {}).get("roofline") or {}).get("kmac_per_pixel")
        if work:
            yield Figure(f"{name} kMAC per pixel", work, ARITHMETIC_NOISE, relative=True)
        steady = (row.get("stability") or {}).get("verdict", "stable") == "stable"
        yield from (replace(figure, steady=steady) for figure in _row_times(name, row))


def _row_times(name: str, row: Mapping[str, Any]) -> Iterator[Figure]:
    for percent in _PERCENTS:
        value = row["latency_ms"].get(f"p{percent}")
        if value is not None:
            spread = interval(row["samples_ms"], percent) / 2 / value
            yield _time(f"{name} p{percent}, ms", value, spread)
    cold = sum((row.get("cold_start_ms") or {}).values())
    if cold:
        yield Figure(f"{name} cold start, ms", cold, COLD_NOISE, relative=True, timed=True)


def interval(samples: Sequence[float], percent: float) -> float:
    """Return the width of the 99 % confidence interval of a percentile, from the order of samples.

    The rank of a percentile is binomial, whatever the distribution of the samples is.
    """
    ordered, share = sorted(samples), percent / 100
    centre = share * len(ordered)
    reach = _DEVIATIONS * math.sqrt(len(ordered) * share * (1 - share))
    low = max(math.floor(centre - reach), 0)
    high = min(math.ceil(centre + reach), len(ordered) - 1)
    return ordered[high] - ordered[low]


def _robustness(found: results.Results) -> Iterator[Figure]:
    for row in found["rows"]:
        yield Figure(f"lost: {row['fault']}", row["lost"], 0.0)


def _frame(found: results.Results) -> Iterator[Figure]:
    for size, ways in found["sizes"].items():
        for part, times in ways.items():
            for name, way in times.items():
                label = f"{size}, {part}: {name}, ms"
                yield Figure(label, way["median_ms"], TIME_NOISE, relative=True, timed=True)


def _video(found: results.Results) -> Iterator[Figure]:
    scenes = {**found["clips_psnr_db"], **found["pans_psnr_db"]}
    if found["cut_psnr_db"]:
        scenes["after a cut"] = found["cut_psnr_db"]
    for name, means in scenes.items():
        for method, value in means.items():
            yield Figure(f"{name}: {method}, dB", value, PSNR_NOISE_DB, higher_is_better=True)


def _memory(found: results.Results) -> Iterator[Figure]:
    for name, call in found["calls"].items():
        value = call["beyond_picture_mb"]
        yield Figure(f"{name} beyond the picture, MB", value, MEMORY_NOISE, relative=True)
    for part in ("region", "windows"):
        yield Figure(f"largest difference, {part}", found[part]["largest_difference"], 0.0)
    same = float(found["windows"]["same_stream"])
    yield Figure("the same stream with windows", same, 0.0, higher_is_better=True)


def _adapt(found: results.Results) -> Iterator[Figure]:
    for part in ("kind", "elsewhere"):
        for name, value in found[part]["bd_rate_percent"].items():
            if value is not None:
                yield Figure(f"{part}: BD-rate against {name}, %", value, RATE_NOISE_PERCENT)


_SOURCES: Mapping[str, Callable[[results.Results], Iterator[Figure]]] = {
    "codec": _codec,
    "denoise": _denoise,
    "frame": _frame,
    "video": _video,
    "mnist": _mnist,
    "latency": _latency,
    "robustness": _robustness,
    "memory": _memory,
    "adapt": _adapt,
}
