import pytest

from serving.gateway.store import lease
from serving.gateway.store.store import Store

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])


def test_one_holds_it_until_it_runs_out_or_is_given_back(store: Store) -> None:
    def take(who: str, now: float) -> bool:
        with store.write() as connection:
            return lease.take(connection, who, now)

    assert take("one", 1000)
    assert not take("two", 1000 + lease.LEASE_SECONDS / 2)
    assert take("one", 1000 + lease.LEASE_SECONDS / 2)  # renewed
    assert not take("two", 1001 + lease.LEASE_SECONDS)
    assert take("two", 1001 + 1.5 * lease.LEASE_SECONDS)
    with store.write() as connection:
        lease.release(connection, "one")  # which has it no longer
    assert not take("one", 1002 + 1.5 * lease.LEASE_SECONDS)
    with store.write() as connection:
        lease.release(connection, "two")
    assert take("one", 1002 + 1.5 * lease.LEASE_SECONDS)
