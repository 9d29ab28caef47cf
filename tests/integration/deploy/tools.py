"""Programs that check what we deploy: each is here, or the test is skipped aloud; in CI its absence is a failure."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import cannot_be_had

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
RUN_SECONDS_MAX = 240


def program(*names: str) -> str:
    """The first of these that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        cannot_be_had(f"not installed: {' or '.join(names)}")
    return found


def said(command: Sequence[str], *, folder: Path = ROOT) -> str:
    """What a program wrote, when it ended well; else the test fails with all that it said."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout
