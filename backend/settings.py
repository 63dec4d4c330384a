"""What the environment says. Only `backend.app` and `backend.cli` read it."""

import difflib
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.db.errors import YipanError

PREFIX = "YIPAN_"
SECRET_LENGTH_MIN = 32
TOPIC = r"^[\w.-]{1,200}$"
NOT_SETTINGS = {"YIPAN_CORE_DEBUG"}
"""Read by the build."""


class WrongEnvironment(YipanError):
    """The environment is not as it should be."""

    code = "WRONG_ENVIRONMENT"


class Settings(BaseSettings):
    """The settings, each from the variable YIPAN_ + its name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    data: Path = Path(".yipan")
    """Where the embedded PostgreSQL keeps its data."""
    database_url: str = Field(default="", pattern=r"^(postgres(ql)?://.*)?$")
    """A PostgreSQL of your own; the embedded one where it is empty."""
    migration_database_url: str = Field(default="", pattern=r"^(postgres(ql)?://.*)?$")
    """For `yipan migrate`, where the application's role may not create tables."""
    valkey_url: str = Field(
        default="", pattern=r"^((rediss?|valkeys?|valkeys?\+cluster|unix)://.*)?$"
    )
    """A Valkey of your own, or with `valkey+cluster://` any server of a cluster."""
    kafka_bootstrap: str = Field(default="", pattern=r"^([\w.-]+:\d+(,[\w.-]+:\d+)*)?$")
    """A Kafka of your own, host:port and more after commas; without it `yipan relay` has nothing to
    publish to."""
    kafka_events_topic: str = Field(default="yipan.events", pattern=TOPIC)
    kafka_intake_topic: str = Field(default="yipan.intake", pattern=TOPIC)
    """Read by `yipan worker`; answers go to the topic of this name and `.answers`."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Where `yipan worker` and `yipan relay` answer Prometheus; the API does at /metrics."""
    traces_url: str = Field(default="", pattern=r"^(https?://.*)?$")
    """An OTLP/HTTP collector, as in http://127.0.0.1:4318/v1/traces; needs the extra `traces`."""
    jwt_secret: str = ""
    test_data: Path | None = None
    """The folder with real orders, for tests and benchmarks; they leave out what needs it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def is_development(self) -> bool:
        return self.environment == "development"


def read_settings() -> Settings:
    """Return the settings; raises WrongEnvironment, which names the variable."""
    _check_names()
    try:
        settings = Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()
        )
        raise WrongEnvironment(f"Cannot start: {faults}.") from error
    if not settings.is_development:
        for name in ("database_url", "valkey_url", "jwt_secret"):
            if not getattr(settings, name):
                raise WrongEnvironment(
                    f"Cannot start: {PREFIX}{name.upper()} is missing, and "
                    f"{PREFIX}ENVIRONMENT=production needs it."
                )
    if settings.jwt_secret and len(settings.jwt_secret) < SECRET_LENGTH_MIN:
        raise WrongEnvironment(
            f"Cannot start: {PREFIX}JWT_SECRET needs at least {SECRET_LENGTH_MIN} characters."
        )
    return settings


def _check_names() -> None:
    """A variable with our prefix that nobody reads is a typing error."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | NOT_SETTINGS
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise WrongEnvironment(f"Cannot start: {name} is not a setting of Yipan.{hint}")


def environment_of(settings: Settings, **changes: str) -> dict[str, str]:
    """Return the environment of a child process: ours, with these settings as they are here."""
    given = {PREFIX + name.upper(): value for name, value in changes.items()}
    fixed = {PREFIX + "ENVIRONMENT": settings.environment, PREFIX + "DATA": str(settings.data)}
    return {**os.environ, **fixed, **given}
