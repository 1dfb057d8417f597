"""The comparison of ways into a graph and out: they all give the same picture."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks import frame, results
from benchmarks.__main__ import main
from benchmarks.frame_graphs import CAST_FIRST, CAST_LAST, TURN_FIRST, TURN_LAST, conversion
from export.parity import run_file

DATA = Path(__file__).parent / "data"
DENOISER = str(DATA / "tiny_denoiser")


@pytest.fixture(scope="module")
def found() -> results.Results:
    return frame.measure(frame.Options(DENOISER, threads=1, runs=2, sizes=[(64, 48)]))


def test_every_way_is_timed_and_gives_the_same(found: results.Results) -> None:
    parts = found["sizes"]["64x48"]
    assert set(parts) == {"in", "out", "whole"}
    for ways in parts.values():
        assert len(ways) >= 5
        for name, way in ways.items():
            assert way["samples"] == 2
            assert way["median_ms"] > 0
            assert way["largest_difference"] <= (1 if frame.TODAY in ways else 1e-4), name
    assert {frame.TODAY, frame.NETWORK} < set(parts["whole"])


def test_the_text_has_every_way(found: results.Results) -> None:
    text = frame.text(found)
    for ways in found["sizes"]["64x48"].values():
        assert all(name in text for name in ways)


@pytest.mark.parametrize("inwards", [CAST_FIRST, TURN_FIRST])
@pytest.mark.parametrize("outwards", [CAST_LAST, TURN_LAST])
def test_conversions_undo_each_other(tmp_path: Path, inwards: object, outwards: object) -> None:
    like = onnx.load(DATA / "tiny_denoiser" / "denoiser.onnx")
    paths = tmp_path / "in.onnx", tmp_path / "out.onnx"
    for path, nodes in zip(paths, (inwards, outwards), strict=True):
        onnx.save(conversion(nodes, like), path)  # type: ignore[arg-type]
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    pixels = np.concatenate([every, every[::-1], every.transpose(1, 0, 2)], axis=2)
    (planes,) = run_file(paths[0], {"pixels": pixels})
    np.testing.assert_allclose(planes[0, 1], pixels[..., 1] / 255, rtol=1e-6)
    np.testing.assert_array_equal(run_file(paths[1], {"planes": planes})[0], pixels)
    wide = np.array([[[[-0.5, 1.5, 0.0021]]] * 3], np.float32).reshape(1, 3, 1, 3)
    (clipped,) = run_file(paths[1], {"planes": wide})
    assert clipped[0].tolist() == [[0] * 3, [255] * 3, [1] * 3]


def test_the_command_writes_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame.Options.__init__, "__defaults__", (((32, 16),),))
    path = tmp_path / "frame.json"
    options = ["--bundle", DENOISER, "--threads", "1", "--runs", "1", "--json", str(path)]
    assert main(["frame", *options]) == 0
    assert list(results.read(path)["sizes"]) == ["32x16"]


def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recurrent = str(DATA / "tiny_recurrent")
    options = ["--runs", "1", "--json", str(tmp_path / "a.json"), "--bundle", recurrent]
    assert main(["frame", *options]) == 1
    assert "carries state; expected one without" in capsys.readouterr().err
    with pytest.raises(ValueError, match="60x48: expected multiples of 8"):
        frame.measure(frame.Options(DENOISER, threads=1, runs=1, sizes=[(60, 48)]))
    assert not (tmp_path / "a.json").exists()
