"""What a killed test run leaves behind is swept by the next one, whatever became of its processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.abandoned import sweep_abandoned


def a_pid_that_is_gone() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    return ended.pid


def a_home(folder: Path, *, owner: str, postmaster: str | None) -> Path:
    home = folder / "omniroute-pg.one"
    (home / "data").mkdir(parents=True)
    (home / "owner.pid").write_text(owner)
    if postmaster is not None:
        (home / "data" / "postmaster.pid").write_text(postmaster)
    return home


@pytest.mark.parametrize(
    ("rule", "postmaster"),
    [
        ("a server that never started", None),
        ("a server that ended with its owner", "{gone}\n/tmp/data\n"),
        ("a server killed while it wrote its number", ""),
        ("another program under the server's number", "{mine}\n"),
    ],
)
def test_the_home_of_an_owner_who_is_gone_is_removed(tmp_path: Path, rule: str, postmaster: str | None) -> None:
    gone = a_pid_that_is_gone()
    said = postmaster and postmaster.format(gone=gone, mine=os.getpid())
    home = a_home(tmp_path, owner=str(gone), postmaster=said)
    sweep_abandoned(tmp_path)
    assert not home.exists(), rule


@pytest.mark.parametrize("owner", ["{mine}", "", "no number"])
def test_the_home_of_an_owner_who_lives_or_is_unknown_stays(tmp_path: Path, owner: str) -> None:
    home = a_home(tmp_path, owner=owner.format(mine=os.getpid()), postmaster=None)
    sweep_abandoned(tmp_path)
    assert home.exists()
