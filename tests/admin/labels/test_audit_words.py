"""Every word that the code writes into the audit log has a label; which ones there are is read from the code."""

import ast
import inspect
from pathlib import Path

from admin import audit_page
from admin.labels import audit
from admin.labels.api_keys import KEY_RIGHT_LABELS
from admin.labels.audit import DETAIL_LABELS, DETAIL_VALUE_LABELS
from admin.users.filters import FIELDS
from admin.web.handler import AdminHandler
from storage.sql.accounts.api_keys import KeyLimits, KeyRight
from storage.sql.accounts.operators import Role
from storage.sql.work.jobs import JobAction
from tests.docs.test_architecture import ROOT

#: What writes entries, and which of its arguments are no details.
WRITERS = {name: set(inspect.signature(AdminHandler.audit_entry).parameters) for name in ("audit", "audit_entry")}
#: What gives several details at once.
GIVERS = {"described": set(KeyLimits(frozenset({"wx"}), frozenset(KeyRight), 1, 1).described())}
#: Details whose values are numbers, names or days; `filter` and `outcome` are put into words in ways of their own.
PLAIN = {"accounts", "errcode", "expires", "filter", "job", "outcome", "per_minute", "revoke_info", "sessions_ended"}
PLAIN |= {"comment", "users"}


def calls():
    """Return all calls in the code, each with the module it is in."""
    for folder in ("admin", "service", "storage"):
        for path in (Path(ROOT) / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from ((path, tree, node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def keys_of(value, tree, path):
    """Return the keys of the details that an expression gives."""
    match value:
        case ast.Dict(keys=keys):
            return {key.value for key in keys}
        case ast.DictComp() if path.name == "handler.py":
            return set()  # the writer's own, whose callers are looked at
        case ast.Call(func=func) if name_of(func) in GIVERS:
            return GIVERS[name_of(func)]
        case ast.Name(id=name) | ast.BoolOp(values=[ast.Name(id=name), *_]):
            return _keys_of_variable(name, tree, path)
    raise AssertionError(f"{path}:{value.lineno}: details of a kind that this test cannot read")


def _keys_of_variable(name, tree, path):
    """Return the keys that are put into a dict of this name, or given to a function of the module as its argument."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                found |= keys_of(value, tree, path)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=target), slice=ast.Constant(value=key))]):
                found |= {key} if target == name else set()
            case ast.Call(args=args):
                given = (one for one in args if isinstance(one, ast.Call) and name_of(one.func) in GIVERS)
                found = found.union(*(GIVERS[name_of(one.func)] for one in given))
    assert found, f"{path}: nothing is known of {name}"
    return found


def details_in_the_code():
    found = set()
    for path, tree, call in calls():
        writer = name_of(call.func)
        if writer in WRITERS:
            for keyword in call.keywords:
                if keyword.arg is None and name_of(getattr(keyword.value, "func", keyword.value)) == "words":
                    continue  # `audit` hands on what it was called with
                found |= keys_of(keyword.value, tree, path) if keyword.arg is None else {keyword.arg}
            found -= WRITERS[writer]
        if writer == "NewAuditEntry":
            for keyword in call.keywords:
                if keyword.arg == "details":
                    found |= keys_of(keyword.value, tree, path)
    return found


def test_every_detail_that_the_code_writes_has_a_label_and_every_label_a_detail():
    assert details_in_the_code() == set(DETAIL_LABELS)


def test_the_details_of_the_code_are_found_where_they_stand():
    assert {"reason", "kept", "revoke_info", "rights", "job", "doing", "filter", "before"} <= details_in_the_code()


def test_every_detail_is_words_that_have_labels_or_needs_none():
    assert set(DETAIL_LABELS) == set(DETAIL_VALUE_LABELS) | PLAIN
    assert not set(DETAIL_VALUE_LABELS) & PLAIN


def test_the_words_of_details_are_all_that_can_be_written():
    for name in ("role", "before", "after"):
        assert set(DETAIL_VALUE_LABELS[name]) == set(Role)
    assert set(DETAIL_VALUE_LABELS["doing"]) == set(JobAction)
    assert set(DETAIL_VALUE_LABELS["rights"]) == set(KEY_RIGHT_LABELS) == set(KeyRight)


def test_every_argument_of_a_filter_that_an_entry_holds_has_a_label():
    assert set(audit._FILTER_LABELS) == {*FIELDS, *audit_page._FILTERS}
