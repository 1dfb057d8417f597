"""A picture of any size in little memory, measured in processes of their own."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import memory_process
from benchmarks.__main__ import main
from benchmarks.memory_process import Peak, Request
from benchmarks.suite import memory
from tests import bundles, sample_results
from venturi import Codec, StreamError

TINY = str(bundles.CODEC)
LARGE_MP, LIMIT_MB = 100, 1500
GROWTH_MB, LATENTS_MB = 500, 5
SIDES = (2112, 4160)
"""A window in one piece, and windows of every kind: corners, edges and one in the middle."""


def taken(call: str, read: Path, write: Path) -> Peak:
    return memory_process.start(Request(call, "photo", 1, str(read), str(write)))


def test_memory_hardly_grows_with_the_picture(tmp_path: Path) -> None:
    """4 and 17 MP: once there are windows of every kind, only latents grow, 5 MB for each MP."""
    beyond: dict[str, list[float]] = {"compress": [], "decompress": []}
    for side in SIDES:
        pixels, coded, back = (tmp_path / name for name in ("a.npy", "a.vnt", "b.npy"))
        memory.photograph(pixels, side)
        beyond["compress"].append(taken("compress", pixels, coded).beyond_mb)
        beyond["decompress"].append(taken("decompress", coded, back).beyond_mb)
    left = LARGE_MP - SIDES[1] ** 2 / 1e6
    for call, (small, large) in beyond.items():
        assert large - small < GROWTH_MB, (call, small, large)
        assert large + LATENTS_MB * left < LIMIT_MB, (call, small, large)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> memory.Result:
    path = tmp_path_factory.mktemp("memory") / "memory.json"
    sizes = ["--megapixels", "4.5", "--whole-megapixels", "4.5"]
    words = ["memory", "--json", str(path), "--bundle", TINY, "--threads", "1", *sizes]
    assert main(words) == 0
    assert sample_results.values(path)["benchmark"] == "memory"
    return memory.BENCHMARK.read(path)


def test_the_command_writes_what_it_measured(measured: memory.Result) -> None:
    assert measured.picture.width == 2121
    assert set(measured.calls) == {"open", "compress", "decompress", "decompress_region"}
    calls = measured.calls
    assert calls["compress"].picture_mb == pytest.approx(3 * 4.5, abs=0.1)
    assert calls["decompress"].peak_mb > calls["decompress_region"].peak_mb
    assert calls["decompress_region"].picture_mb == pytest.approx(0.6, abs=0.1)
    assert 20 < calls["open"].peak_mb < calls["compress"].peak_mb
    assert measured.within_limit is True


def test_windows_and_regions_agree_with_the_whole(measured: memory.Result) -> None:
    assert measured.windows.same_stream is True
    assert measured.windows.largest_difference <= 1
    region = measured.region
    assert region.largest_difference <= 1
    assert 0 < region.chunks_needed < region.chunks == 9


def test_a_blank_chunk_is_an_error_where_it_is_read() -> None:
    codec = Codec(TINY, threads=1)
    image = np.zeros((1100, 2200, 3), np.uint8)
    data, chunks, kept = memory.blanked(codec, codec.compress(image), (10, 10, 64, 64))
    assert (chunks, kept) == (6, 1)
    assert codec.decompress(data, region=(10, 10, 64, 64)).shape == (64, 64, 3)
    with pytest.raises(StreamError, match="chunk 1"):
        codec.decompress(data, region=(10, 1000, 64, 64))


def test_a_call_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"compress in a process of its own: .*none\.npy"):
        taken("compress", tmp_path / "none.npy", tmp_path / "a.vnt")
