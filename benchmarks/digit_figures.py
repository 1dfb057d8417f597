"""Figures of an autoencoder: what goes in over what comes out, drawn digits, a map of the codes."""

import html
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import pictures
from venturi import Autoencoder
from venturi.files import write_atomically

Bytes = NDArray[np.uint8]

COLUMNS = 10
ZOOM = 3
GAP = 2
MAP_POINTS = 3000
MAP_SIDE = 640
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00",
    "#56b4e9", "#000000", "#999999", "#e69f00", "#6a3d9a",
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
    seen = noisy(chosen, float(autoencoder.manifest.provenance.get("noise", 0.0)))
    rows = [chosen, autoencoder.reconstruct(seen)]
    if seen is not chosen:
        rows.insert(1, seen)
    _write(folder / f"{recipe}.png", rows)
    if autoencoder.manifest.parameters["prior_deviation"]:
        drawn = autoencoder.generate(COLUMNS * COLUMNS, _SEED)
        _write(folder / f"{recipe}-generated.png", np.split(drawn, COLUMNS))
    codes = autoencoder.encode(images[:MAP_POINTS])
    picture = code_map(codes, labels[:MAP_POINTS], title=f"{recipe}: codes on their two main axes")
    write_atomically(folder / f"{recipe}-map.svg", picture.encode())


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


def code_map(codes: NDArray[np.float32], labels: Bytes, *, title: str) -> str:
    """Return an SVG of codes (N, numbers) on their two main axes, coloured by label."""
    centred = codes - codes.mean(0)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    flat = centred @ axes[:, :-3:-1]
    flat = np.pad(flat, [(0, 0), (0, 2 - flat.shape[1])])
    low, high = np.quantile(flat, [0.002, 0.998], axis=0)
    places = np.clip((flat - low) / np.maximum(high - low, 1e-9), 0, 1)
    points = []
    for (x, y), label in zip(20 + places * (MAP_SIDE - 40), labels, strict=True):
        colour = COLOURS[label % len(COLOURS)]
        points.append(f'<circle cx="{x:.1f}" cy="{40 + y:.1f}" r="2.2" fill="{colour}"/>')
    legend = []
    for label in sorted({int(label) for label in labels}):
        place = f'x="{20 + 36 * label}" y="{MAP_SIDE + 52}"'
        legend.append(f'<text {place} fill="{COLOURS[label % len(COLOURS)]}">{label}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {MAP_SIDE} {MAP_SIDE + 64}" '
        f'role="img"><title>{html.escape(title)}</title>'
        "<style>text{font:bold 16px sans-serif}circle{fill-opacity:.7}</style>"
        f'<rect width="{MAP_SIDE}" height="{MAP_SIDE + 64}" fill="#fff"/>'
        f'<text x="20" y="26">{html.escape(title)}</text>{"".join(points)}{"".join(legend)}</svg>\n'
    )
