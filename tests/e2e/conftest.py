"""One process of omniroute for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.e2e.house import House, started


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with started("up", tmp_path_factory.mktemp("house")) as house:
        yield house
