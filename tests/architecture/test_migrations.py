"""The migrations and the tables in the code say the same."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def alembic(*arguments: str, database_url: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMNIROUTE_DATABASE_URL": database_url}
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_migrated_database_has_every_table_of_the_code(database_url: str) -> None:
    checked = alembic("check", database_url=database_url)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_there_is_one_history() -> None:
    assert alembic("heads").stdout.count("(head)") <= 1
