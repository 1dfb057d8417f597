"""The size of a picture, written as 768x512."""

from typing import NamedTuple, Self

from venturi.errors import InputError


class Size(NamedTuple):
    """Width and height in pixels; ``768x512`` as text."""

    width: int
    height: int

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Read ``768x512``.

        Raises:
            InputError: it is none.
        """
        sides = text.lower().replace("×", "x").split("x")
        if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
            raise InputError(f"size is {text!r}; expected WIDTHxHEIGHT in pixels, such as 640x480")
        return cls(int(sides[0]), int(sides[1]))

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
