"""The sweep: every combination of size, threads, device and precision, as one JSON object."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from venturi._engine.arrays import Pixels
from venturi._engine.graph import check_device
from venturi.bench import machine, pictures
from venturi.bench.clock import WallClock
from venturi.bench.point import Load, Peaks, Point, rows
from venturi.bench.size import Size
from venturi.bench.subjects import Spec, Subject, opened
from venturi.errors import DeviceError, InputError

SCHEMA = 1

Results = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        target: name or folder of a bundle, or an ONNX file.
        decoder: an ONNX file beside an encoder's, or None.
        sizes: none takes the subject's own.
        threads: none takes as many as there are processors.
        devices: names of ``venturi._engine.graph.PROVIDERS``.
        precisions: None in it is the subject's own.
        images: files to measure on; none takes the photograph that comes with the package.
        quality: of a codec, 1 to 100.
        load: how the calls come.
        profile: whether to fold operators and measure the machine's peak.
    """

    target: str
    decoder: str | None = None
    sizes: Sequence[Size] = ()
    threads: Sequence[int] = ()
    devices: Sequence[str] = ("cpu",)
    precisions: Sequence[str | None] = (None,)
    images: Sequence[Path] = ()
    quality: float = 50.0
    load: Load = field(default_factory=Load)
    profile: bool = False

    def specs(self) -> Iterator[Spec]:
        """Yield what to open, in the order of the sweep."""
        threads = self.threads or (machine.usable_cpus(),)
        for device, precision, count in product(self.devices, self.precisions, threads):
            yield Spec(self.target, self.decoder, device, count, precision, self.quality)

    def source(self) -> list[Pixels]:
        """Return the pictures to fit to each size.

        Raises:
            VenturiError: a file is no picture, or what comes with the package is damaged.
        """
        return pictures.read(self.images) if self.images else [pictures.shipped()]


def measure(options: Options, *, say: Callable[[str], None] = lambda _: None) -> Results:
    """Measure everything and return it as runtime/BENCH.md describes it.

    A device that is missing is an error before anything is measured. A device that cannot run the
    model goes into ``failures``, unless nothing else ran.

    Args:
        options: what.
        say: takes a line about what is measured next.

    Raises:
        VenturiError: nothing could be measured, or an argument is wrong.
    """
    clock = WallClock()
    about, before = machine.describe(), machine.load_average()[0]
    specs = list(options.specs())
    _check(specs)
    source = options.source()
    peaks = Peaks(clock) if options.profile else None
    measured: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    refused: DeviceError | None = None
    subject: Subject | None = None
    for spec in specs:
        try:
            subject = opened(spec)
            for size in _sizes(options, subject):
                images = [pictures.fitted(image, *size) for image in source]
                point = Point(subject, spec, size, images, before)
                measured += rows(point, options.load, clock, peaks, say)
        except DeviceError as error:
            refused = error
            failures.append(_failure(spec, options, error))
    if not measured or subject is None:
        raise refused or InputError("no combination to measure; expected at least one of each")
    return {
        "schema": SCHEMA,
        "benchmark": "latency",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": about,
        "subject": {
            "kind": subject.kind,
            "name": subject.name,
            "fingerprint": subject.fingerprint,
            "settings": dict(subject.settings),
        },
        "inputs": _inputs(options, len(source)),
        "rows": measured,
        "failures": failures,
        "notes": _notes(measured, failures),
    }


def _check(specs: Sequence[Spec]) -> None:
    """Refuse what cannot be measured before time is spent on the rest."""
    for spec in specs:
        check_device(spec.device, spec.threads)
    for spec in {(spec.device, spec.precision): spec for spec in specs}.values():
        with contextlib.suppress(DeviceError):  # one of several: it becomes a failure of its own
            opened(spec)


def _sizes(options: Options, subject: Subject) -> Sequence[Size]:
    """Return the sizes to measure at, all of which the subject takes."""
    sizes = options.sizes or (subject.default_size,)
    wrong = [size for size in sizes if subject.fixed_size not in (None, size)]
    if wrong:
        raise InputError(
            f"size is {wrong[0]} for {subject.name!r}; expected {subject.fixed_size}, the only one "
            "that it takes; leave --size out"
        )
    return sizes


def _inputs(options: Options, count: int) -> dict[str, Any]:
    if options.images:
        names = ", ".join(path.name for path in options.images)
        return {"source": names, "pictures": count, "note": "cut or mirrored to the size"}
    return {"source": pictures.SHIPPED.name, "pictures": count, "note": pictures.NOTE}


def _failure(spec: Spec, options: Options, error: DeviceError) -> dict[str, Any]:
    return {
        "size": ", ".join(map(str, options.sizes)) or None,
        "threads": spec.threads,
        "device": spec.device,
        "precision": spec.precision,
        "reason": str(error),
    }


def _notes(measured: Sequence[dict[str, Any]], failures: Sequence[dict[str, Any]]) -> list[str]:
    notes = [
        f"device {failure['device']!r} did not run: {failure['reason']}" for failure in failures
    ]
    verdicts = [row["stability"]["verdict"] for row in measured]
    if "busy" in verdicts:
        notes.append(
            "other work ran on this machine: the times are upper bounds, and no run is stable"
        )
    if "drifting" in verdicts:
        notes.append("some runs drift by more than 10 %: measure again, for longer (--seconds)")
    return notes
