"""The settings files that we write for the servers say what they must."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from deploy.local import kafka, kafka_wire, mosquitto, timescale
from deploy.local.install import KAFKA_VERSION, PACKAGES
from deploy.local.servers import NAMES

ROOT = Path(__file__).parents[3]
PORTS = {1: (9092, 9093), 2: (9192, 9193), 3: (9292, 9293)}


def properties(text: str) -> dict[str, str]:
    """Read a Java properties file."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_one_broker_keeps_one_copy_and_votes_for_itself() -> None:
    said = properties(kafka.broker_settings(1, {1: (19092, 19093)}, Path("/data")))
    assert said["listeners"] == "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert said["controller.quorum.voters"] == "1@127.0.0.1:19093"
    assert (said["default.replication.factor"], said["min.insync.replicas"]) == ("1", "1")
    assert said["log.dirs"] == "/data"


def test_three_brokers_keep_three_copies_of_which_two_must_be_in_step() -> None:
    said = properties(kafka.broker_settings(2, PORTS, Path("/data")))
    assert said["node.id"] == "2"
    assert said["controller.quorum.voters"].count("@") == 3
    assert (said["default.replication.factor"], said["min.insync.replicas"]) == ("3", "2")
    assert said["offsets.topic.replication.factor"] == "3"


def test_a_broker_makes_no_topic_by_accident() -> None:
    said = properties(kafka.broker_settings(1, {1: (1, 2)}, Path("/data")))
    assert said["auto.create.topics.enable"] == "false"


def test_kafka_s_version_is_the_one_that_the_pom_pins() -> None:
    pom = (ROOT / "deploy/kafka/pom.xml").read_text(encoding="utf-8")
    assert KAFKA_VERSION in re.findall(r">([0-9][0-9.]+)<", pom)


def test_every_server_says_which_packages_it_needs() -> None:
    assert set(PACKAGES) == set(NAMES)


def test_mosquitto_lets_devices_in_by_some_doors_and_the_gateway_by_others() -> None:
    ports = {name: 10_000 + usual for name, usual in mosquitto.USUAL.items()}
    doors = listeners(mosquitto.broker_settings(Path("/m"), ports))
    assert {place: door.get("allow_anonymous") for place, door in doors.items()} == {
        "11883 127.0.0.1": "true",
        "11884 127.0.0.1": "false",
        "18883 127.0.0.1": "false",
        "18884 127.0.0.1": "false",
        "18885 127.0.0.1": "false",
    }
    for place in ("18883 127.0.0.1", "18884 127.0.0.1"):
        assert doors[place]["acl_file"] == "/m/acl-devices"
        assert doors[place]["use_username_as_clientid"] == "true"
    assert doors["18883 127.0.0.1"]["require_certificate"] == "true"
    assert doors["18883 127.0.0.1"]["crlfile"] == "/m/ca.crl"


def test_without_a_port_for_anonymous_devices_nobody_comes_in_without_proof() -> None:
    ports = {name: usual for name, usual in mosquitto.USUAL.items() if name != "mqtt-devices"}
    said = mosquitto.broker_settings(Path("/m"), ports)
    assert "allow_anonymous true" not in said
    assert len(listeners(said)) == 4


def listeners(text: str) -> dict[str, dict[str, str]]:
    """Read the settings of each listener."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == "listener":
            found[value] = {}
        elif found and key not in {"", "#"}:
            next(reversed(found.values()))[key] = value
    return found


def test_the_probe_s_connect_packet_announces_its_own_length() -> None:
    packet = mosquitto.connect_packet("gateway", "f" * 32)
    assert packet[0] == 0x10
    assert packet[1] == len(packet) - 2 < 128


def test_postgres_listens_on_loopback_and_keeps_statements_out_of_its_log() -> None:
    said = timescale.postgres_settings(Path("/d"), 15432, throwaway=False)
    assert "listen_addresses = '127.0.0.1'" in said
    assert "unix_socket_directories = ''" in said
    assert "log_min_error_statement = panic" in said


def test_only_a_throwaway_database_may_forget_what_it_has_promised() -> None:
    for throwaway in (True, False):
        said = timescale.postgres_settings(Path("/d"), 15432, throwaway=throwaway)
        assert ("fsync = off" in said) == throwaway
        assert ("synchronous_commit = off" in said) == throwaway


def test_a_cluster_s_answer_is_read() -> None:
    def broker(node: int) -> bytes:
        return struct.pack(">ih", node, 9) + b"127.0.0.1" + struct.pack(">ih", 9092, -1)

    answer = struct.pack(">ii", 1, 2) + broker(1) + broker(2) + struct.pack(">i", 2)
    assert kafka_wire.decode(answer) == kafka_wire.Cluster(frozenset({1, 2}), 2)


def test_what_is_no_broker_is_not_taken_for_one() -> None:
    with pytest.raises(ConnectionError, match="not a Kafka broker"):
        kafka_wire.decode(b"HTT")
