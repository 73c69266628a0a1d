from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.sql.accounts.audit import AuditLog, AuditQuery, NewAuditEntry
from storage.sql.work.event_deliveries import DeliveryState, EventDeliveries

NOW = 1_800_000_000
EVENT = b"e" * 32
ENTRY = NewAuditEntry(at=NOW, operator="", action="user_erase", result="success", openid="o-1")


@pytest.fixture
def deliveries(any_database):
    return EventDeliveries(any_database, claim_seconds=5)


def entries(database):
    return AuditLog(database).page(AuditQuery()).entries


def test_an_event_is_claimed_once_and_then_done(deliveries):
    assert deliveries.claim(EVENT, "a", NOW) is DeliveryState.CLAIMED
    assert deliveries.claim(EVENT, "b", NOW) is DeliveryState.UNDER_WAY
    assert deliveries.finish(EVENT, "a", NOW, None) is True
    assert deliveries.claim(EVENT, "b", NOW + 100) is DeliveryState.DONE
    assert deliveries.claim(b"f" * 32, "b", NOW) is DeliveryState.CLAIMED


def test_of_many_claims_at_once_one_is_given(deliveries):
    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(lambda number: deliveries.claim(EVENT, f"owner {number}", NOW), range(24)))
    assert states.count(DeliveryState.CLAIMED) == 1
    assert states.count(DeliveryState.UNDER_WAY) == 23


def test_a_claim_of_a_process_that_is_gone_is_taken_over_once(deliveries, any_database):
    deliveries.claim(EVENT, "gone", NOW)
    assert deliveries.claim(EVENT, "b", NOW + 4) is DeliveryState.UNDER_WAY
    assert deliveries.claim(EVENT, "b", NOW + 5) is DeliveryState.CLAIMED
    assert deliveries.claim(EVENT, "c", NOW + 6) is DeliveryState.UNDER_WAY
    assert deliveries.finish(EVENT, "gone", NOW + 6, ENTRY) is False
    assert entries(any_database) == []
    assert deliveries.finish(EVENT, "b", NOW + 6, ENTRY) is True
    assert [entry.openid for entry in entries(any_database)] == ["o-1"]


def test_a_claim_that_is_given_back_is_free_at_once(deliveries):
    deliveries.claim(EVENT, "a", NOW)
    deliveries.release(EVENT, "b")
    assert deliveries.claim(EVENT, "b", NOW) is DeliveryState.UNDER_WAY
    deliveries.release(EVENT, "a")
    assert deliveries.claim(EVENT, "b", NOW) is DeliveryState.CLAIMED
    deliveries.finish(EVENT, "b", NOW, None)
    deliveries.release(EVENT, "b")
    assert deliveries.claim(EVENT, "c", NOW) is DeliveryState.DONE


def test_old_events_are_forgotten(deliveries):
    for event, at in ((EVENT, NOW), (b"f" * 32, NOW + 1)):
        deliveries.claim(event, "a", at)
        deliveries.finish(event, "a", at, None)
    deliveries.trim(NOW + 1)
    assert deliveries.claim(EVENT, "b", NOW) is DeliveryState.CLAIMED
    assert deliveries.claim(b"f" * 32, "b", NOW) is DeliveryState.DONE
