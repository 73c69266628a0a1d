"""Every page in English and in Chinese, full of everything that can be stored: no word of the other language on it."""

import re
from dataclasses import replace
from html import unescape

import pytest

from admin.labels.audit import DETAIL_LABELS, DETAIL_VALUE_LABELS
from admin.lists.relative_range import RelativeRange
from admin.services import ActionResult
from service.simulator.people import DEFAULT_ACCOUNT
from service.wechat.endpoints import Endpoint
from storage.call_outcomes import CallFailures, FailedCall
from storage.pauses import AccountPause
from storage.sql.accounts.api_keys import KeyRight
from storage.sql.accounts.audit import AuditAction, AuditResult, NewAuditEntry
from storage.sql.work.instances import Instance
from storage.sql.work.jobs import JobAction, JobTarget
from storage.testing import a_grant
from storage.user_search import CappedCount, SearchField, TextMatch, UserFilter
from storage.users import Status
from tests.admin.every_page import every_page
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test
APPID = DEFAULT_ACCOUNT.appid
OPENID = "o0000"
USER = f"/admin/users/{APPID}/{OPENID}"
#: Words that people who work with WeChat write the same in either language.
TERMS = {
    *("access_token", "refresh_token", "openid", "unionid", "snsapi_base", "snsapi_userinfo"),
    *("snsapi_login", "code", "rid"),
    *("wx.config", "JS-SDK", "PUBLIC_URL", "WECHAT_PROXY"),
    *("ADMIN_URL", "PIN", "https://"),
    *("AppID", "AppSecret", "API", "DNS", "ID", "IP", "CSV", "UTC", "ACCOUNTS", "APPID", "SECRET", "EVENT_TOKEN"),
    # The names of menus in WeChat's console, which speaks Chinese only.
    *("微信开发者平台", "我的业务", "服务号"),
    *(
        "VERIFICATION_FILES",
        "WECHAT_API_URL",
        "wechat-openid",
        "sql",
        "WeChat",
        "English",
        "appid",
        "errcode",
        "api.weixin.qq.com",
    ),
}
#: What was typed or made up, and stands on the pages as it is.
DATA = {APPID, OPENID, "the-owner", "ada", "0.1.0", "orders", "a test"}
FILTER = UserFilter(
    appid=APPID,
    status=Status.REVOKED,
    scope="snsapi_base",
    is_snapshotuser=True,
    searched=TextMatch(SearchField.NICKNAME, "1"),
)
FILTERS = [
    "status=active&scope=snsapi_base&snapshot=yes&by=unionid&match=exact&q=1&ends_to=2027-01-31",
    "operator=ada&action=user_erase&result=refused&from=2027-01-31",
    *(f"time={word}" for word in RelativeRange),
    "another_argument=1",
]
FORMER = ["try_later", "needs_reauthorization", "reauthorization_needed"]
#: Of each detail that has a label every word that there is, and some that there are not.
DETAILS = {
    **{name: [1] for name in DETAIL_LABELS},
    **{name: [*labels, "a word of another version"] for name, labels in DETAIL_VALUE_LABELS.items()},
    "rights": [" ".join(KeyRight), "a_right_of_another_version"],
    "outcome": [*ActionResult, *FORMER, "a former result"],
    "filter": FILTERS,
    "users": ["10,000+"],
    "a_detail_of_another_version": [1],
}


@pytest.fixture
def everything(service, dashboard, clock, add_operator):
    now = clock.now()
    add_operator("ada")
    service.vault._store.save([replace(a_grant(), appid=APPID, openid=OPENID, code_digest=None)])
    entry = NewAuditEntry(
        at=now, operator="ada", action=AuditAction.USER_CHECK, result="success", appid=APPID, openid=OPENID
    )
    entries = [
        *(replace(entry, action=action) for action in (*AuditAction, "an action of another version")),
        *(replace(entry, result=result) for result in (*AuditResult, "a result of another version")),
        *(replace(entry, details={name: value}) for name, values in DETAILS.items() for value in values),
        replace(entry, operator="(command line)"),
    ]
    for one in entries:
        dashboard.audit.record(one)
    for action in JobAction:
        for target in (JobTarget(), JobTarget(filter=FILTER), JobTarget(users=((APPID, OPENID),) * 2)):
            dashboard.jobs.add(
                action, target, operator="ada", request_id="0" * 16, at=now, expected=CappedCount(2), until_id=1
            )
    job = dashboard.jobs.claim("a process", 60)
    results = [*ActionResult, "try_later", "a result of another version"]
    dashboard.jobs.advance(job.id, "a process", 60, position=None, results=results, by_user=True)
    pause = AccountPause(APPID, "refresh_token", "configuration", 40125, now + 30)
    dashboard.instances.heartbeat(Instance("0:1:ab", "0.1.0", now, now, (pause,)))
    call = FailedCall(now, rid="0-1", request_id="0" * 16)
    failed = [
        CallFailures(APPID, endpoint, errcode, now, now, (call,)) for endpoint in Endpoint for errcode in (-1, None)
    ]
    dashboard.call_outcomes.add([], failed)
    key = dashboard.api_keys.add("orders", now)
    assert key


PAGES = [
    *every_page(APPID, OPENID, 1),
    *("/admin/overview?span=days", "/admin/users?q=nobody", "/admin/users?status=odd"),
    *("/admin/audit?from=x", "/admin/failures?errcode=x"),
]
#: What answers a form with a page instead of leading to one.
FORMS = [
    ("/admin/jobs/confirm", {"action": "erase", "whom": "all", "filter": "status=active"}),
    ("/admin/jobs", {"action": "revoke", "whom": "all"}),
    ("/admin/jobs", {"action": "shout"}),
    (f"/admin/accounts/{APPID}/check", {}),
    ("/admin/api-keys/add", {"name": "orders2"}),
    ("/admin/api-keys/add", {"name": "orders3", "per_minute": "0"}),
    ("/admin/operators/add", {"name": "ada", "role": "viewer"}),
    ("/admin/operators/add", {"name": "ada2", "role": "viewer"}),
    ("/admin/operators/password", {"name": "ada"}),
]
#: What leads to a page with a notice.
CHANGES = [
    (f"{USER}/check", {}),
    (f"{USER}/erase", {}),
    ("/admin/operators/role", {"name": "ada", "role": "viewer"}),
    ("/admin/me/password", {"new": "1", "again": "2"}),
]


def visible_words(page):
    """Return what a reader of a page sees or hears, without what is data."""
    body = page.partition("<body>")[2]
    body = re.sub(r'<option value="(?:ada|the-owner)">|<(?:time|code)[^>]*>.*?</(?:time|code)>', " ", body)
    body = re.sub(
        r'<span class="id[^"]*">.*?</span>|<a class="id"[^>]*>.*?</a>|<a [^>]*hreflang[^>]*>.*?</a>', " ", body
    )
    labels = re.findall(r'(?:aria-label|data-label|placeholder|alt)="([^"]*)"', body)
    shown = unescape(" ".join([re.sub(r"<[^>]*>", " ", body), *labels]))
    for known in sorted(TERMS | DATA, key=len, reverse=True):
        shown = shown.replace(known, " ")
    return shown


@pytest.mark.parametrize(
    ("language", "foreign"),
    [("zh-CN", r"[A-Za-z]{2,}[A-Za-z ]*"), ("en", r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uff60]+")],
)
@pytest.mark.usefixtures("everything")
async def test_no_page_holds_words_of_the_other_language(signed_in, dashboard, language, foreign):
    owner = signed_in()
    owner.headers["Accept-Language"] = language
    jobs = [f"/admin/jobs/{job.id}" for job in dashboard.jobs.list()]
    paths, found = [*PAGES, *jobs], {}
    while paths:
        path = paths.pop()
        page = text_of(await owner.get(path))
        paths += [unescape(one) for one in re.findall(r'rel="next" href="([^"]*)"', page)]
        if words := re.findall(foreign, visible_words(page)):
            found[path] = words
    for path, fields in (*FORMS, *CHANGES):
        answer = await owner.post(path, **fields)
        page = text_of(await owner.get(answer.headers["Location"]) if answer.code == 303 else answer)
        assert ('role="status"' in page) == ((path, fields) in CHANGES or path.endswith("check")), path
        if words := re.findall(foreign, visible_words(page)):
            found[path] = words
    assert found == {}


@pytest.mark.usefixtures("everything")
async def test_no_key_of_the_audit_log_or_of_results_reaches_a_page(signed_in, dashboard):
    words = {*AuditAction, *ActionResult, *FORMER, *DETAILS, *RelativeRange}
    words = words.union(*DETAIL_VALUE_LABELS.values(), *(map(str, values) for values in DETAILS.values()))
    # A single plain word may be one of a sentence's; the test of the other language finds those.
    keys = {word for word in words if re.fullmatch(r"[a-z0-9]+([_-][a-z0-9]+)+", word)}
    assert {"user_erase", "read-token", "already_revoked", "revoke_info", "last-24h", "newer_authorization"} <= keys
    owner = signed_in()
    for path in (*PAGES, *(f"/admin/jobs/{job.id}" for job in dashboard.jobs.list())):
        shown = visible_words(text_of(await owner.get(path)))
        assert [key for key in keys if re.search(rf"\b{key}\b", shown)] == [], path
