from dataclasses import fields
from pathlib import Path

import pytest

from service.commands.simulator import simulator
from service.simulator.authorize.texts import LANGUAGES
from service.simulator.control.handlers import control_handlers
from service.simulator.errcodes import ERRMSGS
from service.simulator.faults import Breakage, Endpoint, Fault
from service.simulator.people import DEFAULT_ACCOUNT
from service.simulator.replies import Quirks
from tests.docs.markdown_text import section, table_rows

DOCUMENT = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_the_documentation_names(subtests):
    for word in [
        *(f"`{breakage}`" for breakage in Breakage),
        *(f"`{endpoint}`" for endpoint in Endpoint),
        *(f"`{field.name}`" for field in fields(Fault)),
        *(f"`{field.name}`" for field in fields(Quirks)),
        *(f"### `{path}`" for path, _ in control_handlers),
        *(f"http://127.0.0.1:8890{path}" for path, _ in control_handlers),
        *(str(errcode) for errcode in ERRMSGS),
        *(f"| {number} |" for number in LANGUAGES["en"].errors),
        *(option for parameter in simulator.params for option in parameter.opts if option != "--control"),
        "--no-control",
        f"WECHAT_OPENID_APPID={DEFAULT_ACCOUNT.appid}",
        f"WECHAT_OPENID_SECRET={DEFAULT_ACCOUNT.secret}",
    ]:
        with subtests.test(word=word):
            assert word in DOCUMENT


def test_both_languages_explain_the_same_errors():
    assert LANGUAGES["zh"].errors.keys() == LANGUAGES["en"].errors.keys()


@pytest.mark.parametrize(
    ("heading", "rows"),
    [
        ("What it does as WeChat does", 15),
        ("The authorize page", len(LANGUAGES["en"].errors)),
        ("The errcodes it gives by itself", 15),
        ("`/simulator/quirks`", len(fields(Quirks))),
    ],
)
def test_the_documentation_says_of_each_behaviour_how_it_is_known(heading, rows):
    known = [row[-1] for row in table_rows(section(DOCUMENT, heading))]
    assert len(known) >= rows
    assert [cell for cell in known if not cell.startswith(("documented", "recorded", "reported", "assumed"))] == []
