"""What is sealed stays shut, and keys stay where they are."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.common.secrets import KEY_FILE, SecretBox, Unopenable, derive, master_key
from libs.common.settings import Settings


def test_only_the_same_key_opens() -> None:
    sealed = SecretBox(b"key").seal(b"a channel's secret")
    assert b"channel" not in sealed
    assert SecretBox(b"key").open(sealed) == b"a channel's secret"
    with pytest.raises(Unopenable):
        SecretBox(b"another").open(sealed)


def test_the_same_secret_is_never_sealed_the_same() -> None:
    box = SecretBox(b"key")
    assert box.seal(b"x") != box.seal(b"x")


def test_what_was_changed_or_is_not_ours_doesnt_open() -> None:
    box = SecretBox(b"key")
    sealed = box.seal(b"x")
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        with pytest.raises(Unopenable):
            box.open(bytes(changed))
    for length in range(len(sealed)):
        with pytest.raises(Unopenable):
            box.open(sealed[:length])


def test_keys_of_two_purposes_are_two() -> None:
    assert derive(b"key", "a") == derive(b"key", "a")
    assert len({derive(b"key", "a"), derive(b"key", "b"), derive(b"other", "a")}) == 3


def test_a_key_file_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    first = master_key(settings)
    file = tmp_path / "data" / KEY_FILE
    assert master_key(settings) == first == file.read_bytes()
    assert len(first) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [KEY_FILE]


def test_an_empty_key_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"\n")
    with pytest.raises(OSError, match="is too short"):
        master_key(Settings(data_dir=tmp_path))


def test_a_key_that_is_set_needs_no_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret_key=SecretStr("a key of sixteen or more"))
    assert master_key(settings) == b"a key of sixteen or more"
    assert list(tmp_path.iterdir()) == []
