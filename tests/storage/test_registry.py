import sys
from importlib.metadata import EntryPoint

import pytest

from storage.base.errors import RegistryError
from storage.memory import MemoryTokenStore
from storage.registry import GROUP, installed_stores, load_store
from storage.sql.tokens.store import SqlTokenStore
from storage.store import API_VERSION, METHODS_OF, Capability, TokenStore


class Distribution:
    """What an entry point knows of the package that offers it."""

    def __init__(self, name, version="1.2.3"):
        self.name = name
        self.version = version


class ForAnotherMajorVersion(MemoryTokenStore):
    api_version = (API_VERSION[0] + 1, 0)


class ForALaterMinorVersion(MemoryTokenStore):
    api_version = (API_VERSION[0], API_VERSION[1] + 1)


class Unfinished(TokenStore):
    pass


class WithoutSearch(ForALaterMinorVersion):
    user_search = TokenStore.user_search


class WithoutSearchAndSaysSo(WithoutSearch):
    capabilities = MemoryTokenStore.capabilities - {Capability.USERS}


class NotAStore:
    pass


def an_instance():
    return MemoryTokenStore()


def point(name, value, distribution="acme-stores"):
    """Make an entry point as installed packages have them."""
    return EntryPoint(name, value, GROUP)._for(Distribution(distribution))


def here(name, attribute, **options):
    return point(name, f"{__name__}:{attribute}", **options)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


def test_the_stores_of_this_distribution_are_registered_like_any_other():
    by_name = {store.name: store for store in installed_stores()}
    assert {by_name["sql"].distribution, by_name["memory"].distribution} == {"wechat-openid"}
    assert load_store("memory") is MemoryTokenStore
    assert load_store("sql") is SqlTokenStore


def test_an_unknown_name_is_answered_with_what_is_installed():
    candidates = [point("dynamo", "x:Y"), point("cassandra", "x:Y", "other-stores")]
    with pytest.raises(RegistryError) as caught:
        load_store("dynamodb", candidates)
    text = str(caught.value)
    assert "'dynamodb'" in text
    assert text.endswith("cassandra (other-stores 1.2.3), dynamo (acme-stores 1.2.3)")


def test_an_unknown_name_where_nothing_is_installed_says_so():
    with pytest.raises(RegistryError, match="installed: none"):
        load_store("sql", [])


def test_two_stores_of_one_name_are_refused_and_both_named():
    candidates = [here("sql", "ForALaterMinorVersion"), here("sql", "ForALaterMinorVersion", distribution="b-stores")]
    with pytest.raises(RegistryError, match=r"acme-stores 1\.2\.3.*b-stores 1\.2\.3.*uninstall"):
        load_store("sql", candidates)


def test_a_store_for_another_major_version_is_refused_with_both_versions():
    with pytest.raises(RegistryError) as caught:
        load_store("x", [here("x", "ForAnotherMajorVersion")])
    for part in ("acme-stores 1.2.3", f"{API_VERSION[0] + 1}.0", ".".join(map(str, API_VERSION))):
        assert part in str(caught.value)


def test_a_store_for_another_minor_version_is_taken():
    assert load_store("x", [here("x", "ForALaterMinorVersion")]).api_version[1] == API_VERSION[1] + 1


@pytest.mark.parametrize("attribute", ["NotAStore", "an_instance", "GROUP"])
def test_what_is_not_a_store_is_refused(attribute):
    with pytest.raises(RegistryError, match="not a subclass of"):
        load_store("x", [here("x", attribute)])


def test_a_store_with_methods_missing_is_refused_with_their_names():
    with pytest.raises(RegistryError, match=r"lacks .*claim, claim_due.*settle"):
        load_store("x", [here("x", "Unfinished")])


def test_a_store_may_leave_out_what_it_does_not_claim_and_nothing_else():
    assert load_store("x", [here("x", "WithoutSearchAndSaysSo")]) is WithoutSearchAndSaysSo
    with pytest.raises(RegistryError, match=r"lacks user_search$"):
        load_store("x", [here("x", "WithoutSearch")])


def test_every_capability_says_which_methods_it_asks_for():
    assert METHODS_OF.keys() == set(Capability)
    assert all(hasattr(TokenStore, method) for methods in METHODS_OF.values() for method in methods)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import a_package_that_is_missing", "No module named 'a_package_that_is_missing'"),
        ("", "has no attribute 'Store'"),
        ("class Store(", "SyntaxError"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    ],
)
def test_a_store_that_cannot_be_imported_says_whose_it_is_and_why(module, source, says):
    module("broken_store", source)
    with pytest.raises(RegistryError) as caught:
        load_store("x", [point("x", "broken_store:Store")])
    assert "token store 'x' of acme-stores 1.2.3 cannot be imported" in str(caught.value)
    assert says in str(caught.value)


def test_listing_imports_nothing(module):
    module("store_with_side_effects", "raise RuntimeError")
    [listed] = installed_stores([point("x", "store_with_side_effects:Store")])
    assert (listed.name, listed.distribution, listed.version) == ("x", "acme-stores", "1.2.3")
    assert "store_with_side_effects" not in sys.modules


def test_an_entry_point_without_a_distribution_can_still_be_used():
    [listed] = installed_stores([EntryPoint("x", f"{__name__}:ForALaterMinorVersion", GROUP)])
    assert listed.load() is ForALaterMinorVersion
