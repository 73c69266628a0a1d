from dataclasses import fields

import pytest

from service.runtime.supervision.reload import plan_reload
from service.settings import Settings, load_words

WORDS = {row.name: row.metadata["default"] for row in fields(Settings)} | {"secret_keys": "a"}


def keys_of(plan):
    return [step["secret_keys"] for step in plan.steps]


def test_the_words_of_settings_are_those_of_the_table():
    assert load_words(environment={}).keys() == WORDS.keys()


def test_settings_that_did_not_change_are_a_plan_of_one_step():
    plan = plan_reload([WORDS, WORDS], WORDS)
    assert (plan.changed, plan.waiting, plan.steps) == ((), (), (WORDS,))


def test_what_takes_a_restart_stays_as_it_was_and_is_named():
    given = WORDS | {"listen": "0.0.0.0:1", "database_url": "sqlite:///other.db", "require_state": "true"}
    plan = plan_reload([WORDS], given)
    assert plan.waiting == ("DATABASE_URL", "LISTEN")
    assert plan.changed == ("REQUIRE_STATE",)
    assert plan.steps == (WORDS | {"require_state": "true"},)


@pytest.mark.parametrize(
    ("running", "given", "steps"),
    [
        (["a"], "a", ["a"]),
        (["a"], "b,a", ["a,b", "b,a"]),
        (["a"], "a,b", ["a,b", "a,b"]),
        (["a"], "b", ["a,b", "b"]),
        (["b,a"], "b", ["b"]),
        (["b a"], "a,b", ["a,b"]),
        (["a,b", "a"], "b,a", ["a,b", "b,a"]),
        (["a,b", "b,a"], "b,a", ["b,a"]),
    ],
)
def test_no_worker_seals_with_a_key_before_all_can_open_it(running, given, steps):
    plan = plan_reload([WORDS | {"secret_keys": keys} for keys in running], WORDS | {"secret_keys": given})
    assert keys_of(plan) == steps


def test_names_are_told_and_never_values():
    given = WORDS | {"secret": "of the account", "secret_keys": "b,a"}
    plan = plan_reload([WORDS], given)
    assert plan.changed == ("SECRET", "SECRET_KEYS")
