import re
from html import escape, unescape

import pytest

from storage.sql.accounts.audit import AuditQuery
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
    assert (await owner.notice(await owner.post("/admin/api-keys/add", name=name))).startswith("Not created")


async def test_a_name_is_used_once(signed_in):
    owner = signed_in()
    await owner.post("/admin/api-keys/add", name="orders")
    assert (await owner.notice(await owner.post("/admin/api-keys/add", name="orders"))).startswith("Not created")


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
