"""What a patient must measure, and how soon it is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.registry import rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingest.readings import Vital
    from ingest.registry.entities import Patient, Prescription, Profile


def prescribed(
    settings: Patient, profile_s: Mapping[Vital, Prescription]
) -> Mapping[Vital, Prescription]:
    """Return what the patient must measure: the profile's, the patient's own, what nobody may drop.

    >>> from ingest.registry.entities import Patient, Profile
    >>> sorted(prescribed(Patient("p-1", Profile.HOME_HEART), {}))
    [<Vital.WEIGHT: 'weight'>]
    """
    found = {**profile_s, **settings.prescriptions}
    for vital, least in rules.MANDATORY.get(settings.profile, {}).items():
        one = found.get(vital)
        if one is None or rules.laxer(one, least):
            found[vital] = least
    return found


def lacking(profile: Profile, own: Mapping[Vital, Prescription]) -> str | None:
    """Say what a profile would switch off that must not be; None: nothing.

    >>> from ingest.registry.entities import Profile
    >>> lacking(Profile.HOME_HEART, {})
    'home-heart: weight every 24 h, told within 24 h more, is mandatory: it cannot be switched off'
    """
    for vital, least in rules.MANDATORY.get(profile, {}).items():
        one = own.get(vital)
        if one is None or rules.laxer(one, least):
            return rules.mandatory(vital, profile)
    return None


def late_after(order: Prescription) -> float:
    """Return how many seconds after the last measurement the next one is missed.

    >>> from ingest.registry.entities import Prescription
    >>> late_after(Prescription(every_hours=24, grace_hours=12)) / 3600
    36.0
    """
    return 3600 * (order.every_hours + order.grace_hours)
