"""What a results file holds, by benchmark, version 1; checked whenever one is written or read.

A shape is written as the value would look: `float` is any number, `[shape]` a list, `{str: shape}`
an object with names of its own choice, `{"name": shape}` one with these names. A name that ends in
`?` may be absent, and `Null(shape)` may be null. Other names are allowed beside those here, so that
a newer benchmark may add to its results; one that changes what a name means needs a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1

Shape = Any


@dataclass(frozen=True)
class Null:
    """A shape, or null."""

    shape: Shape


_ENVIRONMENT: Shape = {
    "measured_on": str,
    "cpu": str,
    "cpu_flags": [str],
    "cpus_usable": int,
    "cgroup_quota_cpus": Null(float),
    "governor": Null(str),
    "load_average": [float],
    "threads": int,
    "system": str,
    "python": str,
    "versions": {str: str},
    "numpy_simd": str,
}
_BUNDLE: Shape = {"name": str, "fingerprint": str}
_TIMES: Shape = {
    "samples": int,
    "median_ms": float,
    "p50_ms": Null(float),
    "p90_ms": Null(float),
    "p99_ms": Null(float),
}
_POINT: Shape = {
    "quality": float,
    "bpp": float,
    "psnr_db": float,
    "msssim": float,
    "encode_ms": float,
    "decode_ms": float,
}
_CODEC: Shape = {
    "environment": _ENVIRONMENT,
    "bundle": _BUNDLE,
    "data": {"folder": str, "pictures": int},
    "labels": {str: str},
    "points": {str: [_POINT]},
    "rates_bpp": [float],
    "bd_rate_percent": {str: Null(float)},
    "bd_rate_msssim_percent": {str: Null(float)},
    "bd_rate_percent_by_anchor": {str: {str: float}},
    "grows_with_quality_on_every_picture": bool,
    "latency": {"picture": {"name": str, "height": int, "width": int}},
    "parts_ms": {str: {str: float}},
    "share_outside_graphs": {str: float},
    "kmac_per_pixel": {"encoder": float, "entropy": float, "decoder": float},
    "crops?": str,
    "crop_figures?": {str: {str: {"bpp": float, "psnr_db": float}}},
    "notes": [str],
}
_DENOISE: Shape = {
    "environment": _ENVIRONMENT,
    "bundle": _BUNDLE,
    "bundles": {str: _BUNDLE},
    "data?": {str: int},
    "labels": {str: str},
    "timed?": {str: str},
    "gaussian_psnr_db": {str: {str: {str: float}}},
    "real_psnr_db": {str: {str: float}},
    "clean_psnr_db": {str: {str: float}},
    "latency": {
        str: {
            "venturi": _TIMES,
            "parts_ms": {str: float},
            "session_run_ms": float,
            "share_outside_graphs": float,
        }
    },
    "crops": str,
    "notes": [str],
}
_MODEL: Shape = {
    "code_numbers": int,
    "parameters": int,
    "test_bce": float,
    "test_mse": float,
    "test_psnr_db": float,
    "bytes_per_digit": float,
    "bytes_mse": float,
    "encode_us": {"1": float, "256": float},
    "decode_us": {"1": float, "256": float},
    "out_of_domain_mse": float,
    "zero_share": float,
    "noisy_psnr_db?": float,
    "negative_elbo_nats?": float,
}
_PCA: Shape = {"test_mse": float, "test_psnr_db": float, "out_of_domain_mse": float}
_MNIST: Shape = {
    "environment": _ENVIRONMENT,
    "data": {str: int},
    "models": {str: _MODEL},
    "fashion_models": {str: _MODEL},
    "pca": {str: _PCA},
    "fashion_pca": {str: _PCA},
    "lossless_bytes": {str: {"png": float, "zlib": float}},
    "fewest_bytes": Null({"recipe": str, "at_most_mse": float, "bytes_per_digit": float}),
    "figures": str,
    "notes": [str],
}
_ROBUSTNESS: Shape = {
    "rows": [
        {
            "name": str,
            "fault": str,
            "promise": str,
            "count": int,
            "tried": int,
            "caught": int,
            "lost": int,
            "losses": [str],
            "figures": {str: float},
            "seconds": float,
            # Rows are tried at different times.
            "environment": {"measured_on": str, "cpu": str, "load_average": [float]},
        }
    ],
}
_WAY: Shape = _TIMES | {"largest_difference": float}
_FRAME: Shape = {
    "environment": _ENVIRONMENT,
    "bundle": _BUNDLE,
    "sizes": {str: {"in": {str: _WAY}, "out": {str: _WAY}, "whole": {str: _WAY}}},
    "notes": [str],
}
_VIDEO: Shape = {
    "environment": _ENVIRONMENT,
    "bundle": _BUNDLE,
    "still_bundle": _BUNDLE,
    "labels": {str: str},
    "sigma": float,
    "clips_psnr_db": {str: {str: float}},
    "pans_psnr_db": {str: {str: float}},
    "cut_psnr_db": {str: float},
    "notes": [str],
}
_PEAK: Shape = {
    "peak_mb": float,
    "picture_mb": float,
    "beyond_picture_mb": float,
    "seconds": float,
}
_MEMORY: Shape = {
    "environment": _ENVIRONMENT,
    "bundle": _BUNDLE,
    "picture": {"height": int, "width": int, "stream_bytes": int},
    "calls": {str: _PEAK},
    "limit_beyond_picture_mb": float,
    "within_limit": bool,
    "region": {
        "region": [int],
        "chunks": int,
        "chunks_needed": int,
        "largest_difference": int,
    },
    "windows": {
        "height": int,
        "width": int,
        "same_stream": bool,
        "largest_difference": int,
        "calls": {str: {str: _PEAK}},
    },
    "notes": [str],
}
_SET: Shape = {
    "data": {"folder": str, "pictures": int},
    "rates_bpp": Null([float]),
    "points": {str: [_POINT]},
    "bd_rate_percent": {str: Null(float)},
}
_ADAPT: Shape = {
    "environment": _ENVIRONMENT,
    "bundle": _BUNDLE,
    "general_bundle": _BUNDLE,
    "steps": int,
    "trained_on": str,
    "labels": {str: str},
    "kind": _SET,
    "elsewhere": _SET,
    "notes": [str],
}
# As much of what `venturi bench` writes as is read here; runtime/BENCH.md has it all.
_LATENCY: Shape = {
    "machine": {"cpu": str, "load_average": [float], "system": str, "versions": {str: str}},
    "subject": {"kind": str, "name": str, "fingerprint": str},
    "rows": [
        {
            "size": str,
            "threads": int,
            "device": str,
            "precision": str,
            "scenario": str,
            "latency_ms": {str: Null(float)},
            "error?": Null({"psnr_db": Null(float)}),
            "samples_ms": [float],
            "split_ms?": Null({str: Null(float)}),
            "memory_mb?": Null(float),
        }
    ],
}

SHAPES: Mapping[str, Shape] = {
    "codec": _CODEC,
    "denoise": _DENOISE,
    "frame": _FRAME,
    "video": _VIDEO,
    "mnist": _MNIST,
    "latency": _LATENCY,
    "robustness": _ROBUSTNESS,
    "memory": _MEMORY,
    "adapt": _ADAPT,
}
"""By the name in `benchmark`."""


def check(found: Mapping[str, Any]) -> None:
    """Compare results with the shape of their benchmark.

    Raises ValueError that names the first place where they differ.
    """
    key = "schema" if found.get("benchmark") == "latency" else "schema_version"
    if found.get(key) != VERSION:
        raise ValueError(f"{key} is {found.get(key)!r}; expected {VERSION}: measure it again")
    name = str(found.get("benchmark"))
    if name not in SHAPES:
        raise ValueError(f"benchmark is {name!r}; expected one of {', '.join(SHAPES)}")
    _check(found, SHAPES[name], "results")


def _check(value: Any, shape: Shape, where: str) -> None:
    match shape:
        case Null():
            if value is not None:
                _check(value, shape.shape, where)
        case [part]:
            _expect(isinstance(value, list), value, "a list", where)
            for number, item in enumerate(value):
                _check(item, part, f"{where}[{number}]")
        case dict():
            _expect(isinstance(value, dict), value, "an object", where)
            _check_names(value, shape, where)
        case _:
            kinds = (int, float) if shape is float else (shape,)
            fits = isinstance(value, kinds) and (shape is bool or not isinstance(value, bool))
            _expect(fits, value, _KINDS[shape], where)


_KINDS = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}


def _check_names(value: dict[str, Any], shape: Mapping[Any, Shape], where: str) -> None:
    if str in shape:
        for name, item in value.items():
            _check(item, shape[str], f"{where}.{name}")
        return
    for marked, part in shape.items():
        name = marked.removesuffix("?")
        if name in value:
            _check(value[name], part, f"{where}.{name}")
        elif name == marked:
            raise ValueError(f"{where} has no {name!r}; expected it: measure again")


def _expect(fits: bool, value: Any, kind: str, where: str) -> None:
    if not fits:
        raise ValueError(f"{where} is {str(value)[:40]!r}; expected {kind}: measure again")
