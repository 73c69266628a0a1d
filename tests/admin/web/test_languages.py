import ast
import re
from pathlib import Path

import pytest

import admin
from admin.web.i18n import DEFAULT, load_languages, preferred

ADMIN = Path(admin.__file__).parent
#: A text in a template, as tornado's gettext name marks it.
IN_TEMPLATE = re.compile(r"""(?<!\w)_\(\s*(?:"([^"]*)"|'([^']*)')\s*\)""")
#: What looks like a sentence for people among the strings of Python code.
SENTENCE = re.compile(r"[A-Z%].* .*[^:]", re.DOTALL)
#: Modules, besides the folder `labels`, whose capitalized words are labels.
LABELS = {"navigation.py"}


def texts_of_templates() -> set[str]:
    return {
        found[1] or found[2]
        for path in (ADMIN / "templates").rglob("*.html")
        for found in IN_TEMPLATE.finditer(path.read_text(encoding="utf-8"))
    }


def texts_of_code() -> set[str]:
    """Return what modules say to people."""
    return {
        text
        for path in ADMIN.rglob("*.py")
        for text in strings_of(path)
        if SENTENCE.fullmatch(text)
        or ((path.name in LABELS or path.parent.name == "labels") and re.match(r"[A-Z][a-z]", text))
    }


def strings_of(path: Path) -> set[str]:
    """Return the strings of a module, without documentation, log lines, and what is for programmers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out = {id(piece) for node in ast.walk(tree) for part in not_for_people(node) for piece in ast.walk(part)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out
    }


def not_for_people(node: ast.AST) -> list[ast.AST]:
    match node:
        case ast.Module(body=[ast.Expr() as text, *_]) | ast.ClassDef(body=[ast.Expr() as text, *_]):
            return [text]
        case ast.FunctionDef(body=[ast.Expr() as text, *_]) | ast.AsyncFunctionDef(body=[ast.Expr() as text, *_]):
            return [text]
        case ast.Assert() | ast.JoinedStr() | ast.Raise(exc=ast.Call(func=ast.Name(id="ValueError"))):
            return [node]
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.Call(func=ast.Attribute(value=ast.Name(id="_logger"))):
            return [node]
        case _:
            return []


@pytest.fixture(scope="module")
def languages():
    return load_languages()


def test_every_text_of_the_pages_has_its_chinese(languages):
    chinese = languages["zh_CN"]
    untranslated = sorted(
        text for text in texts_of_templates() | texts_of_code() if text not in chinese.translations["unknown"]
    )
    assert untranslated == []


def test_texts_are_found_where_they_stand():
    assert "Sign in" in texts_of_templates()
    assert {"Your role does not allow this.", "Viewer", "Audit log"} <= texts_of_code()


def test_a_translation_keeps_the_places_of_its_values(languages):
    texts = languages["zh_CN"].translations["unknown"]
    assert [text for text, chinese in texts.items() if text.count("%s") != chinese.count("%s")] == []


def test_no_translation_is_left_over(languages):
    strings = {text for path in ADMIN.rglob("*.py") for text in strings_of(path)}
    left = set(languages["zh_CN"].translations["unknown"]) - texts_of_templates() - strings
    assert sorted(left) == []


def test_the_language_is_the_one_the_browser_likes_best(languages, subtests):
    for header, code in [
        ("", DEFAULT),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh_CN"),
        ("zh-Hant-TW", "zh_CN"),
        ("en-GB,zh;q=0.5", "en"),
        ("fr,de;q=0.8", DEFAULT),
        ("fr;q=1.0, zh;q=0.2", "zh_CN"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=very", DEFAULT),
        (";;,=,q", DEFAULT),
    ]:
        with subtests.test(header=header, code=code):
            assert preferred(languages, header) == code
