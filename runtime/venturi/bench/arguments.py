"""The arguments of ``venturi bench``: sweeps are lists with commas."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from venturi.bench.scenarios import NAMES, SINGLE_STREAM
from venturi.bench.size import Size
from venturi.errors import InputError

T = TypeVar("T")
ALL = "all"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Give a command the arguments of the bench."""
    add_subject(command)
    _add_sweeps(command)
    _add_load(command)
    command.add_argument(
        "--profile",
        action="store_true",
        help="time each operator, and compare with the machine's peak",
    )
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="write all results to FILE as well"
    )


def add_subject(command: argparse.ArgumentParser) -> None:
    """Give a command the arguments that say what is measured, on which pictures and threads."""
    command.add_argument(
        "subject",
        nargs="?",
        default="photo",
        metavar="BUNDLE_OR_ONNX",
        help="a shipped bundle by name, a folder, or an ONNX file; default: photo",
    )
    command.add_argument(
        "--decoder", metavar="FILE", help="ONNX file of the decoder that belongs to an encoder"
    )
    command.add_argument(
        "--size",
        type=_listed(_size),
        default=(),
        metavar="WxH,...",
        help="picture sizes; default: the model's",
    )
    command.add_argument(
        "--threads",
        type=_listed(_count),
        default=(),
        metavar="N,...",
        help="CPU threads; default: all",
    )
    command.add_argument(
        "--images",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="pictures to measure on; default: a photograph that comes with venturi",
    )
    command.add_argument(
        "--quality",
        type=_number(1, 100),
        default=50.0,
        metavar="1..100",
        help="quality of a codec; default: 50",
    )


def _add_sweeps(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device",
        type=_listed(str),
        default=("cpu",),
        metavar="NAME,...",
        help="cpu, cuda, ...; default: cpu",
    )
    command.add_argument(
        "--precision",
        type=_listed(str),
        default=(None,),
        metavar="NAME,...",
        help="fp32, or int8 where the bundle has it; default: fp32",
    )
    command.add_argument(
        "--scenario",
        type=_scenarios,
        default=(SINGLE_STREAM,),
        metavar="NAME,...",
        help=f"{', '.join(NAMES)} or {ALL}; default: {SINGLE_STREAM}",
    )


def _add_load(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--seconds",
        type=_number(0, 86400),
        default=5.0,
        metavar="S",
        help="shortest time for a scenario; a server trial takes 662 calls; default: 5",
    )
    command.add_argument(
        "--streams",
        type=_count,
        default=4,
        metavar="N",
        help="pictures at once in multi-stream, and workers in offline; default: 4",
    )
    command.add_argument(
        "--fps",
        type=_number(0.001, 1e6),
        default=30.0,
        metavar="N",
        help="rate of the camera; default: 30",
    )
    command.add_argument(
        "--bound-ms",
        type=_number(0.001, 1e9),
        metavar="MS",
        help="bound on the p99 of the server; default: three median calls",
    )


def _listed(each: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    def parse(text: str) -> tuple[T, ...]:
        return tuple(each(part.strip()) for part in text.split(","))

    return parse


def _scenarios(text: str) -> tuple[str, ...]:
    if text == ALL:
        return NAMES
    names = tuple(part.strip() for part in text.split(","))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected {', '.join(NAMES)} or {ALL}")
    return names


def _size(text: str) -> Size:
    try:
        return Size.parsed(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 1 or more")
    return int(text)


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a number, {low:g} to {high:g}")
        return value

    return parse
