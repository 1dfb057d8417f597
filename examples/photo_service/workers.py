"""Threads for the pictures, so that the event loop stays free; a bounded number of pictures."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .limits import Limits
from .refusal import Refusal

T = TypeVar("T")

STUCK_EXIT = 70  # EX_SOFTWARE


class Workers:
    """Runs picture work on threads; one :class:`venturi.Codec` serves them all."""

    def __init__(self, limits: Limits) -> None:
        """Start no thread yet: the pool does at its first work."""
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="picture")
        self._places = limits.threads + limits.waiting

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` on a thread and wait for it.

        Raises:
            Refusal: there is too much to do (503), or the work takes too long (503). Work that
                takes too long goes on and keeps its place, so given-up requests cannot pile up.
        """
        if self._places == 0:
            raise Refusal(503, "too many pictures at once; try again in a moment")
        self._places -= 1
        loop = asyncio.get_running_loop()
        stuck = loop.call_later(self._limits.stuck_s, os._exit, STUCK_EXIT)
        future = loop.run_in_executor(self._threads, work)
        future.add_done_callback(lambda done: self._leave(done, stuck))
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._limits.work_s)
        except TimeoutError:
            raise Refusal(503, f"not done within {self._limits.work_s:g} s; try later") from None

    def close(self) -> None:
        """Wait for the work that runs, and start no more."""
        self._threads.shutdown(cancel_futures=True)

    def _leave(self, done: "asyncio.Future[T]", stuck: asyncio.TimerHandle) -> None:
        stuck.cancel()
        self._places += 1
        if not done.cancelled():
            done.exception()  # looked at, so that asyncio does not complain where nobody waits
