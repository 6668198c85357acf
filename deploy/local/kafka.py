"""Apache Kafka without ZooKeeper: one broker, or a cluster of several, on the loopback address."""

from __future__ import annotations

import base64
import subprocess
import uuid
from typing import TYPE_CHECKING

from deploy.local import accounts, kafka_wire
from deploy.local.errors import NotReady
from deploy.local.install import DEPLOY
from deploy.local.ports import LOOPBACK
from deploy.local.programs import Program
from deploy.local.state import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.local.install import Software
    from deploy.local.state import State

# A broker of this size needs about 360 MB with the rest of the JVM (measured).
MEMORY = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-Xshare:auto")
# With every broker asked to stop at once, the last one waits for a quorum that is gone.
STOP_SECONDS = 8
USUAL, USUAL_CONTROLLER, STEP = 9092, 9093, 100


def broker_settings(node: int, ports: dict[int, tuple[int, int]], data: Path) -> str:
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
    shared = (DEPLOY / "kafka" / "server.properties").read_text(encoding="utf-8")
    return shared + "".join(f"{key}={value}\n" for key, value in own.items())


class Kafka:
    """The log that everything downstream of the gateway is rebuilt from.

    Parameters
    ----------
    brokers : int
        1, whose program is called `kafka`; or more, called `kafka-1`, `kafka-2`, ...
    """

    name = "kafka"
    settings: tuple[str, ...] = ("VIGIE_KAFKA",)

    def __init__(self, brokers: int = 1) -> None:
        self._nodes = range(1, brokers + 1)

    def programs(self, state: State, software: Software) -> list[Program]:
        """Write each broker's settings, and format its folder the first time."""
        folder = accounts.own_folder(state.home / self.name)
        ports = {
            node: (
                state.port(f"kafka-{node}", USUAL + STEP * (node - 1)),
                state.port(f"kafka-controller-{node}", USUAL_CONTROLLER + STEP * (node - 1)),
            )
            for node in self._nodes
        }
        for node in self._nodes:
            data = accounts.own_folder(folder / f"broker-{node}")
            _write(_file(folder, node), broker_settings(node, ports, data))
        logging = folder / "log4j2.properties"
        _write(logging, (DEPLOY / "kafka" / logging.name).read_text(encoding="utf-8"))
        self._format(folder, software)
        return [self._program(node, folder, state, software) for node in self._nodes]

    def is_ready(self, state: State, software: Software) -> bool:
        """Whether every broker sees all brokers, under one controller."""
        del software
        for node in self._nodes:
            try:
                cluster = kafka_wire.describe(state.record.ports[f"kafka-{node}"])
            except OSError:
                return False
            if cluster.controller < 0 or len(cluster.brokers) < len(self._nodes):
                return False
        return True

    def environment(self, state: State) -> Mapping[str, str]:
        """Give all brokers."""
        brokers = (f"{LOOPBACK}:{state.record.ports[f'kafka-{node}']}" for node in self._nodes)
        return {"VIGIE_KAFKA": ",".join(brokers)}

    def _program(self, node: int, folder: Path, state: State, software: Software) -> Program:
        return Program(
            self.name if len(self._nodes) == 1 else f"{self.name}-{node}",
            _java(
                software,
                f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
                "kafka.Kafka",
                str(_file(folder, node)),
            ),
            folder,
            # What a test's broker would write at an orderly stop is deleted anyway.
            stop_signal="KILL" if state.record.throwaway else "TERM",
            stop_seconds=STOP_SECONDS,
        )

    def _format(self, folder: Path, software: Software) -> None:
        """Give new folders the cluster's id, all at once: each is a JVM of its own."""
        identity = folder / "cluster-id"
        if not identity.exists():
            name = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            # The command would read a leading dash as an option.
            write_private(identity, "V" + name[1:])
        tool = (
            "-XX:TieredStopAtLevel=1",
            *("kafka.tools.StorageTool", "format"),
            *("-t", identity.read_text(encoding="ascii"), "-c"),
        )
        running = [
            subprocess.Popen(
                _java(software, *tool, str(_file(folder, node))),
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


def _file(folder: Path, node: int) -> Path:
    return folder / f"broker-{node}.properties"


def _java(software: Software, *arguments: str) -> tuple[str, ...]:
    return ("java", *MEMORY, "-cp", f"{software.kafka}/*", *arguments)


def _write(path: Path, text: str) -> None:
    write_private(path, text)
    accounts.give(path)
