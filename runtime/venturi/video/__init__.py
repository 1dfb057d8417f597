"""Frames from cameras and video files, cleaned one after the other, shown and written.

    capture ─▶ reader (a thread) ─▶ camera ─▶ live ─▶ writer, window      the newest frame, now
    recode                                     a file to a file: every frame, at its own time

``capture``, ``writer`` and ``window`` are the border to OpenCV; its BGR does not pass it.
"""
