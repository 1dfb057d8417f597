"""Make the photograph that ``venturi bench`` measures on: python -m tests.make_bench_picture.

It is gb82-018 (CC0 1.0) of the data folder, one of the photographs that
``train.data.photographs.split`` keeps from training. It is scaled down and
written as a PNG whose rows all have the filter "up", which venturi.bench.pictures decodes with
NumPy alone.
"""

import zlib
from pathlib import Path

import cv2
import numpy as np

from benchmarks.pictures import read
from train.data.photographs import data_folder
from venturi.bench.pictures import SHIPPED

PHOTO = "photos/gb82-018.jpg"
"""In the data folder."""
WIDTH, HEIGHT = 204, 136


def main(target: Path = SHIPPED) -> None:
    image = read(data_folder() / PHOTO)
    tall, wide = image.shape[:2]
    high = min(tall, wide * HEIGHT // WIDTH)
    top = (tall - high) * 3 // 4  # the windows are in the lower half
    part = image[top : top + high, : high * WIDTH // HEIGHT]
    small = cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)
    rows = np.diff(small.reshape(HEIGHT, -1), axis=0, prepend=np.uint8(0))
    filtered = np.pad(rows, [(0, 0), (1, 0)], constant_values=2)
    header = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b""))
    target.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + name + content + check


if __name__ == "__main__":
    main()
