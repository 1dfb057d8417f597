"""The command line, ``venturi``."""
