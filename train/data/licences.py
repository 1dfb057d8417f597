"""The licences of training pictures: ``python -m train.data.licences FOLDER`` lists them."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from train.data.photographs import listed
from venturi._bundle.manifest import Pictures


class Collection(NamedTuple):
    """A collection of pictures whose files have a name in common.

    Attributes:
        pattern: of the files' names.
        name: what people call it.
        licence: of its pictures.
    """

    pattern: str
    name: str
    licence: str


_BY_FILE = "CC0, CC BY, CC BY-SA or Unsplash, by file"
_CROPS = "wallpapers of {}, crops at a camera's pixel size"

COLLECTIONS = (
    Collection("wallpaper-*", "wallpapers of elementary, Solus, Budgie, Pop!_OS, MATE", _BY_FILE),
    Collection("clic-*", "CLIC 2025", "Unsplash licence"),
    Collection("wikipedia-*", "Wikipedia", "Creative Commons, by file"),
    Collection("gb82-*", "gb82", "CC0 1.0"),
    Collection("cid22-*", "Cloudinary Image Dataset '22, training part", "CC BY-SA 4.0"),
    Collection("budgie-*", _CROPS.format("Budgie"), _BY_FILE),
    Collection("elementary-*", _CROPS.format("elementary"), _BY_FILE),
    Collection("solus-*", _CROPS.format("Solus"), _BY_FILE),
)
"""The collections that shipped models learn from."""


SHARE_ALIKE = """\
Some of these pictures are under CC BY-SA, which asks that adaptations be shared alike. The weights
are published under Apache-2.0: they were learned from all of the pictures together and are meant to
hold none of them, but whether weights are an adaptation of what they learned from is not settled.
Who must be sure trains their own on other pictures, with `--data FOLDER`."""


def collection_of(path: Path) -> Collection:
    """Return the collection of a picture; its folder, if it belongs to no known one."""
    folder = Collection("*", f"folder {path.parent.name!r}", "not stated")
    return next((one for one in COLLECTIONS if fnmatchcase(path.name, one.pattern)), folder)


def by_collection(paths: Iterable[Path]) -> tuple[Pictures, ...]:
    """Count pictures by collection, for a manifest."""
    counts = Counter(map(collection_of, paths))
    return tuple(Pictures(one.name, count, one.licence) for one, count in counts.items())


def section(pictures: Sequence[Pictures]) -> str:
    """Return the section of a model card about the training pictures, Markdown."""
    rows = [f"| {one.collection} | {one.count or 'unknown'} | {one.licence} |" for one in pictures]
    parts = ["## Data and licences"]
    if rows:
        parts.append("\n".join(["| pictures | number | licence |", "|---|---:|---|", *rows]))
    else:
        parts.append("The manifest does not say what the model was trained on.")
    if any("BY-SA" in one.licence or "by file" in one.licence for one in pictures):
        parts.append(SHARE_ALIKE)
    return "\n\n".join(parts)


def main(folder: str) -> None:
    """Print each picture of a folder with its collection and its licence, as CSV."""
    writer = csv.writer(sys.stdout)
    writer.writerow(["picture", "collection", "licence"])
    for path in listed(Path(folder)):
        collection = collection_of(path)
        writer.writerow([path.name, collection.name, collection.licence])


if __name__ == "__main__":
    main(*sys.argv[1:])
