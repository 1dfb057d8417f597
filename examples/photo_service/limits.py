"""What the service accepts at most; each limit bounds memory, time or both."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one worker process.

    Attributes:
        max_bytes: of an upload; more is answered with 413 as soon as it has arrived.
        max_pixels: of a picture, read from its header before a pixel is decoded. A decode takes
            about 3 bytes per pixel, and at most about 0.3 µs of one core per pixel.
        threads: pictures that are worked on at once.
        waiting: pictures that may wait for a thread; further ones are answered with 503.
        upload_s: seconds that an upload may take to arrive.
        work_s: seconds after which a request that waits for its picture is answered with 503.
        stuck_s: seconds after which a picture that is still being worked on ends the process.
            Python cannot stop a thread, but the server starts a new worker.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 25_000_000
    threads: int = 2
    waiting: int = 16
    upload_s: float = 30.0
    work_s: float = 30.0
    stuck_s: float = 120.0
