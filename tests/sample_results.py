"""Results files of every kind, small and made up, as the benchmarks write them."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import crops, digit_figures, registry, results
from benchmarks.pictures import Picture
from benchmarks.suite.frame import NETWORK, TODAY

Values = dict[str, Any]

ENVIRONMENT: dict[str, Any] = {
    "measured_on": "2026-01-31",
    "cpu": "A processor",
    "cpu_flags": ["avx2"],
    "cpus_usable": 2,
    "cgroup_quota_cpus": None,
    "governor": None,
    "load_average": [0.1, 0.2, 0.3],
    "threads": 2,
    "system": "Linux x86_64",
    "python": "3.12.0",
    "versions": {"numpy": "2.0.0"},
    "numpy_simd": "",
    "entropy_coder": "native",
}
CODECS = {"venturi": "Venturi", "jpeg": "JPEG, optimised", "webp": "WebP"}
OURS = {"venturi": "Venturi, camera", "venturi-camera-int8": "Venturi, camera, int8"}
METHODS = {"noisy": "noisy", **OURS, "nlmeans": "OpenCV non-local means"}
SERVER = {"bound_ms": 50.0, "percentile": 99.0, "rate_per_s": 31.0, "trials": []}
STABLE = {"verdict": "stable", "windows_ms": [20.0], "spread": 0.01, "other_cpus": 0.0}
TIMES = {"samples": 16, "median_ms": 10.0, "p50_ms": 10.0, "p90_ms": None, "p99_ms": None}


def _head(benchmark: str) -> dict[str, Any]:
    return {
        "schema_version": results.VERSION,
        "benchmark": benchmark,
        "environment": copy.deepcopy(ENVIRONMENT),
        "bundle": {"name": "a bundle", "fingerprint": "00" * 8},
        "notes": ["a note: x < y"],
    }


def codec(scale: float = 1.0) -> Values:
    """Return results of the codec. scale: of our rates."""
    points = {
        name: [
            {
                "quality": 10.0 * n, "bpp": factor * 0.1 * 2**n, "psnr_db": 27.0 + 3 * n,
                "msssim": 1 - 0.1 / 2**n, "encode_ms": 10.0 * factor, "decode_ms": 5.0 * factor,
            }
            for n in range(5)
        ]
        for name, factor in zip(CODECS, (scale, 1.5, 1.2), strict=True)
    }  # fmt: skip
    rates = {"jpeg": 100 * (scale / 1.5 - 1), "webp": 100 * (scale / 1.2 - 1)}
    return _head("codec") | {
        "data": {"folder": "kodak", "pictures": 2},
        "labels": dict(CODECS),
        "points": points,
        "rates_bpp": [0.15, 1.0],
        "bd_rate_percent": rates,
        "bd_rate_msssim_percent": dict(rates),
        "bd_rate_percent_by_anchor": {"jpeg": {"venturi": rates["jpeg"], "webp": -20.0}},
        "grows_with_quality_on_every_picture": True,
        "timed_picture": {"name": "1.png", "height": 512, "width": 768},
        "latency": {
            name: {"quality": 50, "bytes": 9, "encode": dict(TIMES), "decode": dict(TIMES)}
            for name in CODECS
        },
        "parts_ms": {"compress": {"encoder": 8.0, "other": 2.0, "total": 10.0}},
        "share_outside_graphs": {"compress": 0.2},
        "kmac_per_pixel": {"encoder": 9.0, "entropy": 2.0, "decoder": 8.0},
        "crops": "codec-crops",
        "crop_figures": {"1": {name: {"bpp": 0.5, "psnr_db": 30.0} for name in CODECS}},
    }


def denoise() -> Values:
    """Return results of the denoiser."""
    means = {"noisy": 20.0, "venturi": 31.5, "venturi-camera-int8": 31.4, "nlmeans": 30.0}
    size = {
        "methods": {name: dict(TIMES) for name in (*OURS, "nlmeans")},
        "parts_ms": {"denoiser": 9.0, "other": 1.0, "total": 10.0},
        "session_run_ms": 9.0,
        "share_outside_graphs": 0.1,
    }
    head = _head("denoise")
    return head | {
        "bundles": {name: dict(head["bundle"]) for name in OURS},
        "data": {"kodak": 2, "cc15": 2},
        "labels": dict(METHODS),
        "timed": {},
        "gaussian_psnr_db": {"kodak": {sigma: dict(means) for sigma in ("15", "25", "50")}},
        "real_psnr_db": {"cc15": dict(means)},
        "clean_psnr_db": {"kodak": {"venturi": 41.0, "venturi-camera-int8": 40.5}},
        "latency": {"640x480": size},
        "crops": "denoise-crops",
    }


def mnist() -> Values:
    """Return results of two autoencoders."""
    model = {
        "code_numbers": 32, "parameters": 50_000, "test_bce": 0.09, "test_mse": 0.01,
        "test_psnr_db": 20.0, "bytes_per_digit": 45.0, "bytes_mse": 0.0105,
        "encode_us": {"1": 20.0, "256": 1.0}, "decode_us": {"1": 15.0, "256": 1.0},
        "out_of_domain_mse": 0.14, "zero_share": 0.2,
    }  # fmt: skip
    other = model | {"test_psnr_db": 21.0, "bytes_per_digit": 30.0, "negative_elbo_nats": 101.0}
    head = {key: value for key, value in _head("mnist").items() if key != "bundle"}
    return head | {
        "data": {"mnist": 100, "fashion-mnist": 100},
        "models": {"mnist-simple": copy.deepcopy(model), "mnist-vae": copy.deepcopy(other)},
        "fashion_models": {},
        "pca": {"32": {"test_mse": 0.015, "test_psnr_db": 18.0, "out_of_domain_mse": 0.07}},
        "fashion_pca": {},
        "lossless_bytes": {
            name: {"png": 260.0, "zlib": 190.0} for name in ("mnist", "fashion-mnist")
        },
        "fewest_bytes": None,
        "figures": "mnist-figures",
    }


def latency(factor: float = 1.0) -> Values:
    """Return a sweep of two precisions. factor: of the times."""
    rng = np.random.default_rng(0)
    rows = []
    for precision, base in (("fp32", 20.0), ("int8", 9.0)):
        samples = (factor * base * rng.gamma(400, 1 / 400, 700)).round(3)
        found = {f"p{q}": round(float(np.percentile(samples, q)), 3) for q in (50, 90, 95, 99)}
        rows.append(
            {
                "call": "denoise", "size": "640x480", "threads": 2, "device": "cpu",
                "precision": precision, "scenario": "single-stream", "samples": len(samples),
                "warm_up_calls": 3, "providers": {"denoiser": {"CPUExecutionProvider": 9}},
                "latency_ms": {"median": found["p50"], **found, "p99.9": None},
                "samples_ms": samples.tolist(),
                "throughput": {"pictures_per_s": 50.0, "megapixels_per_s": 15.0},
                "split_ms": {"denoiser": base * 0.9, "conversion": base * 0.1, "total": base},
                "error": {"mse": 1e-3, "psnr_db": 31.0, "max_abs": 0.2},
                "memory_mb": 150.0,
                "load": SERVER if precision == "int8" else {},
                "cold_start_ms": {"import": 100.0, "session": 10.0, "first_run": 30.0},
                "stability": dict(STABLE),
                "profile": {
                    "operators": [
                        {"graph": "denoiser", "op": "Conv", "nodes": 8, "ms": 9.0, "share": 0.9,
                         "kmac_per_pixel": 13.0}
                    ],
                    "roofline": {"kmac_per_pixel": 13.0, "gmac_per_s": 180.0,
                                 "peak_gmac_per_s": 216.0, "peak_kind": precision,
                                 "fraction": 0.83},
                },
            }
        )  # fmt: skip
    machine = {k: v for k, v in ENVIRONMENT.items() if k not in ("measured_on", "threads")}
    return {
        "schema": 1,
        "benchmark": "latency",
        "started": "2026-01-31T12:00:00Z",
        "machine": machine,
        "subject": {
            "kind": "denoiser", "name": "camera", "fingerprint": "00" * 8,
            "settings": {"strength": 1},
        },
        "inputs": {"source": "kodak", "pictures": 4, "note": ""},
        "rows": rows,
        "failures": [
            {"size": "640x480", "threads": 2, "device": "cuda", "precision": "fp32",
             "reason": "no such device"}
        ],
        "notes": [],
        "harness": {"model_ms": 1.0, "calls": 9, "overhead_us": 1.25, "share_of_1_ms": 0.00125},
        "loadgen": {"name": "camera", "call": "denoise", "size": "640x480", "threads": 2,
                    "rounds": 1, "queries": 64, "loadgen_p90_ms": 21.0, "p90_ms": 20.9,
                    "difference": -0.005, "p90_ms_by_round": [20.9],
                    "loadgen_p90_ms_by_round": [21.0], "load_average": [0.1, 0.1, 0.1]},
    }  # fmt: skip


def robustness() -> Values:
    """Return a table of two faults."""
    row = {
        "name": "bits", "fault": "a bit flipped in a stream",
        "promise": "StreamError names the chunk", "count": 900, "tried": 900, "caught": 900,
        "lost": 0, "losses": [], "figures": {"peak_mb": 1.5}, "seconds": 0.5,
        "environment": {
            key: ENVIRONMENT[key]
            for key in ("measured_on", "cpu", "system", "python", "load_average")
        },
    }  # fmt: skip
    cut = {"name": "cuts", "fault": "cut", "count": 10, "tried": 1200, "caught": 1200}
    return {"schema_version": results.VERSION, "benchmark": "robustness", "rows": [row, row | cut]}


def frame() -> Values:
    """Return what the ways of a frame in and out cost."""
    way = {
        "samples": 20, "median_ms": 1.5, "p50_ms": 1.5, "p90_ms": None, "p99_ms": None,
        "largest_difference": 0.0,
    }  # fmt: skip
    ways = {part: {"NumPy": dict(way)} for part in ("into", "out")}
    whole = {TODAY: way | {"median_ms": 2.0}, NETWORK: dict(way)}
    return _head("frame") | {"sizes": {"640x480": ways | {"whole": whole}}}


def video() -> Values:
    """Return a stream beside the still denoiser."""
    labels = {"noisy": "noisy", "still": "still denoiser", "alone": "each frame by itself",
              "stream": "stream"}  # fmt: skip
    means = {"noisy": 20.4, "still": 30.1, "alone": 29.9, "stream": 31.2}
    return _head("video") | {
        "still_bundle": {"name": "camera", "fingerprint": "11" * 8},
        "labels": labels,
        "sigma": 25,
        "clips_psnr_db": {"clip": dict(means)},
        "pans_psnr_db": {"4": dict(means)},
        "cut_psnr_db": dict(means),
    }


def memory() -> Values:
    """Return what one large picture took."""
    peak = {"peak_mb": 900.0, "picture_mb": 300.0, "beyond_picture_mb": 600.0, "seconds": 9.0}
    calls = {name: dict(peak) for name in ("compress", "decompress")}
    sides = {"height": 9000, "width": 9000}
    return _head("memory") | {
        "picture": {**sides, "stream_bytes": 1000},
        "calls": calls,
        "limit_beyond_picture_mb": 1500.0,
        "within_limit": True,
        "region": {
            "region": [4000, 4000, 300, 700], "chunks": 81, "chunks_needed": 4,
            "largest_difference": 0,
        },
        "windows": {
            **sides, "same_stream": True, "largest_difference": 0,
            "calls": {"windowed": copy.deepcopy(calls), "whole": copy.deepcopy(calls)},
        },
    }  # fmt: skip


def adapt() -> Values:
    """Return a codec beside the one that it was fine-tuned from."""
    points = codec()["points"]
    adapted, general, webp = (points[name] for name in ("venturi", "jpeg", "webp"))
    kind = {
        "data": {"folder": "chest-xray/test", "pictures": 2},
        "rates_bpp": None,
        "points": {"adapted": adapted, "general": general, "webp": webp},
        "bd_rate_percent": {"general": -30.0, "webp": -40.0},
    }
    elsewhere = {
        "data": {"folder": "data/kodak", "pictures": 2}, "rates_bpp": [0.15, 1.0],
        "points": {"adapted": general, "general": adapted}, "bd_rate_percent": {"general": 20.0},
    }  # fmt: skip
    return _head("adapt") | {
        "general_bundle": {"name": "another", "fingerprint": "11" * 8},
        "steps": 100,
        "trained_on": "folder 'train'",
        "labels": {"adapted": "Venturi, adapted", "general": "Venturi, general", "webp": "WebP"},
        "kind": kind,
        "elsewhere": elsewhere,
    }


ALL = {
    "codec": codec,
    "denoise": denoise,
    "frame": frame,
    "video": video,
    "mnist": mnist,
    "latency": latency,
    "robustness": robustness,
    "memory": memory,
    "adapt": adapt,
}


def record(name: str, values: Values | None = None) -> Any:
    """Return plain values as the results of a benchmark; by default those of this module."""
    kind = registry.every()[name].result
    return results.checked(kind, ALL[name]() if values is None else values)


def put(folder: Path, name: str, values: Values | None = None) -> Path:
    """Write plain values as a results file into a folder, and return its path."""
    path = folder / f"{name}.json"
    results.write(path, record(name, values))
    return path


def values(path: Path) -> Values:
    """Return the plain values of a results file, after checking it."""
    registry.read(path)
    plain: Values = json.loads(path.read_text(encoding="utf-8"))
    return plain


def write(folder: Path) -> None:
    """Write all of them, with crops and figures beside."""
    for name in ALL:
        put(folder, name)
    crops.write(
        folder / "codec-crops" / "1.png",
        _picture(0),
        {n: _picture(i) for i, n in enumerate(CODECS, 1)},
    )
    for kind in ("kodak-sigma25", "cc15"):
        made = {name: _picture(i) for i, name in enumerate(METHODS, 1)}
        crops.write(folder / "denoise-crops" / kind / "1.png", _picture(0), made)
    crops.write(folder / "denoise-crops" / "clean" / "1.png", _picture(0), {"venturi": _picture(1)})
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(0, 1, (200, 8)), (np.arange(200) % 10).astype(np.uint8)
    drawn = digit_figures.code_map(codes, labels, title="mnist-vae: codes")
    figures = folder / "mnist-figures" / "mnist"
    figures.mkdir(parents=True)
    (figures / "mnist-vae-map.svg").write_text(drawn, encoding="utf-8")


def _picture(seed: int) -> Picture:
    """Return a small picture of one colour with some texture."""
    rng = np.random.default_rng(seed)
    flat = np.full((64, 80, 3), rng.integers(40, 200, 3), np.int64)
    return np.clip(flat + rng.normal(0, 8, flat.shape), 0, 255).astype(np.uint8)
