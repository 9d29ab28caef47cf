"""`omniroute up` ends when it is told to, and takes its PostgreSQL with it."""

import signal
from pathlib import Path

import pytest

from tests.e2e.house import STOP_SECONDS, started

pytestmark = pytest.mark.xdist_group("e2e")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_closes_all_that_it_opened(told: signal.Signals, tmp_path: Path) -> None:
    with started("up", tmp_path) as house:
        assert (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
        house.process.send_signal(told)
        assert house.process.wait(STOP_SECONDS) == 0
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
