"""OpenCV, imported by the first call that touches a file, a camera or a window."""

from types import ModuleType


def opencv(purpose: str, *, extra: str = "video") -> ModuleType:
    """Import OpenCV.

    Args:
        purpose: what needs it, in the plural, for the message: ``cameras``.
        extra: of this package, which has it for that purpose.

    Raises:
        ImportError: it is not installed; the command that does so is named.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"{purpose} need OpenCV, which is not installed: pip install 'venturi[{extra}]'"
        ) from error
    return cv2
