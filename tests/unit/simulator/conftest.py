from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.simulator.yardstick import Yardstick


@pytest.fixture(scope="session")
def yardstick(test_data: Path) -> Yardstick:
    """Skips aloud where OMNIROUTE_TEST_DATA isn't set."""
    return Yardstick(test_data / "scenarios")
