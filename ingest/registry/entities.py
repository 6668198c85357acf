"""Whose reading is it, may its device publish it, and may we keep it? The domain: no I/O, no clock.

The truth is in the database's tables; each change goes to the compacted topic `vigie.registry`,
which gateways and workers follow. A *revision* is an offset in it: revision n is the state after
all records below offset n.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads annotations at run time)
from enum import StrEnum
from typing import Annotated

import msgspec

from ingest.readings import Vital  # noqa: TC001 (as above)

# An id becomes part of an MQTT topic and a Kafka key, so no wildcard, slash or blank. `$` by itself
# would let a line feed at the end pass.
Identifier = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]


# Ten years, as old as a reading may be: a clock that was never set is corrected by a site's hand.
Offset = Annotated[float, msgspec.Meta(ge=-315_532_800.0, le=315_532_800.0)]


class Profile(StrEnum):
    """Where and how closely a patient is watched."""

    ICU = "icu"
    WARD = "ward"
    HOME_HEART = "home-heart"
    HOME_RESPIRATORY = "home-respiratory"
    WEARABLE = "wearable"


class Purpose(StrEnum):
    """What a patient can agree to, each by a consent of its own (GDPR, article 7)."""

    COLLECT = "collect"  # readings are kept
    MONITOR = "monitor"  # they are watched, and the physician is told
    SHARE = "share"  # measures go to the patient's e-health space (ENS)
    RESEARCH = "research"  # series may be studied under a pseudonym


# A record or a registry file that says nothing of consents: its site vouches for these.
USUAL = (Purpose.COLLECT, Purpose.MONITOR, Purpose.SHARE)


class Format(StrEnum):
    """What a device may speak: the last part of its topic, or for vendor JSON the part before."""

    VIGIE = "readings"
    FHIR = "fhir"
    OPEN_MHEALTH = "omh"
    GATT = "gatt"
    RAW = "raw"


class Limit(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Prescribed bounds of one vital, in its own unit; None means no bound on that side.

    A value beyond counts once it has been beyond for `seconds`, in at least `count` readings, and
    is over once it has come back by `margin` (the vital's unit). None leaves each of these to the
    patient's profile. `urgent`: beyond it, the patient needs an urgent consultation.
    """

    low: float | None = None
    high: float | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    margin: Annotated[float, msgspec.Meta(ge=0)] | None = None
    urgent: bool = False


class Trend(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A change of one vital that must not happen within so many days, in the vital's own unit.

    None means that this direction is not watched.
    """

    days: Annotated[float, msgspec.Meta(gt=0, le=90)]
    rise: Annotated[float, msgspec.Meta(gt=0)] | None = None
    fall: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Prescription(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A measurement that the patient was told to make, and how late it may come."""

    every_hours: Annotated[float, msgspec.Meta(gt=0, le=2400)]
    grace_hours: Annotated[float, msgspec.Meta(ge=0, le=2400)] = 12.0


class Member(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A professional of a patient's care team, by role and mailbox."""

    role: str
    address: str


class Patient(
    msgspec.Struct,
    frozen=True,
    tag_field="schema",
    tag="patient/1",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A patient's settings, under a pseudonym. Names and INS are kept elsewhere.

    `physician` is the mailbox that alerts go to; None means the service's on-call address.
    `ens` is the pairing identifier (idPE) of the patient's e-health space; None means that nothing
    is shared with it. `spo2_scale` 2 is for a clinician-confirmed hypercapnic failure only.
    `consents` are the purposes that are agreed to now; the database keeps when, by which text, and
    who recorded it.

    `born` is the year of birth (None: an adult, as far as is known), `pregnant` as of now: NEWS2 is
    for neither children nor pregnancy. `trends` and `prescriptions` go before the profile's own.
    """

    id: Identifier
    profile: Profile = Profile.WARD
    limits: dict[Vital, Limit] = {}
    physician: str | None = None
    ens: str | None = None
    spo2_scale: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    consents: tuple[Purpose, ...] = USUAL
    team: tuple[Member, ...] = ()
    born: Annotated[int, msgspec.Meta(ge=1880, le=2200)] | None = None
    pregnant: bool = False
    trends: dict[Vital, Trend] = {}
    prescriptions: dict[Vital, Prescription] = {}


class Assignment(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"start": "from"},
    forbid_unknown_fields=True,
):
    """A device is worn by a patient from `start` on, up to but not including `until` (UTC)."""

    patient: Identifier
    start: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a time without a zone: it can be compared with no reading's."""
        if self.start.tzinfo is None or (self.until is not None and self.until.tzinfo is None):
            raise ValueError("times need a zone, such as 2026-01-01T00:00:00Z")

    def covers(self, time: datetime) -> bool:
        """Whether a reading of this time belongs to this patient."""
        return self.start <= time and (self.until is None or time < self.until)


class Device(
    msgspec.Struct,
    frozen=True,
    tag_field="schema",
    tag="device/1",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A device that may publish, what it is, and who wore it when.

    `model` names an entry of the health store, `version` the device's own software.
    `clock_offset_seconds` is added to every time that it sends: a site sets it for a clock that is
    known to be wrong, nothing else does. A revoked device is refused at the door.
    """

    id: Identifier
    model: Identifier
    assignments: tuple[Assignment, ...] = ()
    version: str | None = None
    clock_offset_seconds: Offset = 0.0
    revoked: bool = False


class Listing(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a model measures of one vital: its range, in the vital's own unit, and its units.

    `units` are the UCUM codes that it may send; none means every unit that Vigie converts.
    """

    low: float | None = None
    high: float | None = None
    units: tuple[str, ...] = ()


class Model(
    msgspec.Struct,
    frozen=True,
    tag_field="schema",
    tag="model/1",
    omit_defaults=True,
    rename={"listed_from": "from", "listed_until": "until"},
    forbid_unknown_fields=True,
):
    """A device model or an application of the health store: the list of what may publish.

    It may from `listed_from` on, up to but not including `listed_until` (UTC; None: no end), in
    software of the versions from `min_version` to `max_version` (dotted numbers, both included).
    """

    id: Identifier
    maker: str
    name: str
    formats: tuple[Format, ...]
    vitals: dict[Vital, Listing]
    listed_from: datetime
    listed_until: datetime | None = None
    min_version: str | None = None
    max_version: str | None = None

    def __post_init__(self) -> None:
        """Refuse a time without a zone."""
        if self.listed_from.tzinfo is None or (
            self.listed_until is not None and self.listed_until.tzinfo is None
        ):
            raise ValueError("times need a zone, such as 2026-01-01T00:00:00Z")


Entity = Patient | Device | Model


def kind(entity: Entity) -> str:
    """Name the kind of an entity as the topic's keys do.

    >>> kind(Patient("p-1"))
    'patient'
    """
    return type(entity).__name__.lower()


def key(entity: Entity) -> bytes:
    """Name the entity in the compacted topic."""
    return f"{kind(entity)}:{entity.id}".encode()
