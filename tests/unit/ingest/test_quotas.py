"""A flood is measured per device, forgiven after a pause, and reported when it goes on."""

from __future__ import annotations

from ingest.quotas import Quotas


def test_a_steady_device_is_never_over_and_a_flood_keeps_its_own_rate() -> None:
    quotas = Quotas(per_second=10, reserve_seconds=2)
    assert not any(quotas.over("steady", 10, float(second)) for second in range(1000))
    over = [quotas.over("flood", 10, second / 10) for second in range(1000)]  # ten times too much
    assert over[:2] == [False, False]
    # What passes of a flood is what the device may send: a tenth of the rest.
    assert 95 <= over.count(False) <= 105
    assert not quotas.over("steady", 10, 1001.0)


def test_a_reserve_that_was_used_up_comes_back_with_time() -> None:
    quotas = Quotas(per_second=10, reserve_seconds=2)
    assert not quotas.over("dev", 20, 0.0)
    assert quotas.over("dev", 20, 0.1)
    assert not quotas.over("dev", 20, 2.1)


def test_a_message_larger_than_the_whole_reserve_passes_when_the_bucket_is_full() -> None:
    quotas = Quotas(per_second=10, reserve_seconds=2)
    assert not quotas.over("dev", 1000, 0.0)
    assert quotas.over("dev", 1, 50.0)
    assert not quotas.over("dev", 1, 101.0)


def test_a_flood_of_a_minute_is_told_of_once() -> None:
    quotas = Quotas(per_second=1, reserve_seconds=1)
    for second in range(60):
        quotas.over("flood", 5, float(second))
    assert quotas.news(59.0) == []
    for second in range(60, 70):
        quotas.over("flood", 5, float(second))
    assert (quotas.news(69.0), quotas.news(69.0)) == (["flood"], [])
    assert quotas.flooding(69.0) == ["flood"]
    assert quotas.flooding(100.0) == []
    for second in range(200, 270):
        quotas.over("flood", 5, float(second))
    assert quotas.news(269.0) == ["flood"]
