"""The ends that lock devices out are told early, and cost nothing where there is no authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from ingest.identity import authority as authorities
from ingest.identity import issuing
from ingest.identity.authority import opened
from ingest.identity.index import Reason
from ingest.identity.issuing import Wanted
from ingest.identity.watch import Ends

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
DAY = timedelta(days=1)
MOMENTS = "vigie_identity_ends_timestamp_seconds"
SOON = "vigie_identity_devices_ending"


@dataclass
class At:
    moment: datetime

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clock = At(NOW)
    authorities.create(tmp_path / "authority", "Vigie", clock=clock)
    with opened(tmp_path / "authority", clock=clock) as authority:
        authority.renew(spare=True)
        for name, days in (("ends", 20), ("stays", 397), ("revoked", 20)):
            (given,) = issuing.sign(authority, [Wanted(name, "m")], life=days * DAY, password=False)
            issuing.record(authority, [given])
        issuing.record(
            authority,
            issuing.sign(authority, [Wanted("password", "m")], life=DAY, password=True),
        )
        authority.revoke("revoked", Reason.RETIRED)
    return tmp_path / "authority"


def test_the_ends_are_told_as_they_are_in_the_folder(folder: Path) -> None:
    registry = CollectorRegistry()
    registry.register(Ends(folder, At(NOW)))
    listed = registry.get_sample_value(MOMENTS, {"what": "revocations"})
    assert listed == (NOW + authorities.LIST_LIFE).timestamp()
    assert registry.get_sample_value(MOMENTS, {"what": "authority"})
    assert registry.get_sample_value(MOMENTS, {"what": "server"})
    assert registry.get_sample_value(SOON) == 1
    with opened(folder, clock=At(NOW + DAY)) as authority:
        issuing.rotate(authority, "ends", life=397 * DAY, overlap=DAY)
    assert registry.get_sample_value(SOON) == 0
    assert registry.get_sample_value(MOMENTS, {"what": "revocations"}) == listed + 86_400


def test_where_there_is_no_authority_nothing_is_told(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(Ends(tmp_path / "none"))
    assert registry.get_sample_value(SOON) is None
    assert list(registry.collect()) == []
