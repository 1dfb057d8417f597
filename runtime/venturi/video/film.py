"""Clean every frame of a video file into another one, whole or not at all."""

from collections.abc import Callable
from dataclasses import dataclass

from venturi._engine.arrays import Pixels
from venturi.video.capture import Capture
from venturi.video.writer import VideoWriter


@dataclass(frozen=True)
class Film:
    """What became of a video.

    Attributes:
        frames: read, cleaned, written and counted again in the file.
        promised: what the input's header says; 0 where it does not.
        notes: what was done to frames that did not fit.
    """

    frames: int
    promised: int
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """Frames that the input promised and does not have; headers err by a few."""
        return max(0, self.promised - self.frames)

    @property
    def is_cut(self) -> bool:
        """Whether more is missing than headers err by: one frame, or one in a hundred."""
        return self.missing > max(1, self.promised // 100)


def clean_film(
    capture: Capture,
    writer: VideoWriter,
    clean: Callable[[Pixels], Pixels],
    *,
    advance: Callable[[], None] = lambda: None,
) -> Film:
    """Clean a video from its first frame to the last that can be read.

    Args:
        capture: the input, which is closed.
        writer: the output; nothing is left of it when an error or an interruption ends this.
        clean: makes of a frame a clean one.
        advance: called after every frame.

    Raises:
        VideoError: there is no frame, or one is not in the output.
    """
    promised = capture.promised  # a closed one does not know
    try:
        while (frame := capture.read()) is not None:
            writer.write(clean(frame))
            advance()
        writer.close()
    finally:
        writer.discard()
        capture.close()
    return Film(writer.frames, promised, tuple(writer.notes))
