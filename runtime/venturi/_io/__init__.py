"""Files written atomically; Pillow, OpenCV and PyAV where they are needed."""
