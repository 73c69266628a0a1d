import re
from html import escape

import pytest

from storage.sql.accounts.audit import AuditQuery
from storage.sql.accounts.operators import Role
from tests.admin.conftest import PASSWORD
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test


def secret_of(response):
    assert response.code == 200
    return re.search(r'<p class="secret"><code>(.*?)</code>', text_of(response))[1]


async def test_an_owner_adds_an_operator_who_can_then_sign_in(signed_in, browser):
    owner = signed_in()
    password = secret_of(await owner.post("/admin/operators/add", name="li.na@shop", role="viewer"))
    assert (await browser.sign_in("li.na@shop", password)).code == 303
    assert (await browser.get("/admin/operators")).code == 403
    assert "li.na@shop" in text_of(await owner.get("/admin/operators"))


@pytest.mark.parametrize("name", ["", "the-owner", "two words", "<b>", "n" * 65, "a\nb"])
async def test_a_name_must_be_new_and_plain(signed_in, name, dashboard):
    owner = signed_in()
    response = await owner.post("/admin/operators/add", name=name, role="operator")
    assert 'value="operator" checked' in text_of(response)
    page = text_of(response)
    assert (response.code, 'role="alert" id="problem">Not added' in page) == (400, True)
    assert f'name="name" value="{escape(name.strip())}"' in page
    assert [operator.name for operator in dashboard.operators.list()] == ["the-owner"]


async def test_a_role_must_be_one(signed_in):
    assert (await signed_in().post("/admin/operators/add", name="li", role="king")).code == 400


async def test_an_owner_changes_a_role(signed_in, dashboard):
    owner, viewer = signed_in(), signed_in(Role.VIEWER)
    response = await owner.post("/admin/operators/role", name="the-viewer", role="owner")
    assert await owner.notice(response) == "The role of the-viewer has been changed."
    assert (await viewer.get("/admin/operators")).code == 200
    [entry] = dashboard.audit.page(AuditQuery(action="operator_role")).entries
    assert (entry.operator, entry.subject) == ("the-owner", "the-viewer")
    assert entry.details == {"before": "viewer", "after": "owner"}


async def test_the_last_owner_stays(signed_in, dashboard):
    owner = signed_in()
    signed_in(Role.OPERATOR)
    for path, fields in (("role", {"role": "viewer"}), ("disable", {})):
        response = await owner.post(f"/admin/operators/{path}", name="the-owner", **fields)
        assert await owner.notice(response) == "the-owner is the last owner. Make somebody else an owner first."
    assert dashboard.operators.find("the-owner")[0].role is Role.OWNER
    assert (await owner.get("/admin/operators")).code == 200


async def test_a_disabled_operator_is_out_and_comes_back(signed_in, browser):
    owner, viewer = signed_in(), signed_in(Role.VIEWER)
    await owner.post("/admin/operators/disable", name="the-viewer")
    assert (await viewer.get("/admin/me")).code == 303
    assert (await browser.sign_in("the-viewer", PASSWORD)).code == 401
    await owner.post("/admin/operators/enable", name="the-viewer")
    assert (await viewer.get("/admin/me")).code == 303, "an ended session must not live again"
    assert (await browser.sign_in("the-viewer", PASSWORD)).code == 303


async def test_a_reset_password_is_shown_once_and_ends_the_sessions(signed_in, browser, dashboard):
    owner, viewer = signed_in(), signed_in(Role.VIEWER)
    password = secret_of(await owner.post("/admin/operators/password", name="the-viewer"))
    assert (await viewer.get("/admin/me")).code == 303
    assert (await browser.sign_in("the-viewer", PASSWORD)).code == 401
    assert (await browser.sign_in("the-viewer", password)).code == 303
    assert password not in text_of(await owner.get("/admin/operators"))
    assert password not in repr(dashboard.audit.page(AuditQuery()).entries)


async def test_an_owner_who_resets_the_own_password_stays_signed_in(signed_in, browser):
    owner = signed_in()
    password = secret_of(await owner.post("/admin/operators/password", name="the-owner"))
    assert (await owner.get("/admin/me")).code == 200
    assert (await browser.sign_in("the-owner", password)).code == 303


@pytest.mark.parametrize("path", ["role", "disable", "enable", "password"])
async def test_an_operator_who_does_not_exist_is_not_found(signed_in, path):
    assert (await signed_in().post(f"/admin/operators/{path}", name="nobody", role="viewer")).code == 404
