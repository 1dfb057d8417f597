"""The autoencoder family's part of the report."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import mnist, results
from benchmarks.report import charts, markup

NAME = "mnist"
TITLE = "Autoencoders"
COMMAND = "python -m benchmarks mnist"


def parts(found: results.Results, folder: Path) -> list[str]:
    """Return the pieces of the section. folder: of the results, where the figures are."""
    models = found["models"]
    by_bytes = {name: (m["bytes_per_digit"], m["test_psnr_db"]) for name, m in models.items()}
    by_time = {name: (m["encode_us"]["1"], m["test_psnr_db"]) for name, m in models.items()}
    return [
        markup.grid(
            *(
                markup.plate(charts.scatter(points, title=title, x=x, y="PSNR, dB"))
                for points, title, x in (
                    (by_bytes, "Quality over the bytes of a digit", "bytes"),
                    (by_time, "Quality over the time to encode a digit", "µs"),
                )
                if points
            )
        ),
        markup.table(mnist.rows(found), caption="Errors on the test set, bytes, times", ours=" "),
        _figures(folder / found["figures"]),
        markup.machine(found),
    ]


def _figures(folder: Path) -> str:
    figures = [markup.figure(path, caption) for path, caption in _named(folder)]
    if not figures:
        return markup.note(f"No figures beside these results: {COMMAND} draws them.")
    return markup.heading("Figures") + markup.grid(*figures, small=True)


def _named(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the figures with what they show, the maps last."""
    kinds = {"-generated": "drawn from nothing", "-map": "codes on their two main axes"}
    for path in [*sorted(folder.rglob("*.png")), *sorted(folder.rglob("*.svg"))]:
        kind = next((kind for kind in kinds if path.stem.endswith(kind)), "")
        recipe = path.stem.removesuffix(kind).replace("pca", "PCA")
        words = kinds.get(kind, "originals above, what came out below")
        yield path, f"{recipe} ({path.parent.name}): {words}"
