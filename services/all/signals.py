"""How the process is told to stop: the first SIGTERM or SIGINT ends the server, and all that it stands on closes."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

STOP: Final = (signal.SIGTERM, signal.SIGINT)
CUT: Final = "Cancel %s running task"


class Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again when it has stopped, which kills the process before its machines have
        finished their batch and its database is closed."""
        logging.getLogger("uvicorn.error").addFilter(is_news)
        loop = asyncio.get_running_loop()
        for number in STOP:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in STOP:  # Who asks a second time doesn't want to wait.
                loop.remove_signal_handler(number)


def is_news(record: logging.LogRecord) -> bool:
    """A stream has no end of its own: that it is cut when the process stops is no error."""
    was_cut = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not was_cut and not str(record.msg).startswith(CUT)
