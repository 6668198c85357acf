"""The mail that tells a physician of an alert event: its subject, its text, its headers. Pure.

The subject names neither the patient nor a value: it shows on locked screens and in mail logs.
"""

from __future__ import annotations

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from alerts.channels import french
from alerts.events import Phase
from detectors.explain import Language, explain
from detectors.findings import Kind, Priority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from alerts.delivery import Due
    from alerts.events import AlertEvent

DASH = "\N{EN DASH}"
# What a physician is asked to do (design: high = urgent consultation, medium = closer follow-up).
ASKED = {
    Priority.HIGH: "Consultation urgente",
    Priority.MEDIUM: "Suivi rapproché",
    Priority.LOW: "Information",
}
PRIORITIES = {Priority.HIGH: "haute", Priority.MEDIUM: "moyenne", Priority.LOW: "basse"}
NOTICE = "Les alertes par courriel sont informatives : en cas d'urgence, appelez le 15."


class UnusableAddress(ValueError):
    """The recipient or the sender is no mail address. The text does not quote it."""


def message(due: Due, sender: str, now: datetime) -> EmailMessage:
    """Write the mail of a delivery. `now` (UTC) becomes its date. Raises UnusableAddress.

    Its Message-ID is derived from the delivery, so that a second copy can be recognised.
    """
    mail = EmailMessage()
    own = address(sender)
    mail["From"] = own
    mail["To"] = address(due.delivery.recipient)
    mail["Subject"] = subject(due.event)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{due.delivery.id}@{own.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(body(due.event), cte="quoted-printable")
    mail["Content-Language"] = "fr"  # after the content, which sets its own headers anew
    return mail


def subject(event: AlertEvent) -> str:
    """Say what is asked, of nobody in particular."""
    if event.kind is Kind.TECHNICAL:
        return f"[Vigie] Alerte technique {DASH} une surveillance demande votre attention"
    asked = f"[Vigie] {ASKED[event.priority]}"
    if event.phase is Phase.ESCALATE:
        return f"{asked} {DASH} l'état d'un patient s'est aggravé"
    return f"{asked} {DASH} un patient demande votre attention"


def body(event: AlertEvent) -> str:
    """Say who (by pseudonym), what, since when, on which measures, and what is missing."""
    return "\n".join(_lines(event)) + "\n"


def _lines(event: AlertEvent) -> Iterator[str]:
    finding = event.finding
    if event.kind is Kind.TECHNICAL:
        yield f"Alerte technique : surveillance du patient {event.patient} (pseudonyme)"
    else:
        yield f"{ASKED[event.priority]} : patient {event.patient} (pseudonyme)"
    if event.phase is Phase.ESCALATE:
        yield "AGGRAVATION : cette alerte était déjà ouverte ; sa priorité a augmenté."
    yield ""
    yield f"Priorité : {PRIORITIES[event.priority]}"
    yield f"Motif : {explain(finding, Language.FRENCH, moment=event.time)}"
    # An alert opens a little after what it speaks of began.
    began = event.started if finding.since is None else min(finding.since, event.started)
    yield f"Depuis : {french.moment(began)}"
    if event.time != event.started:
        yield f"Dernier événement : {french.moment(event.time)}"
    if finding.evidence:
        yield ""
        yield "Mesures (heure de Paris) :"
        yield from (f"- {french.evidence(one, event.time)}" for one in finding.evidence)
    yield ""
    yield NOTICE
    yield f"Référence de l'alerte : {event.alert}"


def address(text: str) -> Address:
    """Read a mail address. Raises UnusableAddress."""
    try:
        found = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError):
        raise UnusableAddress("no mail address") from None
    # A registry is free text: what would break a header, or has no server, is no address.
    if not found.username or not found.domain or not text.isprintable():
        raise UnusableAddress("no mail address")
    return found
