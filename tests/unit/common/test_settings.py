"""A wrong setting stops the start and says which and why, never its value."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from libs.common.settings import SettingsError, load_settings

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith(("OMNIROUTE_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8080, Path(".omniroute"))
    assert (settings.partitions, settings.kafka, settings.database_url, settings.clock) == (12, None, None, None)
    assert settings.allow_private_targets == ()


READ: list[tuple[str, str, Any]] = [
    ("OMNIROUTE_PORT", "0", 0),
    ("OMNIROUTE_DATA_DIR", "/var/lib/omniroute", Path("/var/lib/omniroute")),
    ("OMNIROUTE_KAFKA", "a:9092, b.example.com:9093,[::1]:9094", "a:9092,b.example.com:9093,[::1]:9094"),
    ("OMNIROUTE_KAFKA", "", None),
    ("OMNIROUTE_LOG_LEVEL", "WARNING", "warning"),
    ("OMNIROUTE_CLOCK", "1795000000", 1_795_000_000_000_000),
    ("OMNIROUTE_CLOCK", "1795000000.25", 1_795_000_000_250_000),
    ("OMNIROUTE_CLOCK", "2026-11-18T12:06:40+01:00", 1_795_000_000_000_000),
    ("OMNIROUTE_ALLOW_PRIVATE_TARGETS", "10.0.0.0/8, fd00::/8,127.0.0.1",
     (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1/32"))),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318", "http://otel:4318"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "value"), READ)
def test_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any) -> None:
    monkeypatch.setenv(name, text)
    field = name.removeprefix("OMNIROUTE_").lower()
    assert getattr(load_settings(), field) == value


WRONG = [
    ("OMNIROUTE_PORT", "http", "valid integer"),
    ("OMNIROUTE_PORT", "65536", "65535"),
    ("OMNIROUTE_PARTITIONS", "0", "greater than or equal to 1"),
    ("OMNIROUTE_PARTITIONS", "1025", "1024"),
    ("OMNIROUTE_KAFKA", "localhost", "host:port"),
    ("OMNIROUTE_KAFKA", "localhost:99999", "host:port"),
    ("OMNIROUTE_KAFKA", "a:9092;b:9092", "host:port"),
    ("OMNIROUTE_DATABASE_URL", f"mysql://u:{SECRET}@h/d", "postgresql://"),
    ("OMNIROUTE_LOG_LEVEL", "loud", "'debug'"),
    ("OMNIROUTE_CLOCK", "yesterday", "isoformat"),
    ("OMNIROUTE_CLOCK", "2026-11-18T12:06:40", "zone"),
    ("OMNIROUTE_CLOCK", "1795000000000", "seconds"),
    ("OMNIROUTE_ALLOW_PRIVATE_TARGETS", "10.0.0.1/8", "host bits"),
    ("OMNIROUTE_ALLOW_PRIVATE_TARGETS", "intranet", "does not appear"),
    ("OMNIROUTE_ADMIN_KEY", "short", "16"),
    ("OMNIROUTE_ADMIN_KEY", "with spaces in the middle", "spaces"),
    ("OMNIROUTE_SECRET_KEY", SECRET, "16"),
    ("OMNIROUTE_PORTS", "8080", "is it OMNIROUTE_PORT?"),
    ("OMNIROUTE_ZZZ", "1", "there is no such setting"),
    ("OMNIROUTE_OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "there is no such setting"),
    ("OMNIROUTE_SECRETS_DIR", "/nowhere/at/all", "no such folder"),
]


@pytest.mark.parametrize(("name", "text", "why"), WRONG)
def test_wrong(monkeypatch: pytest.MonkeyPatch, name: str, text: str, why: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as stopped:
        load_settings()
    (line,) = stopped.value.lines
    assert line.startswith(f"{name}: ")
    assert why in line
    assert SECRET not in line


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMNIROUTE_PORT", "OMNIROUTE_PARTITIONS", "OMNIROUTE_TYPO"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(SettingsError) as stopped:
        load_settings()
    assert [line.split(":")[0] for line in stopped.value.lines] == [
        "OMNIROUTE_TYPO", "OMNIROUTE_PORT", "OMNIROUTE_PARTITIONS",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "starts"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
    ],
)
def test_a_settable_clock_is_only_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str, starts: bool) -> None:
    monkeypatch.setenv("OMNIROUTE_CLOCK", "1795000000")
    monkeypatch.setenv("OMNIROUTE_HOST", host)
    if starts:
        assert load_settings().clock
        return
    with pytest.raises(SettingsError) as stopped:
        load_settings()
    assert stopped.value.lines[0].startswith("OMNIROUTE_CLOCK: ")


def test_what_tests_set_is_nobodys_typo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIROUTE_TEST_KAFKA", "localhost:9092")
    assert load_settings().kafka is None


def test_files_in_a_secrets_folder_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "omniroute_secret_key").write_text("a key of sixteen or more\n")
    monkeypatch.setenv("OMNIROUTE_SECRETS_DIR", str(tmp_path))
    settings = load_settings()
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == "a key of sixteen or more"
    assert "sixteen" not in repr(settings)


def test_the_environment_goes_before_the_secrets_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "omniroute_port").write_text("1000")
    monkeypatch.setenv("OMNIROUTE_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("OMNIROUTE_PORT", "2000")
    assert load_settings().port == 2000
