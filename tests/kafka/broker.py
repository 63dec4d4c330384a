"""A real Kafka broker (KRaft, one node), from Maven's artefacts, on a port of loopback."""

import asyncio
import fcntl
import shutil
import signal
import subprocess
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from loadtests.processes import free_port, wait_until_ready

POM = Path(__file__).with_name("pom.xml")
FORMAT = ("format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c")
"""With an id for the cluster, which has to be some UUID in base64."""
FORMAT_SECONDS = 60
JAVA = ("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a broker that lives for seconds: it is to start quickly, not to be fast in an hour."""
SESSION_MS = 3_000
STOP_SECONDS = 30
FETCH_SECONDS = 600


class BrokerMissing(Exception):
    """A broker cannot be had on this machine; the message says why."""


def libraries(folder: Path) -> Path:
    """Return the folder of the broker's jars, fetched into `folder` once; raises BrokerMissing."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise BrokerMissing(f"no Kafka broker: {program} is not installed")
    libs = folder / f"libs-{POM.stat().st_size}"
    done = libs / ".done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            copy = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
            fetched = subprocess.run(
                [*copy, f"-DoutputDirectory={libs}"],
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS,
                check=False,
            )
            if fetched.returncode:
                raise BrokerMissing(f"no Kafka broker: Maven says {fetched.stdout[-500:]}")
            done.touch()
    return libs


class KafkaBroker:
    """One broker, with its data in a folder; it can be stopped and started on the same port."""

    def __init__(self, libs: Path, folder: Path) -> None:
        self._libs = libs
        self._data = folder / "data"
        self._config = folder / "server.properties"
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._config.write_text(
            "process.roles=broker,controller\n"
            "node.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}\n"
            f"advertised.listeners=PLAINTEXT://{self.bootstrap}\n"
            "controller.listener.names=CONTROLLER\n"
            f"log.dirs={self._data}\n"
            "offsets.topic.replication.factor=1\n"
            "offsets.topic.num.partitions=4\n"
            "transaction.state.log.replication.factor=1\n"
            "transaction.state.log.min.isr=1\n"
            "group.initial.rebalance.delay.ms=0\n"
            "auto.create.topics.enable=false\n"
            # One that was killed is let in again once the controller has given up the one before.
            f"broker.session.timeout.ms={SESSION_MS}\n"
            f"broker.heartbeat.interval.ms={SESSION_MS // 6}\n"
        )

    def format(self) -> Path:
        """Make the data folder, and return it."""
        subprocess.run(
            [*self._java("kafka.tools.StorageTool"), *FORMAT, str(self._config)],
            check=True,
            capture_output=True,
            timeout=FORMAT_SECONDS,
        )
        return self._data

    def take_data(self, formatted: Path) -> None:
        """Begin with a copy of what another one formatted, which names no port."""
        shutil.copytree(formatted, self._data)

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run()
        host, port = self.bootstrap.split(":")
        await wait_until_ready((host, int(port)), self._running())

    def _run(self) -> None:
        with self._log.open("ab") as log:
            command = [*self._java("kafka.Kafka"), str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it, or kill it."""
        if self._process is not None:
            self._process.send_signal(number)
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
            self._process = None

    async def create_topic(self, name: str, partitions: int = 12) -> None:
        """Create a topic before anybody reads it."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        (created,) = admin.create_topics([NewTopic(name, partitions, 1)]).values()
        await asyncio.to_thread(created.result)

    def _java(self, main: str) -> list[str]:
        return [*JAVA, "-cp", f"{self._libs}/*", main]
