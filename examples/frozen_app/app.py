"""A picture compressed and restored by an application that carries its own Python.

pyinstaller app.py                          # no flags: venturi brings its own hook
dist/app/app photo.png photo.vnt            # compress
dist/app/app photo.vnt photo.png            # decompress
"""

import sys
from pathlib import Path

from venturi import Codec, VenturiError, images


def main() -> int:
    """Convert the first file to the second; the endings say which way."""
    if len(sys.argv) != 3:
        print(f"usage: {Path(sys.argv[0]).name} INPUT OUTPUT, one of them .vnt", file=sys.stderr)
        return 2
    source, target = map(Path, sys.argv[1:])
    codec = Codec("photo")
    try:
        if source.suffix == ".vnt":
            images.write(target, codec.decompress(source.read_bytes()))
        else:
            target.write_bytes(codec.compress(images.read(source).pixels, quality=50))
    except (VenturiError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{source.stat().st_size} bytes -> {target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
