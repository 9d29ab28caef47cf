"""The demo touches nothing real, and its well-known key opens only what this machine alone can reach."""

from pathlib import Path
from typing import Any

import pytest

from libs.common.settings import Settings, SettingsError
from services.all.demonstration import DEMO_KEY, demo_settings

KEY = "a-key-of-your-own"


@pytest.mark.parametrize(
    ("rule", "folder", "beside"),
    [
        ("a folder here", "somewhere/.omniroute", "here/somewhere/.omniroute-demo"),
        ("here itself", ".", "here-demo"),
    ],
)
def test_it_has_a_folder_beside_the_real_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rule: str, folder: str, beside: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert demo_settings(Settings(data_dir=Path(folder))).data_dir == tmp_path / beside, rule


def test_it_has_a_key_that_it_can_print() -> None:
    settings = demo_settings(Settings())
    assert settings.admin_key is not None
    assert settings.admin_key.get_secret_value() == DEMO_KEY


@pytest.mark.parametrize(
    ("rule", "given", "named"),
    [
        ("a database of its own", {"database_url": "postgresql://real/one"}, "OMNIROUTE_DATABASE_URL"),
        ("a log of its own", {"kafka": "broker:9092"}, "OMNIROUTE_KAFKA"),
        ("no known key where others can reach it", {"host": "0.0.0.0"}, "OMNIROUTE_ADMIN_KEY"),
    ],
)
def test_what_could_touch_anything_real_is_refused(rule: str, given: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError) as refused:
        demo_settings(Settings(**given))
    assert [line.split(":")[0] for line in refused.value.lines] == [named], rule


def test_others_may_reach_it_by_a_key_of_yours() -> None:
    assert demo_settings(Settings(host="0.0.0.0", admin_key=KEY)).host == "0.0.0.0"  # type: ignore[arg-type]
