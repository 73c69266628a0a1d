"""Jobs on many users: from the form to the last user, through pauses, ends and deaths of processes."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest

from admin.jobs.runner import JobRunner
from admin.services import ActionOutcome, ActionResult
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction, JobStatus
from storage.testing import a_grant
from storage.users import Status
from tests.admin.operator_browser import text_of
from tests.waiting import until

APPID = "wx-many"
NAMES = [f"o{number:03}" for number in range(100)]


@pytest.fixture
def users(service):
    service.vault._store.save([replace(a_grant(), appid=APPID, openid=name, code_digest=None) for name in NAMES])
    return NAMES


class ReplacedCheck:
    """The actions of a service, with another way to check a token."""

    def __init__(self, actions, check_token):
        self.actions = actions
        self.check_token = check_token

    async def perform(self, action, appid, openid):
        if action is JobAction.CHECK:
            return await self.check_token(appid, openid)
        return await self.actions.perform(action, appid, openid)


def changed(dashboard, check_token=None):
    return replace(dashboard, users=ReplacedCheck(dashboard.users, check_token)) if check_token else dashboard


@pytest.fixture
def make_runner(dashboard):
    def make(owner="a process", **changes):
        return JobRunner(
            changed(dashboard, **changes), dashboard.user_search, owner, max_per_second=1e6, pause_seconds=0.01
        )

    return make


async def start(operator, action, users=(), query="", **fields):
    """Fill in both forms as an operator does; return the job's id."""
    whom = {"whom": "selected"} if users else {"whom": "all"}
    chosen = {"user": json.dumps([APPID, users[0]])} if users else {}
    response = await operator.post("/admin/jobs", action=action, filter=query, **whom, **chosen, **fields)
    assert response.code == 303, text_of(response)
    return int(response.headers["Location"].rpartition("/")[2])


async def count(service, status=None):
    totals = (await service.vault.counts()).by_status
    return sum(number for (_, one), number in totals.items() if status in {None, one})


@pytest.mark.gen_test
async def test_all_that_a_filter_matches_is_acted_on_and_counted(signed_in, service, users, make_runner, dashboard):
    await service.vault.revoke(APPID, users[0])
    operator = signed_in(Role.OPERATOR)
    job_id = await start(operator, "revoke", query="status=active", confirmation="99")
    assert await make_runner().work()
    job = dashboard.jobs.get(job_id)
    assert (job.status, job.done, dict(job.results)) == (JobStatus.DONE, 99, {"revoked": 99})
    assert await count(service, Status.ACTIVE) == 0
    page = text_of(await operator.get(f"/admin/jobs/{job_id}"))
    assert "Finished" in page
    assert "The authorization has been revoked." in page
    entries = dashboard.audit.page(AuditQuery(action="user_revoke", limit=200)).entries
    assert len(entries) == 99
    assert {(entry.operator, entry.details["job"]) for entry in entries} == {("the-operator", job_id)}
    assert [entry.subject for entry in dashboard.audit.page(AuditQuery(action="job_start")).entries] == [str(job_id)]


@pytest.mark.gen_test
async def test_selected_users_and_no_others_are_acted_on(signed_in, service, users, make_runner, dashboard):
    job_id = await start(signed_in(), "erase", users=[users[5]], confirmation="1")
    await make_runner().work()
    assert dict(dashboard.jobs.get(job_id).results) == {"erased": 1}
    page = text_of(await signed_in().get(f"/admin/jobs/{job_id}"))
    assert re.findall(r'href="/admin/users/[^"/]+/([^"/]+)"', page) == [users[5]]
    assert await service.vault.get(APPID, users[5]) is None
    assert await count(service) == len(users) - 1


@pytest.mark.gen_test
async def test_users_that_come_later_are_left_alone(signed_in, service, users, make_runner, dashboard):
    job_id = await start(signed_in(), "erase", confirmation="100")
    service.vault._store.save([replace(a_grant(), appid=APPID, openid="newcomer", code_digest=None)])
    await make_runner().work()
    assert dashboard.jobs.get(job_id).status is JobStatus.DONE
    assert await service.vault.get(APPID, "newcomer") is not None
    assert await count(service) == 1


@pytest.mark.gen_test
async def test_what_cannot_be_undone_takes_the_number_of_users_typed_out(signed_in, users, dashboard):
    operator = signed_in()
    fields = {"action": "erase", "whom": "all", "filter": ""}
    shown = text_of(await operator.post("/admin/jobs/confirm", **fields))
    assert "Type the number of users, 100, to confirm" in shown
    for typed in ("", "99", "1e2", "ERASE", "9" * 5000):
        refused = await operator.post("/admin/jobs", confirmation=typed, **fields)
        assert "Type the number of users to confirm." in text_of(refused), typed
    assert dashboard.jobs.list() == []


FILTER = "status=reauthorization_required&scope=snsapi_userinfo&snapshot=no&ends_to=2027-01-31&by=nickname&q=status"
WORDS = {
    "en": {
        "Status": "Re-authorization required",
        "Scope": "Profile (snsapi_userinfo)",
        "Snapshot user": "no",
        "Expires to": "2027-01-31",
        "Nickname": "starts with status",
    },
    "zh-CN": {
        "状态": "需重新授权",
        "授权范围": "用户资料（snsapi_userinfo）",
        "快照页用户": "否",
        "到期时间止": "2027-01-31",
        "昵称": "以 status 开头",
    },
}


def facts(response):
    """Return the terms of a page and what they say, without their markup."""
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", text_of(response), re.DOTALL)
    return {words_of(term): words_of(fact) for term, fact in pairs}


def words_of(markup):
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", markup)).split())


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.gen_test
async def test_a_filter_is_told_in_the_words_of_its_form(signed_in, users, language):
    operator = signed_in()
    operator.headers["Accept-Language"] = language
    confirmed = await operator.post("/admin/jobs/confirm", action="check", whom="all", filter=FILTER)
    assert WORDS[language].items() <= facts(confirmed).items()
    job_id = await start(operator, "check", query=FILTER)
    assert WORDS[language].items() <= facts(await operator.get(f"/admin/jobs/{job_id}")).items()
    listed = words_of(text_of(await operator.get("/admin/jobs")))
    assert " ".join(f"{label} {value}" for label, value in WORDS[language].items()) in listed


@pytest.mark.gen_test
async def test_the_audit_log_tells_in_words_what_a_job_does(signed_in, users):
    operator = signed_in()
    await start(operator, "check", query="status=active")
    operator.headers["Accept-Language"] = "zh-CN"
    shown = words_of(text_of(await operator.get("/admin/audit?action=job_start")))
    assert "操作：验证令牌 用户：100 筛选：状态 = 有效" in shown


@pytest.mark.gen_test
async def test_a_job_leads_to_the_list_with_its_filter(signed_in, users):
    operator = signed_in()
    page = text_of(await operator.get(f"/admin/jobs/{await start(operator, 'check', query=FILTER)}"))
    [query] = re.findall(r'href="/admin/users\?([^"]*)"', page)
    assert sorted(unescape(query).split("&")) == sorted(FILTER.split("&"))


@pytest.mark.gen_test
async def test_a_job_tells_whether_users_were_selected_or_all_are_meant(signed_in, users):
    operator = signed_in()
    # What the list was filtered by does not matter where users were selected.
    selected = await start(operator, "check", users=[users[3]], query="status=active")
    everybody = await start(operator, "check")
    shown = [facts(await operator.get(f"/admin/jobs/{job_id}")) for job_id in (selected, everybody)]
    assert [one["Users"] for one in shown] == ["1 selected user", "all users"]
    assert "Status" not in shown[0]
    listed = words_of(text_of(await operator.get("/admin/jobs")))
    assert listed.index("all users") < listed.index("1 selected user")


@pytest.mark.parametrize(
    ("language", "one", "many", "button"),
    [
        ("en", "data about the user.", "data about all these users.", "Erase"),
        ("zh-CN", "删除该用户的", "删除这些用户的", "彻底删除"),
    ],
)
@pytest.mark.gen_test
async def test_what_will_happen_is_worded_for_one_user_or_for_many(signed_in, users, language, one, many, button):
    operator = signed_in()
    operator.headers["Accept-Language"] = language
    chosen = {"user": json.dumps([APPID, users[0]])}
    for_one = text_of(await operator.post("/admin/jobs/confirm", action="erase", **chosen))
    for_many = text_of(await operator.post("/admin/jobs/confirm", action="erase", whom="all"))
    assert (one in for_one, many in for_one) == (True, False)
    assert (one in for_many, many in for_many) == (False, True)
    assert re.findall(r'<button class="danger">(.*?)</button>', for_many) == [button]


@pytest.mark.parametrize(
    ("results", "badge"),
    [
        (["valid", "invalid"], ("good", "Finished")),
        (["valid", "revoked"], ("warn", "Finished with failures")),
        (["reauthorization_required", "failed"], ("bad", "Finished; all failed")),
    ],
)
@pytest.mark.gen_test
async def test_the_badge_of_a_finished_job_tells_how_it_went(signed_in, users, make_runner, results, badge):
    operator = signed_in()
    job_id = await start(operator, "check", query=f"status=active&errcode=&appid={APPID}")

    async def check(appid, openid):
        return ActionOutcome(succeeded=True, result=ActionResult(results[users.index(openid) % 2]))

    await make_runner(check_token=check).work()
    page = text_of(await operator.get(f"/admin/jobs/{job_id}"))
    for shown in (page, text_of(await operator.get("/admin/jobs"))):
        assert re.findall(r'<span class="badge (\w+)">(.*?)</span>', shown) == [badge]
    # Those who must authorize again are found by a filter; those whom WeChat refused are not.
    found = {unescape(link) for link in re.findall(r'<dt><a href="([^"]*)"', page)}
    statuses = {"reauthorization_required": Status.REAUTHORIZATION_REQUIRED, "revoked": Status.REVOKED}
    assert found == {f"/admin/users?appid={APPID}&status={statuses[one]}" for one in results if one in statuses}


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "shout", "whom": "all"},
        {"action": "check", "whom": "selected"},
        {"action": "check", "user": "no JSON"},
        {"action": "check", "user": "[1]"},
        {"action": "check", "whom": "all", "filter": "status=odd"},
    ],
)
@pytest.mark.gen_test
async def test_a_form_that_makes_no_sense_is_refused(signed_in, fields, dashboard):
    for path in ("/admin/jobs/confirm", "/admin/jobs"):
        assert (await signed_in().post(path, **fields)).code == 400
    assert dashboard.jobs.list() == []


@pytest.mark.gen_test
async def test_a_paused_job_stands_still_and_goes_on_where_it_was(signed_in, users, make_runner, dashboard):
    operator = signed_in()
    job_id = await start(operator, "check")
    seen = []

    async def check(appid, openid):
        seen.append(openid)
        if len(seen) == 10:
            await operator.post(f"/admin/jobs/{job_id}/pause")
        return ActionOutcome(succeeded=True, result=ActionResult.VALID)

    runner = make_runner(check_token=check)
    await runner.work()
    assert dashboard.jobs.get(job_id).status is JobStatus.PAUSED
    assert dashboard.jobs.get(job_id).done == len(seen) < len(users)
    assert not await runner.work()
    await operator.post(f"/admin/jobs/{job_id}/resume")
    await runner.work()
    assert seen == users
    assert dashboard.jobs.get(job_id).done == len(users)
    actions = {entry.action for entry in dashboard.audit.page(AuditQuery()).entries}
    assert {"job_start", "job_pause", "job_resume"} <= actions


@pytest.mark.gen_test
async def test_a_stopped_job_ends_with_its_batch(signed_in, users, make_runner, dashboard):
    operator = signed_in()
    job_id = await start(operator, "check")

    async def check(appid, openid):
        dashboard.jobs.stop(job_id, 1)
        return ActionOutcome(succeeded=True, result=ActionResult.VALID)

    await make_runner(check_token=check).work()
    job = dashboard.jobs.get(job_id)
    assert job.status is JobStatus.STOPPED
    assert 0 < job.done < len(users)
    late = await operator.post(f"/admin/jobs/{job_id}/stop")
    assert await operator.notice(late) == "The state of the job had already changed."


@pytest.mark.gen_test
async def test_another_process_goes_on_after_one_that_ended(signed_in, users, make_runner, dashboard):
    job_id = await start(signed_in(), "check")
    seen = []

    async def check(appid, openid):
        seen.append(openid)
        if len(seen) == 1:
            first._stopping.set()
        return ActionOutcome(succeeded=True, result=ActionResult.VALID)

    first = make_runner("one", check_token=check)
    await first.work()
    assert 0 < len(seen) < len(users)
    await make_runner("another", check_token=check).work()
    assert seen == users
    assert dashboard.jobs.get(job_id).status is JobStatus.DONE


@pytest.mark.gen_test
async def test_a_process_that_dies_leaves_its_last_batch_to_be_done_again(signed_in, users, make_runner, dashboard):
    job_id = await start(signed_in(), "check")
    seen = []

    async def check(appid, openid):
        seen.append(openid)
        if len(seen) == 50:
            raise RuntimeError("the process dies")
        return ActionOutcome(succeeded=True, result=ActionResult.VALID)

    with pytest.raises(RuntimeError):
        await make_runner("one", check_token=check).work()
    await make_runner("another", check_token=check).work()
    assert set(seen) == set(users)
    job = dashboard.jobs.get(job_id)
    assert (job.status, job.done) == (JobStatus.DONE, len(users))


@pytest.mark.gen_test
async def test_a_job_waits_while_the_accounts_calls_pause(signed_in, users, make_runner, dashboard):
    job_id = await start(signed_in(), "check")
    asked = dict.fromkeys(users, 0)

    async def check(appid, openid):
        asked[openid] += 1
        paused = openid == users[3] and asked[openid] < 3
        return ActionOutcome(succeeded=not paused, result=ActionResult.PAUSED if paused else ActionResult.VALID)

    await make_runner(check_token=check).work()
    assert dict(dashboard.jobs.get(job_id).results) == {"valid": len(users)}
    assert [openid for openid, times in asked.items() if times > 1] == [users[3]]


@pytest.mark.gen_test
async def test_a_job_of_a_search_visits_everybody(signed_in, users, make_runner, dashboard):
    job_id = await start(signed_in(), "check", query="by=openid&q=o0")
    seen = []

    async def check(appid, openid):
        seen.append(openid)
        return ActionOutcome(succeeded=True, result=ActionResult.VALID)

    await make_runner(check_token=check).work()
    assert sorted(seen) == users
    assert dashboard.jobs.get(job_id).status is JobStatus.DONE


@pytest.mark.gen_test
async def test_the_runner_of_a_service_works_in_the_background(signed_in, service, users, dashboard):
    job_id = await start(signed_in(), "erase", confirmation="100")
    service.jobs.start()
    await until(lambda: dashboard.jobs.get(job_id).status is JobStatus.DONE)
    await service.jobs.stop()
    assert await count(service) == 0


@pytest.mark.gen_test
async def test_jobs_are_listed(signed_in, users):
    first, second = await start(signed_in(), "check"), await start(signed_in(), "refresh")
    page = text_of(await signed_in(Role.OPERATOR).get("/admin/jobs"))
    assert [int(number) for number in re.findall(r'href="/admin/jobs/(\d+)"', page)] == [second, first]
    assert (await signed_in().get("/admin/jobs/999")).code == 404
