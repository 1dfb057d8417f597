"""Clean the frames of cameras and video files, show them and write them.

    capture ─▶ reader (a thread) ─▶ camera ─▶ live ─▶ writer, window      the newest frame, now
    recode                                     a file to a file: every frame, at its own time

``capture``, ``writer`` and ``window`` use OpenCV; frames outside them are RGB, never BGR.
"""
