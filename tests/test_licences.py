"""Where training pictures come from, and what bundles say of it."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from train.data import licences
from train.data.licences import by_collection, section
from train.data.photographs import listed
from venturi._bundle.manifest import Pictures

SHIPPED_DATA = "photos", "cid22", "native"


@pytest.mark.parametrize("folder", SHIPPED_DATA)
def test_every_picture_that_may_train_shipped_weights_has_a_licence(
    folder: str, shared_data: Callable[[str], Path]
) -> None:
    paths = listed(shared_data(folder))
    found = by_collection(paths)
    assert sum(one.count for one in found) == len(paths)
    assert all(one.licence != "not stated" for one in found)


def test_pictures_of_another_folder_are_named_by_it(tmp_path: Path) -> None:
    paths = [tmp_path / "mine" / name for name in ("a.png", "gb82-1.png", "b.png")]
    assert by_collection(paths) == (
        Pictures("folder 'mine'", 2, "not stated"),
        Pictures("gb82", 1, "CC0 1.0"),
    )


def test_the_licences_are_listed_by_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("clic-001.jpg", "other.jpg"):
        (tmp_path / name).touch()
    licences.main(str(tmp_path))
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["picture", "collection", "licence"],
        ["clic-001.jpg", "CLIC 2025", "Unsplash licence"],
        ["other.jpg", f"folder {tmp_path.name!r}", "not stated"],
    ]


def test_a_card_names_what_asks_to_share_alike() -> None:
    free, alike = (Pictures("some", 3, licence) for licence in ("CC0", "CC BY-SA 4.0"))
    assert "| some | 3 | CC0 |" in section([free])
    assert licences.SHARE_ALIKE not in section([free])
    assert licences.SHARE_ALIKE in section([free, alike])
    assert "does not say" in section([])
