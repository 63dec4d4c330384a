"""Each variable is read as it is written down; a wrong one is named before anything starts."""

import os
from pathlib import Path
from typing import Any

import pytest

from backend.settings import (
    NOT_SETTINGS,
    SECRET_LENGTH_MIN,
    Settings,
    WrongEnvironment,
    environment_of,
    read_settings,
)

LONG = "x" * SECRET_LENGTH_MIN
DEFAULTS: dict[str, Any] = {
    "environment": "development",
    "host": "127.0.0.1",
    "port": 8000,
    "data": Path(".yipan"),
    "database_url": "",
    "migration_database_url": "",
    "valkey_url": "",
    "kafka_bootstrap": "",
    "kafka_events_topic": "yipan.events",
    "kafka_intake_topic": "yipan.intake",
    "metrics_port": None,
    "traces_url": "",
    "test_data": None,
    "jwt_secret": "",
    "log_level": "info",
}
EXAMPLES: dict[str, tuple[str, Any]] = {
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("65535", 65535),
    "data": ("some/where", Path("some/where")),
    "database_url": ("postgresql://u:p@h/d", "postgresql://u:p@h/d"),
    "migration_database_url": ("postgres:///d?host=/run", "postgres:///d?host=/run"),
    "valkey_url": ("redis://h:6379/0", "redis://h:6379/0"),
    "kafka_bootstrap": ("h:9092,h2:9092", "h:9092,h2:9092"),
    "kafka_events_topic": ("a.b-c_1", "a.b-c_1"),
    "kafka_intake_topic": ("x" * 200, "x" * 200),
    "metrics_port": ("9100", 9100),
    "traces_url": ("http://h:4318/v1/traces", "http://h:4318/v1/traces"),
    "test_data": ("some/data", Path("some/data")),
    "jwt_secret": (LONG, LONG),
    "log_level": ("error", "error"),
}
"""For each variable a text, and what is made of it; the environment has tests of its own."""
PRODUCTION = {
    "YIPAN_ENVIRONMENT": "production",
    "YIPAN_DATABASE_URL": "postgresql://h/d",
    "YIPAN_VALKEY_URL": "redis://h",
    "YIPAN_JWT_SECRET": LONG,
}


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any of ours, in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith("YIPAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def refusal() -> str:
    """Return what is said of the environment as it is."""
    with pytest.raises(WrongEnvironment) as caught:
        read_settings()
    assert caught.value.code == "WRONG_ENVIRONMENT"
    assert caught.value.message.startswith("Cannot start: ")
    return caught.value.message


def test_nothing_set_is_a_development_on_this_machine() -> None:
    settings = read_settings()
    assert settings.model_dump() == DEFAULTS
    assert settings.is_development


def test_every_setting_has_an_example_here() -> None:
    assert EXAMPLES.keys() | {"environment"} == Settings.model_fields.keys() == DEFAULTS.keys()


@pytest.mark.parametrize("field", EXAMPLES)
def test_each_variable_sets_one_thing(variables: pytest.MonkeyPatch, field: str) -> None:
    text, value = EXAMPLES[field]
    variables.setenv(f"YIPAN_{field.upper()}", text)
    assert read_settings().model_dump() == DEFAULTS | {field: value}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "1"),
        ("DATABASE_URL", "postgres://h"),
        ("DATABASE_URL", "postgresql:///d?host=/run&port=5432"),
        ("DATABASE_URL", ""),
        ("VALKEY_URL", "rediss://u:p@h:6379"),
        ("VALKEY_URL", "unix:///run/valkey.sock"),
        ("VALKEY_URL", ""),
        ("LOG_LEVEL", "debug"),
        ("LOG_LEVEL", "warning"),
    ],
)
def test_what_is_right_passes(variables: pytest.MonkeyPatch, name: str, text: str) -> None:
    variables.setenv(f"YIPAN_{name}", text)
    assert str(getattr(read_settings(), name.lower())) == text


WRONG = [
    *(("PORT", text) for text in ("0", "-1", "65536", "80.5", "http", "")),
    *(("ENVIRONMENT", text) for text in ("prod", "Production", "staging", "")),
    *(("LOG_LEVEL", text) for text in ("loud", "INFO", "10", "")),
    *(
        (name, text)
        for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL")
        for text in ("mysql://h/d", "h:5432/d", "host=h dbname=d", "postgres:h", " postgres://h")
    ),
    *(("VALKEY_URL", text) for text in ("http://h", "h:6379", "redis:h", " redis://h")),
    *(("KAFKA_BOOTSTRAP", text) for text in ("h", "h:", "h:a", ":9092", "h:1,", "h:1, h:2")),
    *(
        (name, text)
        for name in ("KAFKA_EVENTS_TOPIC", "KAFKA_INTAKE_TOPIC")
        for text in ("", "a b", "a/b", "x" * 201)
    ),
]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_a_wrong_value_is_named(variables: pytest.MonkeyPatch, name: str, text: str) -> None:
    variables.setenv(f"YIPAN_{name}", text)
    assert f"YIPAN_{name}: " in refusal()


def test_all_wrong_values_are_named_at_once(variables: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "ENVIRONMENT", "VALKEY_URL"):
        variables.setenv(f"YIPAN_{name}", "wrong")
    message = refusal()
    assert [name for name in PRODUCTION | {"YIPAN_PORT": ""} if f"{name}: " in message] == [
        "YIPAN_ENVIRONMENT",
        "YIPAN_VALKEY_URL",
        "YIPAN_PORT",
    ]


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATION_DATABASE_URL", "VALKEY_URL"])
def test_the_password_in_a_wrong_url_is_not_told(variables: pytest.MonkeyPatch, name: str) -> None:
    variables.setenv(f"YIPAN_{name}", "http://user:sesame@host")
    assert "sesame" not in refusal()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("YIPAN_PROT", "YIPAN_PORT"),
        ("YIPAN_PORTS", "YIPAN_PORT"),
        ("YIPAN_HOSTS", "YIPAN_HOST"),
        ("YIPAN_DATA_FOLDER", "YIPAN_DATA"),
        ("YIPAN_DATABSE_URL", "YIPAN_DATABASE_URL"),
        ("YIPAN_DATABASE", "YIPAN_DATABASE_URL"),
        ("YIPAN_MIGRATIONS_DATABASE_URL", "YIPAN_MIGRATION_DATABASE_URL"),
        ("YIPAN_VALKEYURL", "YIPAN_VALKEY_URL"),
        ("YIPAN_JWT_SECERT", "YIPAN_JWT_SECRET"),
        ("YIPAN_ENVIROMENT", "YIPAN_ENVIRONMENT"),
        ("YIPAN_LOGLEVEL", "YIPAN_LOG_LEVEL"),
        ("YIPAN_KAFKA_BOOTSTRAPS", "YIPAN_KAFKA_BOOTSTRAP"),
        ("YIPAN_port", "YIPAN_PORT"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(
    variables: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    variables.setenv(written, "9000")
    message = refusal()
    assert f"{written} is not a setting" in message
    assert message.endswith(f"Did you mean {meant}?")


def test_a_variable_like_no_other_gets_no_hint(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("YIPAN_" + "Q" * 40, "")
    assert "Did you mean" not in refusal()


@pytest.mark.parametrize("name", sorted(NOT_SETTINGS))
def test_what_tests_and_build_read_is_let_pass(variables: pytest.MonkeyPatch, name: str) -> None:
    variables.setenv(name, "1")
    assert read_settings().model_dump() == DEFAULTS


@pytest.mark.parametrize("missing", list(PRODUCTION)[1:])
@pytest.mark.parametrize("is_empty", [False, True])
def test_production_needs_its_servers_and_its_secret(
    variables: pytest.MonkeyPatch, missing: str, is_empty: bool
) -> None:
    for name, text in PRODUCTION.items():
        if name != missing:
            variables.setenv(name, text)
        elif is_empty:
            variables.setenv(name, "")
    message = refusal()
    assert f"{missing} is missing" in message
    assert "YIPAN_ENVIRONMENT=production" in message


def test_production_with_everything_starts(variables: pytest.MonkeyPatch) -> None:
    for name, text in PRODUCTION.items():
        variables.setenv(name, text)
    settings = read_settings()
    assert not settings.is_development
    assert (settings.database_url, settings.valkey_url) == ("postgresql://h/d", "redis://h")


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_short_secret_is_named_and_not_told(
    variables: pytest.MonkeyPatch, environment: str
) -> None:
    short = "s" * (SECRET_LENGTH_MIN - 1)
    for name, text in (PRODUCTION | {"YIPAN_ENVIRONMENT": environment}).items():
        variables.setenv(name, text)
    variables.setenv("YIPAN_JWT_SECRET", short)
    message = refusal()
    assert f"YIPAN_JWT_SECRET needs at least {SECRET_LENGTH_MIN} characters" in message
    assert short not in message


def test_variables_without_our_prefix_are_not_read(variables: pytest.MonkeyPatch) -> None:
    for field, (text, _) in EXAMPLES.items():
        variables.setenv(field.upper(), text)
        variables.setenv(f"MY_YIPAN_{field.upper()}", text)
    assert read_settings().model_dump() == DEFAULTS


def test_files_in_the_folder_are_not_read(tmp_path: Path) -> None:
    lines = [f"YIPAN_{field.upper()}={text}" for field, (text, _) in EXAMPLES.items()]
    for name in (".env", "yipan.env", ".yipan"):
        (tmp_path / name).write_text("\n".join(lines))
    assert read_settings().model_dump() == DEFAULTS


def test_a_child_reads_what_its_parent_read(variables: pytest.MonkeyPatch) -> None:
    for name, text in (PRODUCTION | {"YIPAN_DATA": "here", "YIPAN_PORT": "9000"}).items():
        variables.setenv(name, text)
    settings = read_settings()
    variables.setattr(os, "environ", environment_of(settings))
    assert read_settings() == settings
    assert os.environ["PATH"]


def test_a_child_is_told_what_is_different_for_it(variables: pytest.MonkeyPatch) -> None:
    variables.setenv("YIPAN_DATABASE_URL", "postgresql://h/d")
    told = environment_of(read_settings(), database_url="postgresql://h/e", jwt_secret=LONG)
    variables.setattr(os, "environ", told)
    different = {"database_url": "postgresql://h/e", "jwt_secret": LONG}
    assert read_settings().model_dump() == DEFAULTS | different
