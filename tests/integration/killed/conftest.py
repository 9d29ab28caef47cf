import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    """Short enough for a socket's name, and open to the user that the server runs as."""
    folder = Path(tempfile.mkdtemp(prefix="omniroute-killed."))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
