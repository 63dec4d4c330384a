"""Where the servers are: those of the environment, or our own, started for this process."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from backend.db.errors import YipanError
from backend.db.migrate import migrate
from backend.embedded.errors import DataFolderInUseError, EmbeddedServiceError
from backend.embedded.services import EmbeddedServices
from backend.network.nodes import load_regions
from backend.settings import Settings

SECRET_FILE = "jwt_secret"


class ServersDidNotStart(YipanError):
    """PostgreSQL or Valkey could not be started."""

    code = "SERVERS_DID_NOT_START"


class Servers(NamedTuple):
    """Where everything is."""

    database_url: str
    migration_database_url: str
    valkey_url: str
    secret: str


@contextmanager
def servers(settings: Settings) -> Iterator[Servers]:
    """Start what the environment does not give, and stop it at the end.

    Where another process of ours runs them in the same folder already, those are used. Raises
    ServersDidNotStart with what to do.
    """
    embedded = EmbeddedServices(
        settings.data, database=not settings.database_url, valkey=not settings.valkey_url
    )
    with ExitStack() as stack:
        try:
            if not (settings.database_url and settings.valkey_url):
                stack.enter_context(embedded)
            secret = settings.jwt_secret or _kept_secret(settings.data)
        except DataFolderInUseError:
            secret = settings.jwt_secret or _kept_secret(settings.data)
        except (EmbeddedServiceError, OSError) as error:
            raise ServersDidNotStart(f"Cannot start: {error}") from error
        database_url = settings.database_url or embedded.database_url
        yield Servers(
            database_url,
            settings.migration_database_url or database_url,
            settings.valkey_url or embedded.valkey_url,
            secret,
        )


async def prepare(where: Servers) -> list[str]:
    """Bring the database to the newest schema, with the region table; returns what was applied."""
    return await migrate(where.migration_database_url, load_regions)


def _kept_secret(folder: Path) -> str:
    """Return the secret that signs tokens in development; made once and kept with the data."""
    path = folder / SECRET_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()
