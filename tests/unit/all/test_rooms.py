"""A process has the rooms it was asked for, and pays for no others when it starts."""

import subprocess
import sys

import pytest

from services.all.rooms import SERVICES, Service, room_of

START = """
import sys
import services.all.__main__
from services.all.rooms import room_of
room_of(sys.argv[1])
print(*sys.modules)
"""
ONLY_WHERE_ASKED_FOR = ("alembic", "httpx", "services.auditor", "services.demo")
APIS = {f"services.{one}.api" for one in SERVICES}


@pytest.mark.parametrize("service", SERVICES)
def test_a_start_imports_what_its_service_needs_and_no_more(service: Service) -> None:
    imported = subprocess.run([sys.executable, "-c", START, service], capture_output=True, text=True, check=True)
    modules = set(imported.stdout.split())
    assert modules & APIS == {f"services.{service}.api"}
    assert [name for name in ONLY_WHERE_ASKED_FOR if name in modules] == (
        ["services.auditor"] if service == "console" else []
    )


def test_every_service_has_a_room_with_routes() -> None:
    assert all(room_of(service).routes.routes for service in SERVICES)
