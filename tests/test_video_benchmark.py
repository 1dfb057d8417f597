"""The comparison of a stream with stills, on tiny bundles and generated pictures."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import pictures
from benchmarks.__main__ import main
from benchmarks.suite import video
from tests import bundles, sample_results
from tests.training import picture

STILL, RECURRENT = str(bundles.DENOISER), str(bundles.RECURRENT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data")
    for i in range(2):
        image = picture(64, 300 - 100 * i, i)
        pictures.write(made / "kodak" / f"{i}.png", 255 - image // 2 if i else image // 2)
    standing = picture(48, 64, 5)
    for i in range(8):
        pictures.write(made / "video" / "standing" / f"{i:03}.png", standing)
    return made


def run(folder: Path, *options: str) -> int:
    common = ["--data", str(folder), "--still", STILL, "--threads", "1"]
    return main(["video", *common, "--json", str(folder / "video.json"), *options])


def test_what_is_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--bundle", RECURRENT) == 0
    found = sample_results.values(folder / "video.json")
    clip = found["clips_psnr_db"]["standing"]
    assert set(clip) == set(found["labels"]) == {"noisy", "still", "alone", "stream"}
    assert clip["noisy"] == pytest.approx(20.4, abs=0.5)
    assert clip["still"] == clip["alone"] > clip["noisy"] + 2  # the two tiny ones blur alike
    assert clip["stream"] > clip["still"] + 0.2
    assert set(found["pans_psnr_db"]) == {"0", "1", "2", "4", "8", "16", "32"}
    pans = found["pans_psnr_db"]
    assert pans["0"]["stream"] > pans["0"]["still"] + 0.2
    assert pans["16"]["stream"] < pans["16"]["still"] - 0.2  # a running mean leaves ghosts
    cut = found["cut_psnr_db"]
    assert cut["stream"] == cut["alone"] == cut["still"]  # the stream starts anew
    table = capsys.readouterr().out
    gain = clip["stream"] - clip["still"]
    (row,) = (line for line in table.splitlines() if line.startswith("standing "))
    assert row.split()[-1] == f"{gain:+.2f}"
    assert "pan 32 px" in table


def test_a_view_moves_and_stops_at_the_border() -> None:
    image = np.arange(40 * 100 * 3, dtype=np.uint32).reshape(40, 100, 3).astype(np.uint8)
    np.testing.assert_array_equal(video._view(image, 7), image[:, 7:47])
    np.testing.assert_array_equal(video._view(image, 999), image[:, 60:])
    tall = image.transpose(1, 0, 2)
    np.testing.assert_array_equal(video._view(tall, 7), image[:, 7:47])


def test_a_bundle_without_state_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "--bundle", STILL) == 1
    assert "carries no state; expected one that does" in capsys.readouterr().err


def test_absent_data_is_said(tmp_path: Path) -> None:
    options = video.Options(data=tmp_path, bundle=RECURRENT, still=STILL, threads=1)
    result = video.measure(options)
    assert (result.clips_psnr_db, result.pans_psnr_db, result.cut_psnr_db) == ({}, {}, {})
    assert len(result.notes) == 2
