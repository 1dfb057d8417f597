"""A run's log: one JSON line per report, TensorBoard events, and progress on stderr."""

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor
from torch.utils.tensorboard.writer import SummaryWriter

EVERY = 50


class RunLog:
    """Writes ``log.jsonl`` and TensorBoard events in the run folder, and progress to stderr."""

    def __init__(self, run: Path, first: int, last: int, *, quiet: bool = False) -> None:
        self.run, self.first, self.last, self.quiet = run, first, last, quiet
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        if not self.quiet:
            self.run.mkdir(parents=True, exist_ok=True)
            self._file = (self.run / "log.jsonl").open("a", encoding="utf-8")
            self._board = SummaryWriter(str(self.run), purge_step=self.first or None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.quiet:
            self._file.close()
            self._board.close()

    def step(self, step: int, metrics: dict[str, Tensor]) -> None:
        """Report the metrics of every 50th and of the last step, and the time left."""
        if self.quiet or (step % EVERY and step != self.last):
            return
        values = {name: float(value) for name, value in metrics.items()}
        elapsed = time.monotonic() - self.started
        left = elapsed / (step - self.first) * (self.last - step)
        self._write("train", step, values | {"seconds": round(elapsed, 1)})
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(f"step {step}/{self.last}  {shown}  left {_clock(left)}", file=sys.stderr, flush=True)

    def validation(self, step: int, values: dict[str, float]) -> None:
        """Report metrics on the held-out pictures."""
        if self.quiet:
            return
        self._write("validation", step, values)
        shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        print(f"validation at {step}  {shown}", file=sys.stderr, flush=True)

    def _write(self, kind: str, step: int, values: dict[str, float]) -> None:
        self._file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"
