"""Options of a command line as the fields of a dataclass, each with its description."""

import argparse
import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_METAVARS = {int: "N", float: "X", Path: "PATH", str: "NAME_OR_PATH"}


def option(
    help: str,  # noqa: A002, argparse's own word
    default: Any = MISSING,
    *,
    metavar: str | None = None,
    parse: Callable[[str], Any] | None = None,
    positional: bool = False,
) -> Any:
    """Return a field of a dataclass of options.

    help: what it is for. default: without one it is required. parse: from the text of the command
    line, where the field's type does not do. positional: whether its name is left out there.
    """
    about = {"help": help, "metavar": metavar, "parse": parse, "positional": positional}
    return field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """The options of every benchmark.

    json: where its results go; pictures go beside it, and None keeps none.
    """

    json: Path | None = option("file for the results", None, metavar="FILE")
    threads: int = option("threads of the graphs and of OpenCV", 2)

    def folder_beside(self, kind: str) -> Path | None:
        """Return the folder beside the results for pictures of a kind, None where none are kept."""
        return self.json and self.json.with_name(f"{self.json.stem}-{kind}")


def add_arguments(parser: argparse.ArgumentParser, options: type) -> None:
    """Give a parser one argument for each field of a dataclass."""
    kinds = get_type_hints(options)
    for each in fields(options):
        kind, repeated = _kind(kinds[each.name])
        about = dict(each.metadata)
        settings: dict[str, Any] = {"help": _help(about["help"], each.default)}
        if kind is bool:
            settings["action"] = argparse.BooleanOptionalAction
        else:
            settings["type"] = about["parse"] or (positive if kind is int else kind)
            settings["metavar"] = about["metavar"] or _METAVARS[kind]
        if repeated:
            settings["nargs"] = "*"
        if each.default is not MISSING:
            settings["default"] = each.default
        elif not about["positional"]:
            settings["required"] = True
        name = each.name if about["positional"] else f"--{each.name.replace('_', '-')}"
        parser.add_argument(name, **settings)


def built(options: type[T], arguments: argparse.Namespace) -> T:
    """Return parsed arguments as a dataclass of options."""
    values = {each.name: getattr(arguments, each.name) for each in fields(options)}  # type: ignore[arg-type]
    return options(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def required(options: type) -> str:
    """Return the options that must be given, as they stand on a command line."""
    kinds = get_type_hints(options)
    return " ".join(
        f"--{each.name.replace('_', '-')} {each.metadata['metavar'] or _METAVARS[kinds[each.name]]}"
        for each in fields(options)
        if each.default is MISSING and not each.metadata["positional"]
    )


def positive(text: str) -> int:
    """Return a whole number of at least 1.

    Raises ArgumentTypeError for another one.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _kind(hint: Any) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be several. hint: may allow None."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True
    return hint, False


def _help(words: str, default: Any) -> str:
    if default is MISSING or default is None or default == () or isinstance(default, bool):
        return words
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{words}; default: {shown}".replace("%", "%%")
