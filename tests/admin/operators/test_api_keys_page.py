import re
import shlex
from html import escape, unescape

import pytest

from storage.sql.accounts.api_key_uses import ApiKeyUse, day_of
from storage.sql.accounts.api_keys import KeyLimits, KeyRight
from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.user_history import HistoryKind, UserHistoryEntry
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test


async def test_a_key_is_shown_once_and_opens_the_internal_interface(signed_in, http):
    owner = signed_in()
    page = text_of(await owner.post("/admin/api-keys/add", name="orders"))
    key = re.search(r"wok_[\w-]+", page)[0]
    address = f"{owner.url}/internal/authorizations/wx/nobody/token"
    response = await http.fetch(address, headers={"Authorization": f"Bearer {key}"}, raise_error=False)
    assert response.code == 404
    assert key not in text_of(await owner.get("/admin/api-keys"))


@pytest.mark.parametrize("right", ["read-token", "read-users"])
async def test_a_key_is_shown_with_a_command_that_tries_it(signed_in, http, right):
    owner = signed_in()
    page = unescape(text_of(await owner.post("/admin/api-keys/add", name="orders", right=right)))
    curl, option, header, address = shlex.split(re.search(r"<code>(curl .*?)</code>", page)[1])
    assert (curl, option) == ("curl", "-H")
    headers = dict([header.split(": ", 1)])
    response = await http.fetch(address, headers=headers, raise_error=False)
    assert response.code == 404  # there is no user OPENID; the key itself is taken


async def test_a_revoked_key_is_refused(signed_in, http, dashboard):
    owner = signed_in()
    key = re.search(r"wok_[\w-]+", text_of(await owner.post("/admin/api-keys/add", name="orders")))[0]
    response = await owner.post("/admin/api-keys/revoke", name="orders")
    assert await owner.notice(response) == "The key of orders has been revoked."
    address = f"{owner.url}/internal/authorizations/wx/nobody/token"
    response = await http.fetch(address, headers={"Authorization": f"Bearer {key}"}, raise_error=False)
    assert response.code == 401
    entries = dashboard.audit.page(AuditQuery()).entries
    assert [(entry.action, entry.subject) for entry in entries] == [
        ("api_key_revoke", "orders"),
        ("api_key_add", "orders"),
    ]
    assert key not in repr(entries)


@pytest.mark.parametrize("name", ["", " ", "n" * 65])
async def test_a_name_must_be_one_that_can_be_read(signed_in, name):
    owner = signed_in()
    response = await owner.post("/admin/api-keys/add", name=name)
    assert (response.code, "Not created" in text_of(response)) == (400, True)


async def test_a_name_is_used_once(signed_in):
    owner = signed_in()
    await owner.post("/admin/api-keys/add", name="orders")
    response = await owner.post("/admin/api-keys/add", name="orders")
    assert (response.code, "Not created" in text_of(response)) == (400, True)


async def test_any_name_is_shown_as_text_and_can_be_revoked(signed_in):
    owner = signed_in()
    name = '</td><script>alert("1")</script>%s'
    assert escape(name) in text_of(await owner.post("/admin/api-keys/add", name=name)).replace("&#x27;", "&#39;")
    page = text_of(await owner.get("/admin/api-keys"))
    assert "<script>alert" not in page
    notice = await owner.notice(await owner.post("/admin/api-keys/revoke", name=name))
    assert unescape(notice) == f"The key of {name} has been revoked."


async def test_a_key_that_does_not_exist_cannot_be_revoked(signed_in):
    owner = signed_in()
    assert (
        await owner.notice(await owner.post("/admin/api-keys/revoke", name="x"))
        == "There is no active key of this name."
    )


async def test_a_key_is_limited_as_the_form_says(signed_in, dashboard):
    owner = signed_in()
    [appid, *_] = dashboard.account_names
    form = {"name": "orders", "right": "read-users", "account": appid, "lifetime": "month", "per_minute": "600"}
    assert "wok_" in text_of(await owner.post("/admin/api-keys/add", **form))
    [key] = dashboard.api_keys.list()
    now = dashboard.clock.now()
    limits = KeyLimits(frozenset({appid}), frozenset({KeyRight.READ_USERS}), now + 30 * 86_400, 600)
    assert key.limits == limits
    [entry] = dashboard.audit.page(AuditQuery()).entries
    assert entry.details == limits.described()
    page = text_of(await owner.get("/admin/api-keys"))
    assert "600 requests a minute" in page
    assert "See what is known of a user, without tokens" in page


@pytest.mark.parametrize(
    "form",
    [
        {"account": "wx-unknown"},
        {"right": "write-all"},
        {"lifetime": "day"},
        {"per_minute": "0"},
        {"per_minute": "1000001"},
        {"per_minute": "many"},
    ],
)
async def test_a_limit_that_there_is_not_makes_no_key(signed_in, dashboard, form):
    response = await signed_in().post("/admin/api-keys/add", name="orders", **form)
    assert response.code == 400
    assert dashboard.api_keys.list() == []


async def test_a_form_that_is_refused_keeps_what_was_filled_in(signed_in, dashboard):
    form = {"name": "orders & <b>", "right": "read-users", "lifetime": "month", "per_minute": "many"}
    page = text_of(await signed_in().post("/admin/api-keys/add", **form))
    assert 'role="alert" id="problem"' in page
    assert 'name="name" value="orders &amp; &lt;b&gt;" autofocus' in page
    assert re.findall(r'name="right" value="([^"]*)" checked', page) == ["read-users"]
    assert '<option value="month" selected>' in page
    assert 'name="per_minute" value="many"' in page


async def test_the_page_shows_how_often_each_key_was_used(signed_in, dashboard):
    now = dashboard.clock.now()
    dashboard.api_keys.add("orders", now)
    today = day_of(now)
    dashboard.api_key_uses.add(
        [
            ApiKeyUse(today, "orders", "wx1", 1200),
            ApiKeyUse(today - 86_400, "orders", "wx1", 34),
            ApiKeyUse(today - 40 * 86_400, "orders", "wx1", 99_999),
        ]
    )
    dashboard.user_history.add(
        UserHistoryEntry("wx1", f"o-{number}", today, HistoryKind.TOKEN_READ, "orders", 1, now) for number in range(12)
    )
    page = text_of(await signed_in().get("/admin/api-keys"))
    assert "1,200 / 1,234" in page
    assert "users today: 12" in page


async def test_a_key_whose_time_is_over_is_shown_as_expired(signed_in, dashboard):
    now = dashboard.clock.now()
    dashboard.api_keys.add("orders", now - 100, KeyLimits(expires_at=now))
    assert "Expired" in text_of(await signed_in().get("/admin/api-keys"))
