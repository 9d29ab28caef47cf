"""A cable between the browser and the house that can be pulled out and put in again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BYTES = 65_536


class Cable:
    """Listens on `port` and leads everything to the house's; while it is out, nobody gets through."""

    def __init__(self, house_port: int) -> None:
        self._house_port = house_port
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._out = False
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        self._out = True
        for end in self._ends:
            close(end)
        self._ends.clear()

    def plug(self) -> None:
        self._out = False

    def close(self) -> None:
        self.pull()
        close(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                if self._out:
                    close(here)
                    continue
                there = socket.create_connection(("127.0.0.1", self._house_port))
                self._ends += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()


def carry(source: socket.socket, goal: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(BYTES):
            goal.sendall(data)
    close(source)
    close(goal)


def close(end: socket.socket) -> None:
    """At once, and whoever waits for it is told."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def cable_to(house_port: int) -> Iterator[Cable]:
    cable = Cable(house_port)
    try:
        yield cable
    finally:
        cable.close()
