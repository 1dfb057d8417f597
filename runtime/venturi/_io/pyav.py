"""PyAV (FFmpeg's libraries), imported by the first call that touches a video file."""

from types import ModuleType


def pyav() -> ModuleType:
    """Import PyAV.

    Raises:
        ImportError: it is not installed; the command that does so is named.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError(
            "video files need PyAV, which is not installed: pip install 'venturi[video]'"
        ) from error
    return av
