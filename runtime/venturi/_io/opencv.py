"""OpenCV, imported by the first call that touches a file, a camera or a window."""

from types import ModuleType


def opencv(purpose: str) -> ModuleType:
    """Import OpenCV.

    Args:
        purpose: what needs it, in the plural, for the message: ``image files``.

    Raises:
        ImportError: it is not installed; the command that does so is named.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"{purpose} need OpenCV, which is not installed: pip install 'venturi[images]'"
        ) from error
    return cv2
