import pytest

from admin.operators.provider.groups import groups_in, role_of
from storage.sql.accounts.operators import Role


@pytest.mark.parametrize(
    ("claims", "name", "groups"),
    [
        ({"groups": ["a", "b"]}, "groups", ["a", "b"]),
        ({"groups": "a"}, "groups", ["a"]),
        ({"groups": ["a", 7, None, ["b"]]}, "groups", ["a"]),
        ({"groups": []}, "groups", []),
        ({}, "groups", None),
        ({"groups": 7}, "groups", None),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"realm_access": ["roles"]}, "realm_access.roles", None),
        ({"https://example.com/groups": ["a"]}, "https://example.com/groups", ["a"]),
    ],
)
def test_groups_are_found_in_claims_of_any_form(claims, name, groups):
    assert groups_in(claims, name) == groups


def test_the_widest_role_counts_and_case_does():
    roles = {"a": Role.VIEWER, "b": Role.OWNER, "c": Role.OPERATOR}
    assert role_of(["a", "c"], roles) == Role.OPERATOR
    assert role_of(["c", "b", "a"], roles) == Role.OWNER
    assert role_of(["A", "d"], roles) is None
    assert role_of([], roles) is None
