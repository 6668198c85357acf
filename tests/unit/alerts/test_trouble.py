"""What lasts is said once."""

from __future__ import annotations

from structlog.testing import capture_logs

from alerts.trouble import Trouble


def test_a_trouble_is_said_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    with capture_logs() as logs:
        trouble = Trouble("no mail", channel="mail")
        trouble.over()
        for why in ("away", "away", "busy", "busy"):
            trouble.because(why)
        trouble.over()
        trouble.over()
        trouble.because("away")
    assert [(entry["event"], entry.get("why")) for entry in logs] == [
        ("no mail", "away"),
        ("no mail", "busy"),
        ("over", None),
        ("no mail", "away"),
    ]
    assert {entry["channel"] for entry in logs} == {"mail"}
