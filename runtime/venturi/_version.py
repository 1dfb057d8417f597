"""The one version number of the code; the format and the models have their own."""

__version__ = "0.1.0"
