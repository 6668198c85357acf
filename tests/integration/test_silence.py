"""What does not come, on real Kafka and TimescaleDB: told once, whatever is killed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ingest.codec import Bundle, Message, Tick, encode
from ingest.kafka import partition_of
from ingest.readings import Instant, Vital
from ingest.registry.entities import (
    Assignment,
    Device,
    Patient,
    Prescription,
    Profile,
    Purpose,
    key,
)
from tests.integration.site import Site
from tests.unit.streams.log import moment
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

# Both of partition 0. The weight is to come every 36 seconds, without grace.
OFTEN = Prescription(0.01, 0)
HEART = Patient("p-9", Profile.HOME_HEART, prescriptions={Vital.WEIGHT: OFTEN})
BED = Patient("p-21", Profile.ICU)
# Ticks this far apart still count as a feed that is alive.
STEP = 9


@pytest.fixture
def site(kafka: str, database: str, tmp_path: Path) -> Site:
    """Give a test a log, a schema and names of its own."""
    made = Site(kafka, database, tmp_path)
    made.prepare()
    return made


def ticks(start: int, end: int, revision: int) -> list[tuple[int, bytes]]:
    return [
        (0, encode(Tick("gateway", moment(second), revision))) for second in range(start, end, STEP)
    ]


def sent(second: int, patient: str, **values: float) -> tuple[int, bytes]:
    instant = Instant(moment(second), {Vital(name): value for name, value in values.items()})
    message = Message(patient, f"d-{patient}", second, moment(second), (instant,))
    return 0, encode(Bundle("gateway", (message,)))


def alerts(site: Site) -> list[tuple[str, str, str, bool]]:
    return site.rows("SELECT patient, rule, class, ended IS NULL FROM alerts ORDER BY started")


def due(site: Site, patient: str) -> float | None:
    rows = site.rows("SELECT due FROM internal.state WHERE patient = %s", patient)
    return rows[0][0] if rows else None


def test_a_patient_who_never_sends_is_told_of_once_though_the_worker_is_killed(
    site: Site,
) -> None:
    assert partition_of(HEART.id) == 0
    site.register((key(HEART), encode(HEART)))
    with site.worker() as worker:
        site.send(ticks(0, 60, 1))
        site.wait_applied(worker)
        assert due(site, HEART.id) == 36 + 60
        assert not alerts(site)
        worker.kill()
    with site.worker() as worker:
        site.send(ticks(60, 300, 1))
        site.wait_applied(worker)
        assert alerts(site) == [(HEART.id, "silence.weight", "technical", True)]
        worker.kill()
    with site.worker() as worker:
        site.send(ticks(300, 600, 1))
        site.wait_applied(worker)
        site.send([sent(600, HEART.id, weight=80.0)])
        site.wait_applied(worker)
        assert worker.terminate() == 0
    assert alerts(site) == [(HEART.id, "silence.weight", "technical", False)]
    told = site.rows("SELECT phase FROM alert_events ORDER BY number")
    assert [phase for (phase,) in told] == ["start", "end"]
    assert site.rows("SELECT count(*) FROM deliveries") >= [(1,)]
    ((fed,),) = site.rows("SELECT fed FROM internal.progress WHERE partition = 0 AND fed > 0")
    assert fed > 500


def test_a_monitor_that_stops_is_told_of_and_a_feed_that_stops_is_not(site: Site) -> None:
    site.register((key(BED), encode(BED)))
    records = ticks(0, 9, 1)
    for n, second in enumerate(range(9, 400, STEP)):
        records += [sent(second, BED.id, spo2=95.0 + n % 5), *ticks(second, second + 1, 1)]
    with site.worker() as worker:
        site.send(records)
        # The feed is dead for an hour, and alive again for less than a monitor may be silent.
        site.send(ticks(4000, 4270, 1))
        site.wait_applied(worker)
        assert not alerts(site)
        site.send(ticks(4270, 4330, 1))
        site.wait_applied(worker)
        assert alerts(site) == [(BED.id, "silence.device", "technical", True)]
        site.send([sent(4330, BED.id, spo2=97.0), *ticks(4331, 4400, 1)])
        site.wait_applied(worker)
        assert alerts(site) == [(BED.id, "silence.device", "technical", False)]
        assert worker.terminate() == 0


def test_a_monitor_that_was_taken_off_is_told_of_no_more(site: Site) -> None:
    worn = Device(f"d-{BED.id}", "monitor", (Assignment(BED.id, moment(0)),))
    off = Device(worn.id, worn.model, (Assignment(BED.id, moment(0), moment(900)),))
    site.register((key(BED), encode(BED)), (key(worn), encode(worn)))
    records = ticks(0, 9, 2)
    for n, second in enumerate(range(9, 400, STEP)):
        records += [sent(second, BED.id, spo2=95.0 + n % 5), *ticks(second, second + 1, 2)]
    with site.worker() as worker:
        site.send([*records, *ticks(400, 900, 2)])
        site.wait_applied(worker)
        assert alerts(site) == [(BED.id, "silence.device", "technical", True)]
        worker.kill()
    site.register((key(off), encode(off)))
    with site.worker() as worker:
        site.send(ticks(900, 900 + 3600 + 2 * STEP, 3))
        site.wait_applied(worker)
        assert alerts(site) == [(BED.id, "silence.device", "technical", False)]
        assert due(site, BED.id) is None
        assert worker.terminate() == 0


def test_who_takes_back_the_consent_is_asked_no_more(site: Site) -> None:
    refuses = Patient(HEART.id, HEART.profile, consents=(Purpose.COLLECT,))
    site.register((key(HEART), encode(HEART)))
    with site.worker() as worker:
        site.send(ticks(0, 30, 1))
        site.wait_applied(worker)
        assert due(site, HEART.id) is not None
        site.register((key(refuses), encode(refuses)))
        site.send(ticks(30, 300, 2))
        site.wait_applied(worker)
        wait_until(lambda: due(site, HEART.id) is None, "the watch is let go of")
        assert worker.terminate() == 0
    assert not alerts(site)
