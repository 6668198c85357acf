"""What `ingest.formats.port.Decode` promises, held against one message."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from ingest.codec import Refused, encode
from ingest.readings import SPECS, Refusal
from tests.contract.drawn import RECEIVED

if TYPE_CHECKING:
    from ingest.formats.port import Decoded
    from tests.contract.format_cases import Case


def decoded(case: Case, payload: bytes) -> Decoded:
    """Read a message, and hold what comes against what every format promises."""
    found = case.decode(payload, "dev-1", RECEIVED)
    assert found.instants or found.refused, "something is told of every message"
    assert len(found.places) == len(found.instants)
    assert found.id is None or re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", found.id)
    for instant in found.instants:
        assert instant.values
        assert instant.time.tzinfo is UTC
        assert instant.quality.keys() | instant.original.keys() <= instant.values.keys()
        for vital, value in instant.values.items():
            assert value in SPECS[vital].hard
    for one in found.refused:
        assert isinstance(one, Refused)
        assert isinstance(one.reason, Refusal)
        assert len(one.at) < 300, "a place is no way to send us anything"
    encode((found.instants, found.refused, list(found.places)))
    return found
