"""The exceptions that venturi raises, sorted by who must act.

VenturiError
 ├── BundleError     get another bundle: a file is missing, changed or not what it should be
 ├── StreamError     get other bytes: damaged, truncated, or made with another bundle
 ├── DeviceError     change the device: it is not there or cannot run the graphs
 ├── InputError      fix the argument (a ValueError as well)
 └── VideoError      look after the camera, the video file or the disk
"""


class VenturiError(Exception):
    """Base of every error that venturi raises on purpose."""


class BundleError(VenturiError):
    """The bundle cannot be used: get another one, or export it again."""


class StreamError(VenturiError):
    """The bytes cannot be decoded: get other bytes, or the bundle that wrote them."""


class DeviceError(VenturiError):
    """The device that was asked for cannot run the graphs: change it."""


class InputError(VenturiError, ValueError):
    """An argument is not what the docstring asks for: fix it."""


class VideoError(VenturiError):
    """A camera is gone, or a video cannot be read or written whole: look after it."""
