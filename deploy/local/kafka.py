"""Apache Kafka without ZooKeeper: one broker, or a cluster of several, on the loopback address."""

from __future__ import annotations

import base64
import subprocess
import uuid
from typing import TYPE_CHECKING

from deploy.local import accounts, kafka_wire
from deploy.local.errors import LocalError, NotReady
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program
from deploy.local.site import DEPLOY, Site
from deploy.local.state import write_private

if TYPE_CHECKING:
    from pathlib import Path

VERSION = "4.3.1"  # as deploy/kafka/pom.xml pins it
# A broker of this size needs about 360 MB with the rest of the JVM (measured).
MEMORY = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-Xshare:auto")
# With every broker asked to stop at once, the last one waits for a quorum that is gone.
STOP_SECONDS = 8


def jars(opt: Path) -> Path:
    """Give the folder of the broker's jars."""
    return opt / f"kafka-{VERSION}"


def properties(node: int, ports: dict[int, tuple[int, int]], data: Path) -> str:
    """Give one broker's settings file.

    Parameters
    ----------
    node : int
        Which of the brokers, from 1.
    ports : dict
        For each node its port for clients and its port for the other controllers.
    data : Path
        Where this broker keeps its logs.
    """
    copies = min(3, len(ports))
    in_step = max(1, copies - 1)
    voters = ",".join(f"{other}@{LOOPBACK}:{pair[1]}" for other, pair in ports.items())
    client, controller = ports[node]
    own = {
        "node.id": node,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{LOOPBACK}:{client},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{client}",
        "log.dirs": data,
        "default.replication.factor": copies,
        "min.insync.replicas": in_step,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_step,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_step,
    }
    shared = (DEPLOY / "kafka" / "broker.properties").read_text(encoding="utf-8")
    return shared + "".join(f"{key}={value}\n" for key, value in own.items())


class Kafka:
    """The log that everything downstream of the gateway is rebuilt from."""

    name = "kafka"
    settings = ("VIGIE_KAFKA",)

    def __init__(self, site: Site) -> None:
        self._site = site
        self._state = site.state

    @property
    def _folder(self) -> Path:
        return self._state.home / "kafka"

    @property
    def _nodes(self) -> range:
        return range(1, max(1, self._state.record.brokers) + 1)

    def _client_port(self, node: int) -> int:
        return self._state.record.ports[f"kafka-{node}"]

    def prepare(self) -> list[Program]:
        """Write each broker's settings, and format its folder the first time."""
        folder = accounts.own_folder(self._folder)
        ports = {
            node: (
                self._state.port(f"kafka-{node}", 8992 + 100 * node),
                self._state.port(f"kafka-controller-{node}", 8995 + 100 * node),
            )
            for node in self._nodes
        }
        for node in self._nodes:
            data = accounts.own_folder(folder / f"broker-{node}")
            file = folder / f"broker-{node}.properties"
            write_private(file, properties(node, ports, data))
            accounts.give(file)
        logging = folder / "log4j2.properties"
        write_private(logging, (DEPLOY / "kafka" / logging.name).read_text(encoding="utf-8"))
        accounts.give(logging)
        self._format(folder)
        return [self._program(node, folder, logging) for node in self._nodes]

    def programs(self) -> list[str]:
        """Name the brokers."""
        return [f"kafka-{node}" for node in self._nodes]

    def complaint(self) -> str | None:
        """Ask every broker for the cluster: all of them must be in it, under one controller."""
        for node in self._nodes:
            port = self._client_port(node)
            try:
                cluster = kafka_wire.describe(port)
            except OSError:
                return f"nothing answers Kafka's protocol on port {port}"
            if cluster.controller < 0 or len(cluster.brokers) < len(self._nodes):
                count = len(cluster.brokers)
                return f"broker {node} sees {count} of {len(self._nodes)} brokers"
        return None

    def finish(self) -> None:
        """Nothing is left to do: topics are made by `vigie topics create`."""

    def addresses(self) -> dict[str, str]:
        """Give all brokers."""
        brokers = (f"{LOOPBACK}:{self._client_port(node)}" for node in self._nodes)
        return {"VIGIE_KAFKA": ",".join(brokers)}

    def version(self) -> str:
        """Give the pinned version."""
        return VERSION

    def _java(self, *arguments: str) -> tuple[str, ...]:
        return ("java", *MEMORY, "-cp", f"{jars(self._site.opt)}/*", *arguments)

    def _program(self, node: int, folder: Path, logging: Path) -> Program:
        command = self._java(
            f"-Dlog4j2.configurationFile={logging}",
            "kafka.Kafka",
            str(folder / f"broker-{node}.properties"),
        )
        signal = "KILL" if self._site.throwaway else "TERM"
        return Program(
            f"kafka-{node}", command, folder, stop_signal=signal, stop_seconds=STOP_SECONDS
        )

    def _format(self, folder: Path) -> None:
        """Give new folders the cluster's id, all at once: each is a JVM of its own."""
        identity = folder / "cluster-id"
        if not identity.exists():
            name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            # The command would read a leading dash as an option.
            write_private(identity, "V" + name[1:])
        running = [
            subprocess.Popen(
                self._java(
                    "-XX:TieredStopAtLevel=1",
                    "kafka.tools.StorageTool",
                    "format",
                    "-t",
                    identity.read_text(encoding="ascii"),
                    "-c",
                    str(folder / f"broker-{node}.properties"),
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                user=accounts.servers_account(),
                cwd="/",
            )
            for node in self._nodes
            if not (folder / f"broker-{node}" / "meta.properties").exists()
        ]
        said = [process.communicate()[0] for process in running]
        if any(process.returncode for process in running):
            raise NotReady("Kafka's folder could not be formatted.", tail="\n".join(said))


def check_brokers(recorded: int, wanted: int | None) -> int:
    """Decide how many brokers this state folder has.

    Raises
    ------
    LocalError
        When its data was made with another number: brokers cannot come or go under their logs.
    """
    if recorded and wanted not in {None, recorded}:
        raise LocalError(
            f"This state folder's Kafka was made with {recorded} broker(s), not {wanted}. "
            "Use another folder (--state), or leave --brokers away."
        )
    return recorded or wanted or 1
