"""A flood is measured per device, forgiven after a pause, and reported when it goes on."""

from __future__ import annotations

from ingest.quotas import Quotas


def send(quotas: Quotas, device: str, values: int, now: float) -> bool:
    """Send one message as a flush of its own; whether it was above the quota."""
    if quotas.over(device, now):
        return True
    quotas.spend(device, values, now)
    return False


def test_a_steady_device_is_never_over_and_a_flood_keeps_its_own_rate() -> None:
    quotas = Quotas(per_second=10, reserve_seconds=2)
    assert not any(send(quotas, "steady", 10, float(second)) for second in range(1000))
    over = [send(quotas, "flood", 10, second / 10) for second in range(1000)]  # ten times too much
    assert over[:2] == [False, False]
    # What passes of a flood is what the device may send: a tenth of the rest.
    assert 95 <= over.count(False) <= 105
    assert not send(quotas, "steady", 10, 1001.0)


def test_a_reserve_that_was_used_up_comes_back_with_time() -> None:
    quotas = Quotas(per_second=10, reserve_seconds=2)
    assert not send(quotas, "dev", 25, 0.0)
    assert send(quotas, "dev", 25, 0.1)
    assert not send(quotas, "dev", 25, 2.6)


def test_a_message_larger_than_the_whole_reserve_passes_and_is_paid_for() -> None:
    quotas = Quotas(per_second=10, reserve_seconds=2)
    assert not send(quotas, "dev", 1000, 0.0)
    assert send(quotas, "dev", 1, 97.0)
    assert not send(quotas, "dev", 1, 99.0)


def test_a_flood_of_a_minute_is_told_of_once() -> None:
    quotas = Quotas(per_second=1, reserve_seconds=1)
    for second in range(60):
        send(quotas, "flood", 50, float(second))
    assert quotas.news(59.0) == []
    for second in range(60, 70):
        send(quotas, "flood", 50, float(second))
    assert (quotas.news(69.0), quotas.news(69.0)) == (["flood"], [])
    assert quotas.flooding(69.0) == ["flood"]
    assert quotas.flooding(100.0) == []
    for second in range(200, 270):
        send(quotas, "flood", 50, float(second))
    assert quotas.news(269.0) == ["flood"]
