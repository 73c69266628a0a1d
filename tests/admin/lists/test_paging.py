"""Every list leads back as well as on, and says which entries of how many it shows."""

import re
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.lists.paging import FIRST_PAGE, Place
from storage.sql.accounts.audit import AuditAction, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction, JobTarget
from storage.testing import a_grant
from storage.user_search import CappedCount
from tests.admin.operator_browser import text_of


@given(number=st.integers(0, 40), size=st.integers(1, 7))
def test_pages_hold_each_entry_once_both_ways(number, size):
    entries = list(range(number, 0, -1))

    def turn(place):
        after = place.after_number()
        ordered = entries[::-1] if place.is_backward else entries
        rest = [one for one in ordered if after is None or (one > after[0] if place.is_backward else one < after[0])]
        return place.turn(
            rest[:size], size, has_more=len(rest) > size, place_of=lambda one: (one, one), arguments=[("a", "b")]
        )

    def follow(arguments):
        return turn(Place.read(lambda name: dict(arguments).get(name, "")))

    pages = [turn(FIRST_PAGE)]
    while pages[-1].following:
        pages.append(follow(pages[-1].following))
    assert [one for page in pages for one in page.entries] == entries
    assert [page.first for page in pages] == [1 + size * place for place in range(len(pages))]
    back = [pages[-1]]
    while back[-1].previous:
        back.append(follow(back[-1].previous))
    assert [(page.entries, page.first) for page in back[::-1]] == [(page.entries, page.first) for page in pages]
    assert [page.start for page in pages] == [None, *([[("a", "b")]] * (len(pages) - 1))]


@pytest.fixture
def many(service, clock):
    """A hundred and twenty of everything that is listed."""
    dashboard = service.dashboard
    service.vault._store.save([a_grant(f"o{number:05}", appid=service.settings.appid) for number in range(120)])
    entry = NewAuditEntry(at=clock.now(), operator="ada", action=AuditAction.SIGN_OUT, result="success")
    for number in range(120):
        dashboard.audit.record(replace(entry, request_id=f"id-{number}"))
        dashboard.jobs.add(
            JobAction.CHECK,
            JobTarget(users=((service.settings.appid, "o1"),)),
            operator="ada",
            request_id="r",
            at=clock.now(),
            expected=CappedCount(1),
            until_id=0,
        )


ROWS = {
    "/admin/users": r'href="/admin/users/[^/"]+/([^/"]+)"',
    "/admin/audit?action=sign_out": r'<span class="id quiet">(id-\d+)<',
    "/admin/jobs": r'href="/admin/jobs/(\d+)"',
}


@pytest.mark.gen_test
@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("path", list(ROWS))
async def test_a_list_leads_on_and_back_and_says_where_it_is(signed_in, path):
    operator = signed_in(Role.OPERATOR)

    def way(page, name):
        found = re.search(rf'href="([^"]+)">{name}<', page)
        return found and unescape(found[1])

    def place(page):
        return re.search(r">(\d+–\d+ of 120)<", page)[1]

    async def follow(page, name):
        return text_of(await operator.get(way(page, name)))

    def rows(page):
        return re.findall(ROWS[path], page)

    first = text_of(await operator.get(path))
    second = await follow(first, "Next page")
    third = await follow(second, "Next page")
    assert [place(page) for page in (first, second, third)] == ["1–50 of 120", "51–100 of 120", "101–120 of 120"]
    assert len({*rows(first), *rows(second), *rows(third)}) == 120
    second_again = await follow(third, "Previous page")
    first_again = await follow(second_again, "Previous page")
    assert [rows(second_again), rows(first_again)] == [rows(second), rows(first)]
    assert [place(second_again), place(first_again)] == [place(second), place(first)]
    assert [way(page, "Previous page") for page in (first, first_again)] == [None, None]
    assert way(third, "Next page") is None
    assert rows(await follow(third, "First page")) == rows(first)
    assert way(first, "First page") is None
