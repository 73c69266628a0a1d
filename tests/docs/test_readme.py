import ast
import random
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from service.commands.cli import main
from service.http import errors
from service.settings import PREFIX, Settings
from service.tokens.refresh_policy import RefreshPolicy
from service.wechat.errcodes import Kind
from tests.docs.markdown_text import (
    CHINESE,
    ENGLISH,
    ROOT,
    code_blocks,
    code_spans,
    pages,
    read,
    section,
    table_rows,
)

LANGUAGES = pytest.mark.parametrize("page", [pytest.param(ENGLISH, id="English"), pytest.param(CHINESE, id="Chinese")])
SETTINGS = {ENGLISH: "Settings", CHINESE: "配置项"}
HTTP_API = {ENGLISH: "HTTP API", CHINESE: "HTTP 接口"}
ERRORS = {ENGLISH: "Errors", CHINESE: "错误"}
COMMANDS = {ENGLISH: "Commands", CHINESE: "命令"}


def rows_below(page: Path, headings_of: dict[Path, str]) -> list[list[str]]:
    return table_rows(section(read(page), headings_of[page]))


def settings_in_code() -> list[tuple[str, str, str]]:
    return [
        (
            f"`{row.name.upper()}`",
            f"`{row.metadata['default']}`" if row.metadata["default"] else "–",
            row.metadata["about"],
        )
        for row in fields(Settings)
    ]


def test_the_table_of_settings_is_that_of_the_code():
    assert [" | ".join(row) for row in rows_below(ENGLISH, SETTINGS)] == [" | ".join(row) for row in settings_in_code()]


def test_the_chinese_table_of_settings_has_the_same_names_and_defaults():
    rows = rows_below(CHINESE, SETTINGS)
    assert [tuple(row[:2]) for row in rows] == [row[:2] for row in settings_in_code()]
    assert all(re.search(r"[\u4e00-\u9fff]", meaning) for _, _, meaning in rows)


def test_every_variable_that_a_document_names_is_a_setting(subtests):
    for page in pages():
        with subtests.test(page=page.name):
            known = {f"{PREFIX}{row.name.upper()}{suffix}" for row in fields(Settings) for suffix in ("", "_FILE")}
            known |= {f"{PREFIX}NAME", f"{PREFIX}NAME_FILE"}  # they stand for any
            assert set(re.findall(rf"(?<!_){PREFIX}[A-Z_]+", read(page))) <= known


def commands_of(group: click.Group, path: str) -> dict[str, click.Command]:
    """Return the visible commands that do something, by what is typed for them."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found |= commands_of(command, f"{path} {name}")
        elif not command.hidden:
            found[f"{path} {name}"] = command
    return found


@LANGUAGES
def test_the_table_of_commands_lists_each_command(page):
    listed = [row[0].strip("`") for row in rows_below(page, COMMANDS)]
    assert sorted(listed) == sorted(commands_of(main, "wechat-openid"))


@LANGUAGES
def test_each_option_in_the_table_of_commands_is_one_of_its_command(page):
    commands = commands_of(main, "wechat-openid")
    for name, about in rows_below(page, COMMANDS):
        known = {option for parameter in commands[name.strip("`")].params for option in parameter.opts}
        assert {span.split()[0] for span in code_spans(about) if span.startswith("--")} <= known


def test_every_command_that_a_document_types_exists(subtests):
    for page in pages():
        with subtests.test(page=page.name):
            text = read(page)
            shells = [block for language, block in code_blocks(text) if language in {"bash", "console"}]
            typed = [*code_spans(text), *(line.removeprefix("$ ") for block in shells for line in block.splitlines())]
            words = {tuple(line.split()[1:2]) for line in typed if line.startswith("wechat-openid ")}
            options = [option for parameter in main.params for option in parameter.opts]
            assert words <= {(name,) for name in [*main.list_commands(click.Context(main)), *options, "COMMAND"]}


def routes_in_code() -> list[str]:
    """Return the patterns in the route tables: what the functions called `…routes` return, the demo's left out.

    The dashboard's many pages stand for themselves; its front door stands for all of them.
    """
    patterns = ["/admin/"]
    for module in sorted(ROOT.glob("service/http/handlers/*.py")):
        if module.name == "demo.py":
            continue
        for node in ast.walk(ast.parse(read(module))):
            if isinstance(node, ast.FunctionDef) and node.name.endswith("routes"):
                patterns += [
                    entry.elts[0].value
                    for entry in ast.walk(node)
                    if isinstance(entry, ast.Tuple) and entry.elts and isinstance(entry.elts[0], ast.Constant)
                ]
    return patterns


@LANGUAGES
def test_the_table_of_requests_and_the_routes_are_the_same(page):
    requests = [span.split()[1] for row in rows_below(page, HTTP_API) for span in code_spans(row[0]) if " /" in span]
    routes = routes_in_code()
    assert len(routes) >= 5
    undocumented = [route for route in routes if not any(re.fullmatch(route, path) for path in requests)]
    unknown = [path for path in requests if not any(re.fullmatch(route, path) for route in routes)]
    assert (undocumented, unknown) == ([], [])


def refusals_in_code() -> set[tuple[str, int]]:
    """Return the kinds and statuses that replies may have."""
    found = {(str(kind), status) for kind, status in errors._STATUS.items()}
    found |= {(str(Kind.RETRY), status) for status in errors._FAULT_STATUS.values()}
    # What `JsonHandler.write_error` makes of Tornado's own errors and of exceptions that nobody foresaw.
    found |= {("request", 405), ("internal", 500)}
    for module in sorted((ROOT / "service").rglob("*.py")):
        if "simulator" in module.parts:
            continue  # its refusals are WeChat's
        for node in ast.walk(ast.parse(read(module))):
            match node:
                case ast.Call(func=ast.Name(id="ApiError"), args=[ast.Constant(value=int(status)), kind, *_]):
                    word = kind.value if isinstance(kind, ast.Constant) else Kind[kind.attr].value
                    found.add((word, status))
    return found


@LANGUAGES
def test_the_table_of_errors_lists_each_kind_with_its_statuses(page):
    listed = {
        (kind.strip("`"), int(status))
        for kind, statuses, *_ in rows_below(page, ERRORS)
        for status in statuses.split(",")
    }
    assert listed == refusals_in_code()


@LANGUAGES
def test_the_commands_to_begin_with_are_make_demo_and_make_test(page):
    first_block = code_blocks(read(page))[0]
    assert first_block == ("bash", "make demo\nmake test\n")


class _Latest(random.Random):
    def randint(self, a, b):
        return min(a, b)


class _Earliest(random.Random):
    def randint(self, a, b):
        return max(a, b)


@pytest.mark.parametrize(
    ("page", "words"), [(ENGLISH, "{} to {} minutes before its end"), (CHINESE, "在到期前 {} 到 {} 分钟之间刷新")]
)
def test_the_time_of_a_refresh_is_that_of_the_policy(page, words):
    lifetime = 7200
    latest, earliest = (
        (lifetime - RefreshPolicy(randomness=choice).next_refresh_at(0, lifetime, last_used_at=0)) // 60
        for choice in (_Latest(), _Earliest())
    )
    assert words.format(latest, earliest) in read(page)
