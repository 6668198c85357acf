"""The worker on real Kafka and TimescaleDB: nothing lost, nothing twice, whatever is killed."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ingest.codec import Bundle, Message, Tick, decode_rejected, encode
from ingest.readings import Instant, Refusal, Vital
from ingest.registry.entities import Limit, Patient, key
from tests.integration.site import PARTITIONS, Site
from tests.unit.streams.log import moment
from tests.waiting import wait_until

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

pytestmark = pytest.mark.servers

VITALS = (Vital.HEART_RATE, Vital.SPO2, Vital.TEMPERATURE)


@pytest.fixture
def site(kafka: str, database: str, tmp_path: Path) -> Site:
    """Give a test a log, a schema and names of its own."""
    made = Site(kafka, database, tmp_path)
    made.prepare()
    return made


class Ward:
    """Patients of each partition, whose devices send plausible values, second by second."""

    def __init__(self, patients: int = 3) -> None:
        self._random = random.Random(7)
        self._patients = patients
        self._second = 0
        self.told: dict[tuple[str, str, Vital, datetime], float] = {}

    def bundles(self, count: int) -> list[tuple[int, bytes]]:
        """Make records, partition after partition, each with a message of each patient."""
        return [(n % PARTITIONS, self._bundle(n % PARTITIONS)) for n in range(count)]

    def _bundle(self, partition: int) -> bytes:
        self._second += 1
        return encode(
            Bundle(
                "gateway",
                tuple(self._message(f"p-{partition}-{n}") for n in range(self._patients)),
            )
        )

    def _message(self, patient: str) -> Message:
        values = {
            Vital.HEART_RATE: float(self._random.randint(60, 90)),
            Vital.SPO2: float(self._random.randint(95, 99)),
            Vital.TEMPERATURE: round(self._random.uniform(36.2, 37.4), 1),
        }
        device, time = f"d-{patient}", moment(self._second)
        for vital, value in values.items():
            self.told[patient, device, vital, time] = value
        received = time + timedelta(milliseconds=20)
        return Message(patient, device, self._second, received, (Instant(time, values),))


def stored(site: Site) -> dict[tuple[str, str, Vital, datetime], float]:
    """Read all rows, and see that none is there twice."""
    rows = site.rows("SELECT patient, device, vital, time, value FROM readings")
    found = {(patient, device, Vital(vital), time): v for patient, device, vital, time, v in rows}
    assert len(found) == len(rows)
    return found


def assert_balanced(site: Site, ward: Ward) -> None:
    """See that the ledger agrees with the rows and with what was sent."""
    ((received, kept, duplicate, difference),) = site.rows(
        "SELECT sum(received)::int, sum(stored)::int, sum(duplicate)::int, sum(difference)::int"
        " FROM ledger"
    )
    assert (kept, difference) == (len(ward.told), 0)
    assert received == kept + duplicate


def test_bundles_go_in_and_rows_come_out_value_for_value_once(site: Site) -> None:
    ward = Ward()
    records = ward.bundles(40)
    site.send(records)
    with site.worker() as worker:
        site.wait_applied(worker)
        site.send(records)  # a gateway that got no answer sends again
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert stored(site) == ward.told
    assert_balanced(site, ward)
    assert site.rows("SELECT count(*) FROM assessments") == [(len(ward.told) // len(VITALS),)]


def test_a_worker_killed_again_and_again_under_load_loses_and_doubles_nothing(site: Site) -> None:
    ward = Ward(patients=20)
    site.send(ward.bundles(1200))
    for fraction in (0.2, 0.6):
        with site.worker() as worker:
            wait_until(lambda: site.applied() > fraction * site.sent, "some is applied", pause=0.01)  # noqa: B023
            worker.kill()
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert stored(site) == ward.told
    assert_balanced(site, ward)


def test_while_the_database_is_away_the_log_waits_and_nothing_is_lost(site: Site) -> None:
    ward = Ward()
    with site.worker() as worker:
        worker.wait_share()
        site.send(ward.bundles(8))
        site.wait_applied(worker)
        with site.database_away():
            site.send(ward.bundles(200))
            worker.wait_said("database away")
        site.wait_applied(worker)
        assert worker.log().count("database away") == 1, "told once, not at every attempt"
        worker.wait_said("database back")
        assert worker.terminate() == 0
    assert stored(site) == ward.told
    assert_balanced(site, ward)


def test_a_worker_told_to_stop_while_the_database_is_away_stops_at_once(site: Site) -> None:
    site.send(Ward().bundles(8))
    with site.database_away(), site.worker() as worker:
        worker.wait_said("database away")
        assert worker.terminate() == 0
    assert site.applied() == 0


def test_poison_goes_to_quarantine_and_everything_else_goes_on(site: Site) -> None:
    ward = Ward()
    good = ward.bundles(8)
    # Passes our codec, but no index takes a key of this length.
    name = random.Random(1).randbytes(20_000).hex()
    instant = Instant(moment(0), {Vital.SPO2: 97.0})
    long = encode(Bundle("gateway", (Message(name, "d-1", 1, moment(0), (instant,)),)))
    site.send([*good[:4], (0, b"\xffnot ours"), (1, long), (2, b""), *good[4:]])
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert stored(site) == ward.told
    letters = [decode_rejected(v) for _, v in site.rows("SELECT topic, value FROM internal.outbox")]
    assert {r.reason for letter in letters for r in letter.refused} == {Refusal.UNDECODABLE}
    assert {letter.place for letter in letters} == {
        f"{site.names.readings}/{partition}/1" for partition in range(3)
    }
    assert site.rows("SELECT sum(dead)::int FROM ledger") == [(len(letters),)]


def test_two_workers_share_the_log_and_one_takes_over_what_the_other_leaves(site: Site) -> None:
    ward = Ward()
    with site.worker() as first, site.worker() as second:
        for worker in (first, second):
            worker.wait_share(size=PARTITIONS // 2)
        assert (first.share() or set()) | (second.share() or set()) == set(range(PARTITIONS))
        site.send(ward.bundles(100))
        site.wait_applied()
        site.send(ward.bundles(100))
        assert first.terminate() == 0
        site.send(ward.bundles(100))
        second.wait_share()
        site.wait_applied(second)
        assert second.terminate() == 0
    assert stored(site) == ward.told
    assert_balanced(site, ward)


def test_a_database_restored_from_a_backup_is_caught_up_from_its_own_place(site: Site) -> None:
    """Guards the private call by which the consumer is set to our offsets at a rebalance."""
    ward = Ward()
    site.send(ward.bundles(40))
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0  # Kafka's committed offsets are at the end now
    # The backup was taken when partition 0 had got to 3, and the others had not begun.
    site.do(
        "DELETE FROM internal.sample; DELETE FROM internal.state; UPDATE internal.progress"
        " SET next_offset = CASE partition WHEN 0 THEN 3 ELSE 0 END WHERE topic LIKE 'readings.%'"
    )
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    before = {who for who in ward.told if who[0].startswith("p-0-") and who[3] < moment(13)}
    assert len(before) == 3 * 3 * len(VITALS)
    assert stored(site).keys() == ward.told.keys() - before


def test_a_gap_in_the_offsets_ends_the_worker_and_the_next_one_starts_at_its_own_place(
    site: Site,
) -> None:
    ward = Ward()
    site.send(ward.bundles(40))
    with site.worker() as worker:
        site.wait_applied(worker)
        site.do(
            "UPDATE internal.progress SET next_offset = next_offset - 3"
            " WHERE partition = 0 AND topic LIKE 'readings.%'"
        )
        site.send(ward.bundles(PARTITIONS))
        assert worker.wait_exit() == 1
        assert "start again at its own offset" in worker.log()
    with site.worker() as worker:
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert stored(site) == ward.told


def test_records_that_kafka_deleted_are_counted_as_lost_and_gone_past(site: Site) -> None:
    ward = Ward()
    site.send(ward.bundles(40))
    site.delete_below(0, 4)
    with site.worker() as worker:
        site.wait_applied(worker)
        worker.wait_said("records lost")
        assert worker.terminate() == 0
    assert site.rows("SELECT partition, lost FROM ledger WHERE lost > 0") == [(0, 4)]
    assert len(stored(site)) == len(ward.told) * 36 // 40


def test_a_log_that_ends_before_our_place_is_not_our_log(site: Site) -> None:
    site.do(
        "UPDATE internal.progress SET next_offset = 100"
        " WHERE partition = 2 AND topic LIKE 'readings.%'"
    )
    with site.worker() as worker:
        assert worker.wait_exit() == 1
        assert "Kafka lost data, or the topic was made anew" in worker.log()


def test_a_new_limit_holds_from_its_tick_on_and_not_before(site: Site) -> None:
    """The registry is read along; what holds for a record is what the log says, not the clock."""

    def reading(second: int) -> tuple[int, bytes]:
        instant = Instant(moment(second), {Vital.SPO2: 93.0})
        told = Message("p-1", "d-1", second + 1, moment(second), (instant,))
        return 0, encode(Bundle("gateway", (told,)))

    def tick(revision: int, second: int) -> tuple[int, bytes]:
        return 0, encode(Tick("gateway", moment(second), revision))

    wide = Patient("p-1", limits={Vital.SPO2: Limit(low=80)})
    narrow = Patient("p-1", limits={Vital.SPO2: Limit(low=95)})
    site.register((key(wide), encode(wide)))
    site.send([tick(1, 0), *(reading(s) for s in range(1, 200)), tick(2, 200)])
    site.send(reading(s) for s in range(201, 400))
    with site.worker() as worker:
        worker.wait_said("waiting for the registry")
        site.register((key(narrow), encode(narrow)))
        site.wait_applied(worker)
        assert worker.terminate() == 0
    starts = site.rows("SELECT started FROM alerts WHERE patient = 'p-1' AND rule = 'limits.spo2'")
    assert len(starts) == 1
    assert moment(201) <= starts[0][0] < moment(400)
