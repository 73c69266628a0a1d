import ast
import re
from pathlib import Path

import pytest

import admin
from admin.web.accept_language import preferred_language
from admin.web.i18n import load_languages, locale_for

ADMIN = Path(admin.__file__).parent
#: A text in a template, as tornado's gettext name marks it.
IN_TEMPLATE = re.compile(r"""(?<!\w)_\(\s*(?:"([^"]*)"|'([^']*)')\s*\)""")
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?s")
#: A run of Latin letters between the tags of a template that no mark surrounds.
BARE_TEXT = re.compile(r">[^<>{}]*?([A-Za-z]{2,}[^<>{}]*)<")
#: Names that are the same in every language.
NAMES = {"AppID", "openid", "unionid", "wechat-openid", "UTC"}


def texts_of_templates() -> set[str]:
    return {
        found[1] or found[2]
        for path in (ADMIN / "templates").rglob("*.html")
        for found in IN_TEMPLATE.finditer(path.read_text(encoding="utf-8"))
    }


def texts_of_code() -> set[str]:
    """Return what modules mark for translation."""
    return {call.args[0].value for _, call in calls_of("N_")}


def calls_of(name: str) -> list[tuple[str, ast.Call]]:
    """Return the calls of a function or class by its name, each with the module it stands in."""
    return [
        (path.name, node)
        for path in ADMIN.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def is_marked(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_"


@pytest.fixture(scope="module")
def chinese():
    return load_languages()["zh_CN"].translations["unknown"]


def test_every_text_of_the_pages_has_its_chinese(chinese):
    assert sorted((texts_of_templates() | texts_of_code()) - set(chinese)) == []


def test_no_translation_is_left_over(chinese):
    assert sorted(set(chinese) - texts_of_templates() - texts_of_code()) == []


def test_texts_are_found_where_they_stand():
    assert "Sign in" in texts_of_templates()
    assert {"Your role does not allow this.", "Viewer", "Audit log"} <= texts_of_code()


def test_why_a_request_is_refused_is_marked_for_translation():
    refusals = calls_of("PageError")
    assert len(refusals) > 10
    assert [(module, call.lineno) for module, call in refusals if not is_marked(call.args[1])] == []


def test_a_translation_keeps_the_places_of_its_values(chinese):
    wrong = [
        text
        for text, translated in chinese.items()
        if sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(translated))
    ]
    assert wrong == []


def test_a_chinese_text_is_chinese(chinese):
    same = {text for text, translated in chinese.items() if not re.search(r"[\u4e00-\u9fff]", translated)}
    assert same == {"%(name)s: %(value)s", "%(browser)s on %(system)s", "AppSecret", "openid", "unionid"}


def test_a_chinese_text_has_chinese_punctuation(chinese):
    wrong = [
        text for text, translated in chinese.items() if re.search(r"[\u4e00-\u9fff] ?[,;:!?()]|[。，：；] ", translated)
    ]
    assert wrong == []


def test_templates_hold_no_text_that_is_not_marked():
    bare = {
        (path.name, found[1].strip())
        for path in (ADMIN / "templates").rglob("*.html")
        for found in BARE_TEXT.finditer(re.sub(r"{%.*?%}|{{.*?}}", "", path.read_text(encoding="utf-8")))
    }
    assert {one for one in bare if one[1] not in NAMES and not one[1].endswith("wechat-openid")} == set()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-Hant-TW", "zh"),
        ("ZH", "zh"),
        ("en-GB,zh;q=0.5", "en"),
        ("fr,de;q=0.8", "en"),
        ("fr;q=1.0, zh;q=0.2", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh ; Q=0.9 , en;q=0.8", "zh"),
        ("zh;q=very", "en"),
        ("zh;q=1e9", "en"),
        ("zh;q=inf", "en"),
        ("zh;q=0.1,en;q=-1", "zh"),
        ("*", "en"),
        (";;,=,q", "en"),
        ("zh;" * 10_000, "en"),
    ],
)
def test_the_language_is_the_one_the_browser_prefers(header, language):
    assert preferred_language(header, {"en", "zh"}, "en") == language


def test_the_default_is_a_language_that_no_header_names():
    assert preferred_language("fr", {"en", "zh"}, "zh") == "zh"


def test_any_chinese_gets_the_chinese_there_is():
    assert locale_for(load_languages(), "zh-Hant-HK").code == "zh_CN"
