"""A job on selected users says of each how it ended."""

import json
import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from admin.jobs.runner import JobRunner
from admin.services import ActionOutcome, ActionResult
from storage.testing import a_grant
from tests.admin.operator_browser import text_of

APPID = "wx-many"
#: More than a batch, so that several are written down one after the other.
NAMES = [f"o{number:03}" for number in range(90)]
FAILED = {NAMES[7]: ActionResult.SEALED, NAMES[70]: ActionResult.REAUTHORIZATION_REQUIRED}


class Actions:
    """Actions on users of which some fail and one is asked for again."""

    def __init__(self):
        self.asked = []

    async def perform(self, _action, _appid, openid):
        self.asked.append(openid)
        if openid == NAMES[3] and self.asked.count(openid) == 1:
            return ActionOutcome(succeeded=False, result=ActionResult.PAUSED)
        return ActionOutcome(succeeded=openid not in FAILED, result=FAILED.get(openid, ActionResult.VALID))


@pytest.mark.gen_test
async def test_each_selected_user_is_listed_with_how_it_ended_failures_first(signed_in, service, dashboard):
    service.vault._store.save([replace(a_grant(), appid=APPID, openid=name, code_digest=None) for name in NAMES])
    operator = signed_in()
    chosen = [("user", json.dumps([APPID, name])) for name in NAMES]
    fields = [("_xsrf", await operator.form_token()), ("action", "check"), *chosen]
    response = await operator.post_form("/admin/jobs", urlencode(fields))

    def rows(page):
        return re.findall(
            r'href="/admin/users/wx-many/(\w+)">.*?data-label="Result">(?:<[^>]*>)(.*?)<', page, re.DOTALL
        )

    before = rows(text_of(await operator.get(response.headers["Location"])))
    assert before == [(name, "–") for name in NAMES]
    runner = JobRunner(
        replace(dashboard, users=Actions()), dashboard.user_search, "a", max_per_second=1e6, pause_seconds=0.01
    )
    assert await runner.work()
    shown = rows(text_of(await operator.get(response.headers["Location"])))
    assert shown[:2] == [
        (NAMES[7], "The stored tokens cannot be decrypted: a key is missing."),
        (NAMES[70], "The user must authorize again."),
    ]
    valid = "WeChat confirms that the token is valid."
    assert shown[2:] == [(name, valid) for name in NAMES if name not in FAILED]
