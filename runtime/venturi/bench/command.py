"""``venturi bench``: measure, print for people, write for programs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from venturi._io.files import write_atomically
from venturi.bench.point import Load
from venturi.bench.sweep import Options, measure
from venturi.bench.text import report


def run(arguments: argparse.Namespace) -> int:
    """Measure what the arguments say; return 1 when a part of it could not run."""
    results = measure(options(arguments), say=say)
    if arguments.json is not None:
        write(arguments.json, results)
    sys.stdout.write(report(results) + "\n")
    return 1 if results["failures"] else 0


def options(arguments: argparse.Namespace) -> Options:
    """Return parsed arguments as options."""
    return Options(
        arguments.subject,
        decoder=arguments.decoder,
        sizes=arguments.size,
        threads=arguments.threads,
        devices=arguments.device,
        precisions=arguments.precision,
        images=arguments.images,
        quality=arguments.quality,
        load=Load(
            arguments.scenario,
            seconds=arguments.seconds,
            streams=arguments.streams,
            fps=arguments.fps,
            bound_ms=arguments.bound_ms,
        ),
        profile=arguments.profile,
    )


def write(path: Path, results: dict[str, Any]) -> None:
    """Write results, one row of samples to a line; refuses numbers that are not finite."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (_text(results) + "\n").encode())


def say(line: str) -> None:
    """Show at a terminal what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(f"measuring {line}\n")


def _text(results: dict[str, Any]) -> str:
    """Return JSON with an indent, but samples on one line: they would be thousands."""
    samples = [row["samples_ms"] for row in results["rows"]]
    marked = [
        {**row, "samples_ms": f"samples of row {number}"}
        for number, row in enumerate(results["rows"])
    ]
    text = json.dumps({**results, "rows": marked}, indent=2, ensure_ascii=False, allow_nan=False)
    for number, values in enumerate(samples):
        line = json.dumps(values, allow_nan=False)
        text = text.replace(f'"samples of row {number}"', line)
    return text
