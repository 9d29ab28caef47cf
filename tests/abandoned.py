"""PostgreSQL servers of test processes that were killed before they could end them themselves."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

HOME_PREFIX: Final = "omniroute-pg."


def sweep_abandoned(folder: Path) -> None:
    """Ends the servers whose owner is gone and removes their homes; several test processes may sweep at once."""
    for home in folder.glob(HOME_PREFIX + "*"):
        try:
            os.kill(int((home / "owner.pid").read_text()), 0)
        except ProcessLookupError:
            stop_postmaster(home / "data" / "postmaster.pid")
            shutil.rmtree(home, ignore_errors=True)
        except (OSError, ValueError):
            pass  # Not ours, or no word of its owner: leave it.


def stop_postmaster(pid_file: Path) -> None:
    with suppress(OSError, ValueError, IndexError):  # It ended by itself, or never began.
        pid = int(pid_file.read_text().split()[0])
        program, _, _ = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")
        if program.endswith(b"/postgres"):
            os.kill(pid, signal.SIGQUIT)
