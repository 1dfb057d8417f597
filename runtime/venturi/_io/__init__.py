"""Files written atomically, and OpenCV where it is needed."""
