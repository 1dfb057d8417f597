"""Show frames in a window."""

import os
import sys

from venturi._engine.arrays import Pixels
from venturi._io.opencv import opencv
from venturi.errors import VideoError
from venturi.video.reader import Shot

_QUIT = {ord("q"), 27}  # 27 is Escape


class Window:
    """A window that shows the newest clean frame; q, Escape or closing it ends the session."""

    def __init__(self, title: str) -> None:
        """Open it.

        Raises:
            VideoError: there is no screen, or this OpenCV was built without windows.
        """
        self._cv2 = opencv("windows")
        self._title = title
        if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
            raise VideoError(  # the window toolkit would end the process
                "display: there is no screen here, since neither DISPLAY nor WAYLAND_DISPLAY is "
                "set; write to a file with --output instead"
            )
        try:
            self._cv2.namedWindow(title, self._cv2.WINDOW_NORMAL)
        except self._cv2.error as error:
            raise VideoError(
                "display: this OpenCV has no windows; expected the build that has: "
                "pip uninstall opencv-python-headless, then pip install opencv-python"
            ) from error

    def __call__(self, frame: Pixels, shot: Shot) -> bool:
        """Show a frame; False when the user wants to end."""
        del shot
        self._cv2.imshow(self._title, self._cv2.cvtColor(frame, self._cv2.COLOR_RGB2BGR))
        pressed = self._cv2.waitKey(1) & 0xFF
        visible = self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1
        return visible and pressed not in _QUIT

    def close(self) -> None:
        """Close it."""
        self._cv2.destroyWindow(self._title)
