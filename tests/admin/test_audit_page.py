import csv
import io
from html import escape

import pytest
from sqlalchemy import insert, select

from storage.sql.accounts.audit import AuditAction, AuditQuery, AuditResult, NewAuditEntry
from storage.sql.accounts.operators import Role
from storage.sql.core.engine import Database
from storage.sql.core.schema import audit_log
from tests.admin.operator_browser import text_of

pytestmark = pytest.mark.gen_test
DAY = 86_400


@pytest.fixture
def note(dashboard, clock):
    def write(**changes):
        entry = {
            "at": clock.now(),
            "operator": "ada",
            "action": AuditAction.USER_REFRESH,
            "result": AuditResult.SUCCESS,
        }
        dashboard.audit.record(NewAuditEntry(**{**entry, **changes}))

    return write


def multiply_the_entry(url, count):
    """Make as many entries of the one there is, in one transaction."""
    database = Database.open(url)
    row = database.read(lambda connection: connection.execute(select(audit_log)).mappings().one())
    copies = [{**row, "id": row["id"] + number, "request_id": f"id-{number:04}"} for number in range(1, count)]
    database.write(lambda connection: connection.execute(insert(audit_log), copies))
    database.close()


def rows_of(response):
    assert response.body.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(response.body.decode("utf-8-sig"))))


async def test_the_log_is_shown_from_the_newest_on_page_by_page(signed_in, note, clock):
    for number in range(120):
        clock.advance(number % 3)
        note(request_id=f"id-{number:04}")
    operator = signed_in(Role.OPERATOR)
    path, seen = "/admin/audit", []
    while path:
        page = text_of(await operator.get(path))
        seen += [part[:7] for part in page.split('<span class="id quiet">')[1:]]
        following = page.partition('rel="next" href="')[2].partition('"')[0]
        path = following.replace("&amp;", "&")
    assert seen == [f"id-{number:04}" for number in reversed(range(120))]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("operator=ada", ["c", "a"]),
        ("action=user_erase", ["b"]),
        ("result=failed", ["c"]),
        ("openid=o1&appid=wx1", ["b"]),
        ("operator=ada&result=success", ["a"]),
        ("operator=nobody", []),
        ("from=2027-01-15", ["c", "b", "a"]),
        ("from=2027-01-16&to=2027-01-16", ["c"]),
        ("to=2027-01-15", ["b", "a"]),
    ],
)
async def test_the_log_is_filtered(signed_in, note, clock, query, ids):
    note(request_id="a")
    note(request_id="b", operator="bob", action=AuditAction.USER_ERASE, appid="wx1", openid="o1")
    clock.advance(DAY)
    note(request_id="c", result=AuditResult.FAILED)
    operator = signed_in(Role.OPERATOR)
    page = text_of(await operator.get(f"/admin/audit?{query}"))
    assert [part[0] for part in page.split('<span class="id quiet">')[1:]] == ids
    exported = rows_of(await operator.get(f"/admin/audit.csv?{query}"))
    assert [row[9] for row in exported[1:] if len(row[9]) == 1] == ids


@pytest.mark.parametrize(
    "query", ["from=tomorrow", "to=2027-02-30", "to=9999-12-31", "cursor=x", "cursor=1", "cursor=1.-1"]
)
async def test_a_query_that_cannot_be_read_is_refused(signed_in, query):
    assert (await signed_in(Role.OPERATOR).get(f"/admin/audit?{query}")).code == 400


async def test_what_browsers_call_themselves_is_shown_as_text(signed_in, note):
    markup = '"><script>alert(1)</script>'
    note(user_agent=markup, subject=markup, details={"sessions_ended": markup})
    page = text_of(await signed_in(Role.OPERATOR).get("/admin/audit"))
    assert "<script>alert" not in page
    assert page.count(escape(markup)) == 3


async def test_the_export_holds_everything_and_is_written_down(signed_in, note, dashboard, settings):
    note(request_id="id-0000")
    multiply_the_entry(settings.database_url, 2500)
    operator = signed_in(Role.OPERATOR)
    response = await operator.get("/admin/audit.csv?operator=ada")
    assert response.headers["Content-Disposition"] == 'attachment; filename="audit-log.csv"'
    rows = rows_of(response)
    assert rows[0][:4] == ["time (UTC)", "operator", "action", "result"]
    assert [row[9] for row in rows[1:]] == [f"id-{number:04}" for number in reversed(range(2500))]
    [entry] = dashboard.audit.page(AuditQuery(action="audit_export")).entries
    assert (entry.operator, entry.details) == ("the-operator", {"filter": "operator=ada"})


async def test_no_cell_of_the_export_is_a_formula(signed_in, note):
    dangerous = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"]
    for text in dangerous:
        note(user_agent=text, subject=text)
    rows = rows_of(await signed_in(Role.OPERATOR).get("/admin/audit.csv?operator=ada"))[1:]
    # What some spreadsheets drop at the start of a cell separates, too.
    harmless = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t'=1", "'\r'=1", "'  =1", "'＝1"]
    assert [row[8] for row in rows] == harmless[::-1]
    assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


async def test_a_cell_that_has_nothing_to_say_is_empty(signed_in, note):
    note(operator="")
    page = text_of(await signed_in(Role.OPERATOR).get("/admin/audit?action=user_refresh"))
    for label in ("Done by", "Target", "Client", "Request"):
        assert f'<td data-label="{label}"></td>' in page, label
