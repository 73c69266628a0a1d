"""What a page says that refuses a request, and where it leads."""

import pytest

from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test


async def test_an_error_leads_back_to_the_page_of_the_dashboard_that_led_to_it(signed_in):
    browser = signed_in()
    page = text_of(await browser.get("/admin/nowhere", Referer=f"{browser.url}/admin/users?status=active"))
    assert 'href="/admin/users?status=active">Back</a>' in page


async def test_an_error_leads_nowhere_else(signed_in, subtests):
    browser = signed_in()
    for referer in (
        "",
        "https://evil.example/admin/users",
        f"{browser.url}.evil.example/admin/users",
        f"{browser.url}//evil.example/",
        f"{browser.url}/admin/nowhere",
    ):
        with subtests.test(referer=referer):
            assert ">Back<" not in text_of(await browser.get("/admin/nowhere", Referer=referer))
