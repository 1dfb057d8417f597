"""Serve photos: ``python -m photo_service FOLDER``.

Two worker processes share the port. Each ends after some thousand requests and is replaced, so
whatever a library leaks stays small, and one that dies is replaced too.
"""

import argparse
import os
from pathlib import Path

import uvicorn

from .app import FOLDER_VARIABLE
from .limits import Limits


def main() -> None:
    """Run the server until it is told to stop."""
    parser = argparse.ArgumentParser(prog="photo_service", description="Serve photos.")
    parser.add_argument("folder", help="where the photos are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--requests", type=int, default=5000, help="per process (default 5000)")
    arguments = parser.parse_args()
    os.environ[FOLDER_VARIABLE] = str(Path(arguments.folder).absolute())  # the workers inherit it
    # Pillow and OpenCV might disagree about a crafted header; this stops OpenCV by itself. It must
    # be set before OpenCV is loaded, so the workers inherit it as well.
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(Limits.max_pixels))
    uvicorn.run(
        f"{__package__}.app:from_environment",
        factory=True,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        limit_max_requests=arguments.requests,
        limit_max_requests_jitter=arguments.requests // 10,  # not all at the same time
        limit_concurrency=32,  # connections per process: each may hold an upload in memory
        timeout_keep_alive=5,
        timeout_graceful_shutdown=30,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
