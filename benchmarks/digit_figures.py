"""Figures of an autoencoder: inputs above outputs, sampled digits, a map of the codes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import pictures, plot
from venturi import Autoencoder
from venturi._io.files import write_atomically

Bytes = NDArray[np.uint8]

COLUMNS = 10
ZOOM = 3
GAP = 2
MAP_POINTS = 3000
MAP_SIDE = 440
COLOURS = (
    "#4e79a7", "#f28e2b", "#e15759", "#2fa8a0", "#59a14f",
    "#d1a816", "#b07aa1", "#f27c9b", "#9c755f", "#8a8f98",
)  # fmt: skip
"""A colour for each label, 0 to 9."""

_SEED = 0


def noisy(images: Bytes, deviation: float) -> Bytes:
    """Add Gaussian noise of a deviation on the scale of [0, 1]: clipped, rounded, repeatable."""
    if not deviation:
        return images
    noise = np.random.default_rng(_SEED).normal(0, 255 * deviation, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def draw(folder: Path, recipe: str, autoencoder: Autoencoder, images: Bytes, labels: Bytes) -> None:
    """Write the figures of one model: RECIPE.png, RECIPE-map.svg, RECIPE-generated.png.

    images: uint8 (N, H, W) of the test set; labels: uint8 (N,).
    """
    chosen = images[_one_of_each(labels)]
    inputs = noisy(chosen, float(autoencoder.manifest.provenance.get("noise", 0.0)))
    rows = [chosen, autoencoder.reconstruct(inputs)]
    if inputs is not chosen:
        rows.insert(1, inputs)
    _write(folder / f"{recipe}.png", rows)
    if autoencoder.manifest.parameters["prior_deviation"]:
        drawn = autoencoder.generate(COLUMNS * COLUMNS, _SEED)
        _write(folder / f"{recipe}-generated.png", np.split(drawn, COLUMNS))
    codes = autoencoder.encode(images[:MAP_POINTS])
    picture = code_map(codes, labels[:MAP_POINTS], title=f"{recipe}: codes on their two main axes")
    write_atomically(folder / f"{recipe}-map.svg", picture.encode())


def draw_pca(
    folder: Path,
    images: Bytes,
    labels: Bytes,
    *,
    axes: NDArray[np.float64],
    restore: Callable[[Bytes], NDArray[np.float64]],
) -> None:
    """Write the figures of principal components: pca-COUNT.png, and pca-map.svg of the first two.

    axes: as columns. restore: pictures in [0, 1] as the axes hold them.
    """
    chosen = images[_one_of_each(labels)]
    restored = np.rint(255 * restore(chosen)).astype(np.uint8)
    _write(folder / f"pca-{axes.shape[1]}.png", [chosen, restored])
    codes = images[:MAP_POINTS].reshape(len(images[:MAP_POINTS]), -1) @ axes / 255
    picture = code_map(codes, labels[:MAP_POINTS], title="PCA: pixels on their two main axes")
    write_atomically(folder / "pca-map.svg", picture.encode())


def _one_of_each(labels: Bytes) -> list[int]:
    """Return the first place of each label, filled up with others to ten."""
    first = [int(place) for place in np.unique(labels, return_index=True)[1]]
    others = (place for place in range(len(labels)) if place not in first)
    return (first + [place for place, _ in zip(others, range(COLUMNS), strict=False)])[:COLUMNS]


def _write(path: Path, rows: Sequence[Bytes]) -> None:
    """Write rows of grey pictures as one PNG, enlarged."""
    lines = [np.concatenate([_framed(image) for image in row], axis=1) for row in rows]
    sheet = np.concatenate(lines).repeat(ZOOM, 0).repeat(ZOOM, 1)
    pictures.write(path, np.asarray(cv2.cvtColor(sheet, cv2.COLOR_GRAY2RGB), np.uint8))


def _framed(image: Bytes) -> Bytes:
    return np.pad(image, GAP, constant_values=96)


def code_map(codes: NDArray[np.floating[Any]], labels: Bytes, *, title: str) -> str:
    """Return an SVG of codes (N, numbers) on their two main axes, coloured by label."""
    centred = codes - codes.mean(0)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    flat = centred @ axes[:, :-3:-1]
    flat = np.pad(flat, [(0, 0), (0, 2 - flat.shape[1])])
    low, high = np.quantile(flat, [0.002, 0.998], axis=0)
    places = np.clip((flat - low) / np.maximum(high - low, 1e-9), 0, 1)
    parts = []
    for label in sorted({int(label) for label in labels}):
        colour = COLOURS[label % len(COLOURS)]
        spots = [10, 34] + places[labels == label] * MAP_SIDE
        dots = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in spots)
        parts.append(f'<path d="{dots}" style="stroke:{colour}"/>')
        place = f'x="{14 + 30 * label}" y="{MAP_SIDE + 62}"'
        parts.append(f'<text {place} style="fill:{colour};font-weight:700">{label}</text>')
    style = 'stroke-width="3.6" stroke-linecap="round" stroke-opacity=".75"'
    return plot.frame(title, f"<g {style}>{''.join(parts)}</g>", MAP_SIDE + 76)
