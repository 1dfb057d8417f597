"""``venturi info``: describe a .vnt file or a bundle, without decoding anything."""

import argparse
import json
import sys
from pathlib import Path

from venturi._bundle.load import locate, shipped_with
from venturi._bundle.manifest import CARD, Manifest
from venturi._cli.jobs import read
from venturi._cli.standard import STANDARD
from venturi._format.container import read_header
from venturi._layout import MAX_SIDE


def info(arguments: argparse.Namespace) -> int:
    """Print what a .vnt file or a bundle is."""
    subject = arguments.subject
    if subject == STANDARD or Path(subject).is_file():
        facts = _stream_facts(read(subject))
    else:
        facts = _bundle_facts(subject)
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            _print_fact(name, value)
    return 0


def _stream_facts(data: bytes) -> dict[str, object]:
    header = read_header(data, max_pixels=MAX_SIDE**2).header
    return {
        "kind": "stream",
        "width": header.width,
        "height": header.height,
        "grey": header.grey,
        "quality": header.quality,
        "bytes": len(data),
        "rate_bpp": round(8 * len(data) / (header.width * header.height), 4),
        "fingerprint": header.fingerprint.hex(),
        "bundle": shipped_with(header.fingerprint),
    }


def _bundle_facts(name_or_path: str) -> dict[str, object]:
    folder = locate(name_or_path)
    manifest = Manifest.load(folder)
    content: dict[str, object] = json.loads(manifest.to_json())
    facts = {"kind": "bundle", "fingerprint": manifest.fingerprint.hex()} | content
    if CARD in manifest.files:
        facts["card"] = str(folder / manifest.files[CARD].path)
    return facts


def _print_fact(name: str, value: object, indent: str = "") -> None:
    if isinstance(value, dict):
        print(f"{indent}{_printable(name)}:")
        for key, inner in value.items():
            _print_fact(key, inner, indent + "  ")
    elif isinstance(value, list):
        print(f"{indent}{_printable(name)}:")
        for record in value:
            print(f"{indent}  {_printable(', '.join(map(str, record.values())))}")
    else:
        print(f"{indent}{_printable(name)}: {_printable('none' if value is None else value)}")


def _printable(value: object) -> str:
    """Escape control characters and what a terminal cannot show: a manifest may hold any text."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
