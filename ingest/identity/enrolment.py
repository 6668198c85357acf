"""A device comes into the system and leaves it: the registry's part, beside the authority's.

The registry has the last word on what may publish, the authority on who it is. Enrolment asks the
registry before what it signed counts. Revocation begins at the authority, so that it holds at the
broker also while the registry cannot be reached.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from ingest.identity import issuing
from ingest.identity.errors import EnrolmentRefused
from ingest.registry import office
from ingest.registry.entities import Device, Identifier, Model
from ingest.registry.standing import admits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from ingest.identity.authority import Authority
    from ingest.identity.index import Reason
    from ingest.identity.issuing import Given, Wanted
    from ingest.registry.entities import Entity
    from ingest.settings import Settings

# Client ids of our own programs: a device of that name would push one off the broker.
RESERVED = re.compile(r"gateway|vigie-", re.IGNORECASE)
ENROLLED = "`{0}` is enrolled already: `vigie devices rotate {0}` gives it a new certificate"


def enrol(
    settings: Settings,
    authority: Authority,
    wanted: Sequence[Wanted],
    *,
    by: str,
    life: timedelta,
    password: bool = False,
) -> list[Given]:
    """Register devices and give each its certificate, or password; all or none.

    `by` is who asked for it, `life` for how long the certificates are valid. What the registry has
    of a device already, who wears it for instance, stays. Raises EnrolmentRefused with each fault,
    and what the registry raises; then nothing was issued.
    """
    _refuse(list(_strange(authority, wanted)), wanted)
    given = issuing.sign(authority, wanted, life=life, password=password)

    def edit(known: dict[bytes, Entity]) -> list[Entity]:
        faults = [fault for one in wanted if (fault := _unlisted(one, known, authority.now))]
        _refuse(faults, wanted)
        return [_entity(one, known.get(_device(one.device))) for one in wanted]

    keys = {_device(one.device) for one in wanted} | {_model(one.model) for one in wanted}
    office.amend(settings, keys, edit, by=by, why="enrolled")
    issuing.record(authority, given)
    return given


def registered_model(settings: Settings, device: str) -> str:
    """Return the model under which the registry has the device; raises EnrolmentRefused if not."""
    found = office.find(settings, _device(device))
    if not isinstance(found, Device):
        raise EnrolmentRefused(f"`{device}` is not registered yet: name its --model")
    return found.model


def close_door(settings: Settings, device: str, reason: Reason, by: str) -> bool:
    """Let the registry refuse a device from now on; False when the registry does not know it."""
    known = False

    def edit(found: dict[bytes, Entity]) -> list[Entity]:
        nonlocal known
        known = bool(found)
        return [
            msgspec.structs.replace(one, revoked=True)
            for one in found.values()
            if isinstance(one, Device)
        ]

    office.amend(settings, [_device(device)], edit, by=by, why=f"revoked: {reason}")
    return known


def _refuse(faults: list[str], wanted: Sequence[Wanted]) -> None:
    if faults:
        raise EnrolmentRefused(faults[0] if len(wanted) == 1 else faults)


def _strange(authority: Authority, wanted: Sequence[Wanted]) -> Iterator[str]:
    """Find what is wrong whatever the registry says; its device stands in each fault."""
    counting, ended = authority.counting(), authority.ended()
    times = Counter(one.device for one in wanted)
    yield from (f"`{name}` is there {n} times" for name, n in times.items() if n > 1)
    for device in times:
        if not _is_id(device):
            yield (
                f"`{device}` is no id: up to 64 letters, digits, `.`, `_`, `-`, the first of them "
                "a letter or digit"
            )
        elif RESERVED.match(device):
            yield f"`{device}`: names that begin with `gateway` or `vigie-` are Vigie's own"
        elif device in ended:
            yield issuing.FOR_GOOD.format(device)
        elif device in counting:
            yield ENROLLED.format(device)


def _is_id(text: str) -> bool:
    try:
        msgspec.convert(text, Identifier)
    except msgspec.ValidationError:
        return False
    return True


def _unlisted(one: Wanted, known: dict[bytes, Entity], now: datetime) -> str | None:
    """Say why the registry does not want this device; None: it may publish."""
    device, model, found = one.device, known.get(_model(one.model)), known.get(_device(one.device))
    if not isinstance(model, Model):
        return f"`{device}`: the model `{one.model}` is not in the health store"
    if now < model.listed_from or (model.listed_until is not None and now >= model.listed_until):
        return f"`{device}`: the model `{one.model}` is not listed now"
    if isinstance(found, Device):
        if found.revoked:
            return issuing.FOR_GOOD.format(device)
        if found.model != one.model:
            return f"`{device}` is registered as a `{found.model}`, not as a `{one.model}`"
    version = _version(one, found)
    if not admits(model, version):
        low, high = model.min_version or "any", model.max_version or "any"
        said = "no --version was given" if version is None else f"not {version}"
        return f"`{device}`: `{one.model}` is listed in versions {low} to {high}; {said}"
    return None


def _version(one: Wanted, found: Entity | None) -> str | None:
    if one.version is None and isinstance(found, Device):
        return found.version
    return one.version


def _entity(one: Wanted, found: Entity | None) -> Device:
    if isinstance(found, Device):
        return msgspec.structs.replace(found, version=_version(one, found))
    return Device(one.device, one.model, version=one.version)


def _device(name: str) -> bytes:
    return f"device:{name}".encode()


def _model(name: str) -> bytes:
    return f"model:{name}".encode()
