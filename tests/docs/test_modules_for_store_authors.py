"""The modules that docs/stores.md names to authors of stores: they are there, and they are all that a store needs."""

import ast
import importlib
import inspect
import re
import typing

import pytest

from storage.store import TokenStore
from storage.user_search import UserSearch
from tests.docs.markdown_text import ROOT, code_blocks, read, section, table_rows

PAGE = read(ROOT / "docs" / "stores.md")
LISTED = table_rows(section(PAGE, "Write your own store"))
MODULES = [name for row in LISTED for name in re.findall(r"`(storage\.[\w.]+)`", row[0])]


def classes_in(annotation):
    """Return our classes that an annotation is made of, however deep."""
    inner = [one for argument in typing.get_args(annotation) for one in classes_in(argument)]
    is_ours = inspect.isclass(annotation) and annotation.__module__.startswith("storage.")
    return [annotation, *inner] if is_ours else inner


def methods_of(contract):
    return [method for name, method in inspect.getmembers(contract, inspect.isfunction) if not name.startswith("_")]


def test_the_page_lists_few_modules():
    assert "storage.store" in MODULES
    assert len(MODULES) <= 13


@pytest.mark.parametrize("name", MODULES)
def test_a_listed_module_says_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__all__
    assert all(hasattr(module, offered) for offered in module.__all__)


@pytest.mark.parametrize("contract", [TokenStore, UserSearch])
def test_all_that_a_store_takes_and_gives_is_in_a_listed_module(contract):
    hints = [hint for method in methods_of(contract) for hint in typing.get_type_hints(method).values()]
    needed = {one for hint in hints for one in classes_in(hint)}
    assert needed
    for one in needed:
        assert one.__module__ in MODULES
        assert one.__name__ in importlib.import_module(one.__module__).__all__


def test_the_store_of_the_page_and_its_tests_import_nothing_else():
    imported = {
        node.module
        for language, code in code_blocks(PAGE)
        if language == "python"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("storage")
    }
    assert imported
    assert imported <= set(MODULES)
