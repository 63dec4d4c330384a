"""A broker for the tests of this folder."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.settings import Settings
from tests.conftest import SECRET
from tests.kafka.broker import BrokerMissing, KafkaBroker, libraries


@pytest.fixture(scope="session")
def kafka_libraries(pytestconfig: pytest.Config) -> Path:
    """The broker's jars; where they cannot be had the test is skipped, or fails with CI=true."""
    try:
        return libraries(pytestconfig.cache.mkdir("kafka"))
    except BrokerMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def formatted(kafka_libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a broker that has never run: made once, for it takes Java seconds."""
    return KafkaBroker(kafka_libraries, tmp_path_factory.mktemp("kafka")).format()


@pytest.fixture
async def broker(
    kafka_libraries: Path, formatted: Path, tmp_path: Path
) -> AsyncIterator[KafkaBroker]:
    """A broker of the test's own, started."""
    started = KafkaBroker(kafka_libraries, tmp_path)
    started.take_data(formatted)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def settings(broker: KafkaBroker) -> Settings:
    return Settings(jwt_secret=SECRET, kafka_bootstrap=broker.bootstrap)
