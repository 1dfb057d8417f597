"""Tells PyInstaller where the hook is, by the entry point ``pyinstaller40``.

Nothing else imports this package: it is read on the machine that freezes an application.
"""

from pathlib import Path


def get_hook_dirs() -> list[str]:
    """Return the folders that hold hooks, as PyInstaller asks for them."""
    return [str(Path(__file__).parent)]
