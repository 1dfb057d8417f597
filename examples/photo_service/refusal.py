"""The one exception that becomes an HTTP answer."""


class Refusal(Exception):
    """A request that is answered with an error status.

    Attributes:
        status: the HTTP status.
        message: what the client is told.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message
