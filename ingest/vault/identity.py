"""Who a patient is: the traits, checked field by field. An error names the field, never a value."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from ingest.ports import VigieError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Systems of the INS (ANS, FR Core `fr-core-patient-ins`); the last two never name a real person.
NIR, NIA, TEST, DEMO = (f"1.2.250.1.213.1.4.{n}" for n in (8, 9, 10, 11))
SYSTEMS = frozenset({NIR, NIA, TEST, DEMO})
# Sex, year, month, department (Corsica 2A, 2B), commune, order, key. 3, 4, 7 and 8 open numbers
# that were given provisionally; months above 12 stand for a birth whose month is not known.
MATRICULE = re.compile(r"[1-478]\d{4}(?:\d{2}|2[AB])\d{6}\d{2}", re.ASCII)
CONTROL = 97
MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
# E.164 has 15 digits at most; the shortest number that a person has is longer than 5.
PHONE = re.compile(r"\+?\d{6,15}", re.ASCII)
# An INSEE code of a commune, or of a country for who was born abroad.
PLACE = re.compile(r"(?:\d{2}|2[AB])\d{3}", re.ASCII)
LONGEST = 100
FIRST_YEAR = 1890


class BadIdentity(VigieError):
    """The traits are not those of a person; `faults` say of which field, and what would be right.

    Never what was given: it would be a patient's name or number in a terminal's history.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Sex(StrEnum):
    """The sex that is registered with the INS; I where it is not determined."""

    FEMALE = "F"
    MALE = "M"
    UNDETERMINED = "I"


class Ins(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The national health identity: the matricule with its control key, and whose number it is."""

    matricule: str
    oid: str = NIR

    def __repr__(self) -> str:
        return "Ins(...)"


class Identity(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A patient's traits and contact. It is only ever stored sealed, and never printed by accident.

    `name` is the name in use, where it differs from the birth name. `given_names` are those of
    birth, in their order. `birth_place` is an INSEE code. None means that a trait is not known.
    """

    birth_name: str
    given_names: tuple[str, ...]
    birth_date: date
    sex: Sex
    name: str | None = None
    birth_place: str | None = None
    ins: Ins | None = None
    mail: str | None = None
    phone: str | None = None

    def __repr__(self) -> str:
        return "Identity(...)"


FIELDS = (
    "birth_name", "given_names", "birth_date", "sex", "name", "birth_place",
    "ins", "ins_oid", "mail", "phone",
)  # fmt: skip
REQUIRED = ("birth_name", "given_names", "birth_date", "sex")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Identity)
encode = _encoder.encode


def decode(clear: bytes) -> Identity:
    """Read what was sealed. Raises BadIdentity, which tells nothing of it."""
    try:
        return _decoder.decode(clear)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadIdentity(["a sealed identity is of another version of Vigie"]) from None


def read(row: Mapping[str, Any], today: date) -> Identity:
    """Check a row of a file: text by field name; an empty text is a trait that is not known.

    `given_names` may be a list. `today` bounds the birth date. Raises BadIdentity with every fault.
    """
    given = {name: text for name in row if (text := _text(row[name])) != ""}
    faults = [f"`{name}` is no field; there are {', '.join(FIELDS)}" for name in _unknown(row)]
    faults += [f"`{name}` is missing" for name in REQUIRED if name not in given]
    found: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        if name in given:
            try:
                found[name] = check(given[name])
            except ValueError as fault:
                faults.append(f"`{name}` {fault}")
    born = found.get("birth_date", today)
    if born.year < FIRST_YEAR or born > today:
        faults.append("`birth_date` is in the future, or too long ago")
    system = found.pop("ins_oid", None)
    if system is not None and "ins" not in given:
        faults.append("`ins_oid` needs `ins`")
    if faults:
        raise BadIdentity(faults)
    if "ins" in found:
        found["ins"] = Ins(found["ins"], system or NIR)
    return Identity(**found)


def read_ins(number: str, oid: str = "") -> Ins:
    """Check an INS that somebody typed; without an `oid` it is an NIR. Raises BadIdentity."""
    faults = []
    for name, check, text in (("ins", _matricule, number), ("ins_oid", _system, oid or NIR)):
        try:
            check(text)
        except ValueError as fault:
            faults.append(f"`{name}` {fault}")
    if faults:
        raise BadIdentity(faults)
    return Ins(_matricule(number), _system(oid or NIR))


def control_key(number: str) -> int:
    """Compute the control key of an INS' first 13 characters: 97 minus the number modulo 97.

    For Corsica, 2A counts as 19 and 2B as 18 (INSEE).

    >>> control_key("2690549588157")
    80
    """
    digits = number.replace("2A", "19").replace("2B", "18")
    return CONTROL - int(digits) % CONTROL


def _unknown(row: Mapping[str, Any]) -> list[str]:
    # A field's name is shown only where it looks like one: a file without a header has names there.
    return [
        name if re.fullmatch(r"[a-z_]{1,20}", name) else "?" for name in row if name not in FIELDS
    ]


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_text(one) for one in value)
    return str(value).strip() if isinstance(value, str | date) else "\x00"


def _matricule(text: str) -> str:
    number = re.sub(r"[\s.]", "", text).upper()
    if not MATRICULE.fullmatch(number):
        raise ValueError("must have 15 characters: 13 of the number and 2 of its key")
    if control_key(number[:13]) != int(number[13:]):
        raise ValueError("does not fit its control key: a character is wrong")
    return number


def _system(text: str) -> str:
    oid = text.removeprefix("urn:oid:")
    if oid not in SYSTEMS:
        raise ValueError(f"must be one of {', '.join(sorted(SYSTEMS))}")
    return oid


def _name(text: str) -> str:
    if len(text) > LONGEST or not text.isprintable() or not any(c.isalpha() for c in text):
        raise ValueError(f"must be a name of at most {LONGEST} characters")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(_name(one) for one in re.split(r"[\s,;]+", text) if one)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date such as 1980-12-31") from None


def _sex(text: str) -> Sex:
    try:
        return Sex(text.upper())
    except ValueError:
        raise ValueError("must be F, M or I") from None


def _place(text: str) -> str:
    if not PLACE.fullmatch(text.upper()):
        raise ValueError("must be an INSEE code of 5 characters")
    return text.upper()


def _mail(text: str) -> str:
    if len(text) > 254 or not MAIL.fullmatch(text):  # noqa: PLR2004 (RFC 5321: the longest path)
        raise ValueError("must be a mail address")
    return text


def _phone(text: str) -> str:
    number = re.sub(r"[\s.()/-]", "", text)
    if not PHONE.fullmatch(number):
        raise ValueError("must be a telephone number of 6 to 15 digits")
    return number


_CHECKS: dict[str, Callable[[str], Any]] = {
    "birth_name": _name,
    "given_names": _names,
    "birth_date": _date,
    "sex": _sex,
    "name": _name,
    "birth_place": _place,
    "ins": _matricule,
    "ins_oid": _system,
    "mail": _mail,
    "phone": _phone,
}
