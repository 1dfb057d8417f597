"""The exceptions that venturi raises, by what you can do about them.

VenturiError
 ├── BundleError     get another bundle: a file is missing, changed or invalid
 ├── StreamError     get other bytes: they are damaged, truncated, or from another bundle
 ├── DeviceError     change the device: it is missing or cannot run the graphs
 ├── InputError      fix the argument (it is a ValueError, too)
 └── VideoError      check the camera, the video file or the disk
"""


class VenturiError(Exception):
    """Base of every error that venturi raises on purpose."""


class BundleError(VenturiError):
    """The bundle cannot be used: get another one, or export it again."""


class StreamError(VenturiError):
    """The bytes cannot be decoded: get them again, or the bundle that wrote them."""


class DeviceError(VenturiError):
    """The device cannot run the graphs: choose another."""


class InputError(VenturiError, ValueError):
    """An argument is invalid: fix it."""


class VideoError(VenturiError):
    """A camera is gone, or a video cannot be read or written completely: check it."""
