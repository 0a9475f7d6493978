"""Settings as they are read from a home and from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from capture.errors import BadSettings
from capture.settings import SECRETS, Settings, load_settings


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items()
                                  if field.annotation is SecretStr])
def test_every_secret_comes_from_its_variable_and_from_nowhere_else(
        name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text("")
    monkeypatch.setenv(f"MAILWEIR_{name.upper()}", "a value")
    settings = load_settings(tmp_path)
    assert getattr(settings, name).get_secret_value() == "a value"
    assert "a value" not in repr(settings) + settings.model_dump_json()
    assert {"sign_in_secret", "sign_in_certificate"} <= set(SECRETS)


@pytest.mark.parametrize("line", [
    pytest.param('[rescan]\nmax_holds = "200%"', id="three digits of a share"),
    pytest.param('[rescan]\nmax_holds = "2% or so"', id="words behind"),
    pytest.param('[rescan]\nmax_holds = "about 2"', id="words before"),
    pytest.param('[accountability]\ncourse = "Some Course"', id="a course that is no code"),
])
def test_a_value_that_only_holds_something_right_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(line)
    with pytest.raises(BadSettings):
        load_settings(tmp_path)
