"""Whatever is stored as a word has a label: none is left out, and none names what does not exist."""

import pytest

from admin.labels import api_keys, audit, jobs, operators, overview, users
from admin.operators.sign_in_refusal import SignInRefusal
from admin.overview.verdict import Health, Work
from admin.services import ActionResult, Concern
from admin.users.filters import FIELDS
from service.webhooks.messages import EventKind
from service.wechat.endpoints import Endpoint
from storage.activity import ActivityKind
from storage.base.schema_report import SchemaState
from storage.sql.accounts.api_keys import KeyRight
from storage.sql.accounts.audit import AuditAction, AuditResult
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction, JobStatus
from storage.user_search import SearchField, UserSort
from storage.users import Status

TABLES = [
    (users.STATUS_LABELS, Status),
    (users.STATUS_BADGES, Status),
    (users.ACTION_LABELS, JobAction),
    (users.ACTION_MEANINGS, JobAction),
    (users.RESULT_LABELS, ActionResult),
    (users.SEARCH_FIELD_LABELS, SearchField),
    (users.SORT_LABELS, UserSort),
    (jobs.JOB_MEANINGS, JobAction),
    (jobs.SUCCESSES, JobAction),
    (jobs.JOB_STATUS_LABELS, JobStatus),
    (jobs.JOB_BADGES, JobStatus),
    (api_keys.KEY_RIGHT_LABELS, KeyRight),
    (api_keys.KEY_LIFETIME_LABELS, api_keys.KeyLifetime),
    (api_keys.KEY_LIFETIME_DAYS, api_keys.KeyLifetime),
    (operators.ROLE_LABELS, Role),
    (operators.ROLE_MEANINGS, Role),
    (overview.ACTIVITY_LABELS, ActivityKind),
    (overview.SCHEMA_STATE_LABELS, SchemaState),
    (audit.AUDIT_ACTION_LABELS, AuditAction),
    (audit.AUDIT_RESULT_LABELS, AuditResult),
    (audit.DETAIL_VALUE_LABELS["reason"], {*SignInRefusal, EventKind.REVOKED, EventKind.CANCELLED}),
    (overview.WORK_LABELS, Work),
    (overview.WORK_LABELS_THIS_HOUR, Work),
    (overview.HEALTH_LABELS, Health),
    (overview.HEALTH_TONES, Health),
    (overview.CONCERN_LABELS, Concern),
    (overview.CONCERN_MEANINGS, Concern),
    (overview.CALL_LABELS, Endpoint),
    (overview.BROKEN_LABELS, Endpoint),
]


@pytest.mark.parametrize(("labels", "words"), TABLES, ids=range(len(TABLES)))
def test_every_word_has_a_label_and_every_label_a_word(labels, words):
    assert set(labels) == set(words)


def test_every_argument_of_a_filter_has_a_label_but_those_of_the_search():
    assert set(users.FILTER_LABELS) == set(FIELDS) - {"by", "match", "q"}


def test_every_action_can_succeed_and_no_two_by_the_same_result():
    results = [result for successes in jobs.SUCCESSES.values() for result in successes]
    assert len(results) == len(set(results))
    assert all(jobs.SUCCESSES.values())


@pytest.mark.parametrize("word", ["", "no such result", "REFRESHED", "refreshed "])
def test_a_word_that_is_no_result_is_none(word):
    assert ActionResult.from_stored(word) is None


def test_words_that_were_stored_before_are_understood():
    assert ActionResult.from_stored("try_later") is ActionResult.REFRESH_IN_PROGRESS
    assert {ActionResult.from_stored(result.value) for result in ActionResult} == set(ActionResult)
