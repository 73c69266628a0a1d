"""Client libraries that others wrote for WeChat work unchanged with the simulator."""

import pytest

from tests.clients.libraries import LIBRARIES, STEPS
from tests.clients.runs import run_library, simulator_in_wechats_place
from tests.clients.table import PAGE
from tests.docs.markdown_text import section, table_rows

#: The call of the API that each step makes; the page is no call.
ENDPOINTS = {
    "exchange": "access_token",
    "refresh": "refresh_token",
    "userinfo": "userinfo",
    "auth": "auth",
    "account": "getticket",
}


@pytest.mark.gen_test
@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
async def test_an_unmodified_library_takes_every_step_that_it_has(library, tmp_path):
    if library.missing is not None:
        pytest.skip(f"{library.name}: {library.missing}")
    async with simulator_in_wechats_place(tmp_path) as (wechat, port, certificate):
        run = await run_library(library, wechat, port, certificate)
    assert run.steps == dict.fromkeys(library.steps)
    assert {endpoint for endpoint in ENDPOINTS.values() if wechat.outcomes[endpoint]["ok"]} == {
        ENDPOINTS[step] for step in library.steps if step in ENDPOINTS
    }


def test_the_document_tells_what_is_tried():
    rows = table_rows(section(PAGE.read_text(encoding="utf-8"), "Libraries that have been tried"))
    documented = {row[0].partition(" ")[0]: row[1:] for row in rows}
    assert documented == {
        library.name: ["✔" if step in library.steps else "–" for step in STEPS] for library in LIBRARIES
    }
