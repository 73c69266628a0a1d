from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import text

from storage.base.errors import CannotOpen, InvalidRecord, UnknownKey
from storage.sealing import KeyRing, generate_key
from storage.sql.accounts.audit import AuditLog, AuditQuery, NewAuditEntry
from storage.sql.accounts.factors.operator_factors import OperatorFactors
from storage.sql.accounts.factors.passkeys import MOST_PASSKEYS, NewPasskey
from storage.sql.accounts.factors.recovery_codes import looks_like_code
from storage.sql.accounts.operators import Operators, Role

NOW = 1_800_000_000
ADA, BOB = 1, 2
SECRET = "JBSWY3DPEHPK3PXP"
OLD_KEY, NEW_KEY = generate_key(), generate_key()


@pytest.fixture
def factors(any_database):
    return OperatorFactors(any_database, KeyRing.parse(OLD_KEY))


@pytest.fixture
def ada(any_database):
    operators = Operators(any_database)
    operators.add("ada", "a hash", Role.OWNER, NOW)
    return operators.find("ada")[0].id


def entry(action):
    return NewAuditEntry(at=NOW, operator="ada", action=action, result="success")


def actions_in(database):
    return [one.action for one in AuditLog(database).page(AuditQuery()).entries]


def passkey(number, sign_count=0):
    return NewPasskey(b"credential %d" % number, b"its public key", sign_count, f"Phone {number}")


def at_once(work, times=8):
    """Return how many of several callers at the same moment get True."""
    with ThreadPoolExecutor(times) as threads:
        return sum(threads.map(lambda _: work(), range(times)))


def test_a_secret_is_in_force_when_a_code_of_it_was_shown(factors, any_database):
    factors.totp.propose(ADA, SECRET)
    assert (factors.totp.proposed(ADA), factors.totp.find(ADA)) == (SECRET, None)
    assert not factors.of(ADA)
    assert factors.totp.set_up(ADA, 100, NOW, entry("factor_add"))
    assert (factors.totp.proposed(ADA), factors.totp.find(ADA)) == (None, SECRET)
    assert factors.of(ADA).totp_since == NOW
    assert factors.operator_ids() == {ADA}
    assert actions_in(any_database) == ["factor_add"]


def test_a_proposed_secret_is_replaced_and_one_in_force_is_not(factors):
    factors.totp.propose(ADA, "AAAA")
    factors.totp.propose(ADA, SECRET)
    assert factors.totp.proposed(ADA) == SECRET
    factors.totp.set_up(ADA, 100, NOW)
    with pytest.raises(InvalidRecord, match="remove it first"):
        factors.totp.propose(ADA, "AAAA")
    assert factors.totp.find(ADA) == SECRET


def test_a_step_is_taken_once_and_none_before_it(factors):
    factors.totp.propose(ADA, SECRET)
    assert not factors.totp.use(ADA, 99), "what is only proposed opens nothing"
    factors.totp.set_up(ADA, 100, NOW)
    assert [factors.totp.use(ADA, step) for step in (100, 99, 101, 101, 100)] == [False, False, True, False, False]


def test_of_callers_at_once_one_takes_a_step(factors):
    factors.totp.propose(ADA, SECRET)
    factors.totp.set_up(ADA, 100, NOW)
    assert at_once(lambda: factors.totp.use(ADA, 101)) == 1


def test_the_database_holds_no_secret_in_clear_and_none_of_another_operators(factors, any_database):
    factors.totp.propose(ADA, SECRET)
    factors.totp.set_up(ADA, 100, NOW)
    with any_database.engine.begin() as connection:
        assert SECRET.encode() not in bytes(connection.execute(text("SELECT secret FROM operator_totp")).scalar_one())
        connection.execute(text("UPDATE operator_totp SET operator_id = 2"))
    with pytest.raises(CannotOpen):
        factors.totp.find(BOB)


def test_a_rotation_seals_secrets_anew(factors, any_database):
    factors.totp.propose(ADA, SECRET)
    factors.totp.set_up(ADA, 100, NOW)
    both = OperatorFactors(any_database, KeyRing.parse(f"{NEW_KEY},{OLD_KEY}")).totp
    assert both.reseal(dry_run=True) == 1
    assert both.reseal() == 1
    assert both.reseal() == 0
    assert OperatorFactors(any_database, KeyRing.parse(NEW_KEY)).totp.find(ADA) == SECRET
    with pytest.raises(UnknownKey):
        factors.totp.find(ADA)


def test_a_rotation_leaves_and_tells_what_does_not_open(factors, any_database):
    factors.totp.propose(ADA, SECRET)
    told = []
    assert OperatorFactors(any_database, KeyRing.parse(NEW_KEY)).totp.reseal(unopened=told.append) == 0
    assert len(told) == 1
    assert SECRET not in told[0]
    assert factors.totp.proposed(ADA) == SECRET


def test_a_recovery_code_is_good_once_however_it_is_typed(factors):
    codes = factors.recovery_codes.renew(ADA)
    assert len(set(codes)) == 10
    assert all(looks_like_code(code) for code in codes)
    assert not looks_like_code("123 456")
    assert not factors.recovery_codes.use(BOB, codes[0])
    assert factors.recovery_codes.use(ADA, codes[0].upper().replace("-", " "))
    assert not factors.recovery_codes.use(ADA, codes[0])
    assert factors.recovery_codes.count(ADA) == 9
    assert not factors.recovery_codes.use(ADA, "\ud800\0" * 8)


def test_of_callers_at_once_one_uses_a_recovery_code(factors):
    [code, *_] = factors.recovery_codes.renew(ADA)
    assert at_once(lambda: factors.recovery_codes.use(ADA, code)) == 1


def test_new_recovery_codes_take_the_place_of_the_old(factors, any_database):
    [old, *_] = factors.recovery_codes.renew(ADA)
    [new, *_] = factors.recovery_codes.renew(ADA, entry("recovery_codes"))
    assert not factors.recovery_codes.use(ADA, old)
    assert factors.recovery_codes.use(ADA, new)
    assert actions_in(any_database) == ["recovery_codes"]


def test_a_passkey_is_found_by_its_credential(factors, ada):
    factors.passkeys.add(ada, passkey(1), NOW)
    found = factors.passkeys.find(b"credential 1")
    assert (found.operator, found.operator_id, found.credential, found.name) == (
        "ada",
        ada,
        b"its public key",
        "Phone 1",
    )
    assert factors.passkeys.find(b"credential 2") is None
    assert [one.name for one in factors.of(ada).passkeys] == ["Phone 1"]


def test_a_credential_belongs_to_one_operator(factors, ada):
    factors.passkeys.add(ada, passkey(1), NOW)
    with pytest.raises(InvalidRecord):
        factors.passkeys.add(BOB, passkey(1), NOW)


def test_an_operator_has_a_bounded_number_of_passkeys(factors, ada):
    for number in range(MOST_PASSKEYS):
        factors.passkeys.add(ada, passkey(number), NOW)
    with pytest.raises(InvalidRecord, match="at most"):
        factors.passkeys.add(ada, passkey(MOST_PASSKEYS), NOW)


def test_a_count_that_does_not_rise_tells_a_copy(factors, ada):
    factors.passkeys.add(ada, passkey(1, sign_count=5), NOW)
    key = factors.passkeys.find(b"credential 1").id
    assert [factors.passkeys.use(key, count, NOW + 1) for count in (6, 6, 5, 0, 7)] == [True, False, False, False, True]


def test_a_passkey_that_does_not_count_is_taken_each_time(factors, ada):
    factors.passkeys.add(ada, passkey(1), NOW)
    key = factors.passkeys.find(b"credential 1").id
    assert [factors.passkeys.use(key, 0, NOW + 1) for _ in range(3)] == [True, True, True]
    assert factors.passkeys.find(b"credential 1").last_used_at == NOW + 1
    assert not factors.passkeys.use(key + 1, 0, NOW)


def test_recovery_codes_go_with_the_last_factor(factors, ada, any_database):
    factors.totp.propose(ada, SECRET)
    factors.totp.set_up(ada, 100, NOW)
    factors.passkeys.add(ada, passkey(1), NOW)
    factors.recovery_codes.renew(ada)
    assert factors.totp.remove(ada, entry("factor_remove"))
    assert factors.recovery_codes.count(ada) == 10
    [left] = factors.of(ada).passkeys
    assert not factors.passkeys.remove(BOB, left.id)
    assert factors.passkeys.remove(ada, left.id, entry("factor_remove"))
    assert factors.recovery_codes.count(ada) == 0
    assert not factors.totp.remove(ada)
    assert actions_in(any_database) == ["factor_remove", "factor_remove"]


def test_everything_is_taken_away_from_one_operator(factors, ada, any_database):
    for operator_id in (ada, BOB + 1):
        factors.totp.propose(operator_id, SECRET)
        factors.totp.set_up(operator_id, 100, NOW)
        factors.recovery_codes.renew(operator_id)
    factors.passkeys.add(ada, passkey(1), NOW)
    factors.remove_all(ada, entry("factors_reset"))
    assert not factors.of(ada)
    assert factors.recovery_codes.count(ada) == 0
    assert factors.operator_ids() == {BOB + 1}
    assert actions_in(any_database) == ["factors_reset"]


def test_a_challenge_is_answered_once(factors):
    def spend(at):
        return factors.challenges.spend("a challenge", at, NOW + 300)

    assert [spend(NOW), spend(NOW), spend(NOW + 299)] == [True, False, False]
    assert factors.challenges.spend("another", NOW + 299, NOW + 600)


def test_of_callers_at_once_one_answers_a_challenge(factors):
    def spend():
        with suppress(InvalidRecord):
            return factors.challenges.spend("a challenge", NOW, NOW + 300)

    assert at_once(spend) == 1
