"""Token stores by name, built-in or others': entry points of the group `wechat_openid.token_stores`.

An entry point names a subclass of `storage.store.TokenStore`. A name that two distributions claim is refused rather
than guessed, because the wrong store would look like lost users.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from storage.base.errors import RegistryError
from storage.base.quoting import quoted
from storage.store import API_VERSION, METHODS_OF, TokenStore

__all__ = ["GROUP", "InstalledStore", "installed_stores", "load_store"]

GROUP = "wechat_openid.token_stores"


@dataclass(frozen=True, slots=True)
class InstalledStore:
    """A store that some installed distribution offers."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    def load(self) -> type[TokenStore]:
        """Import the store.

        Raises:
            RegistryError: It cannot be imported, is not a token store, or was made for another contract.
        """
        source = f"token store {self.name!r} of {self.distribution} {self.version}"
        try:
            store = self.entry_point.load()
        except Exception as error:  # importing a module runs it, and may fail in any way
            raise RegistryError(f"{source} cannot be imported: {type(error).__name__}: {error}") from error
        if not (isinstance(store, type) and issubclass(store, TokenStore)):
            raise RegistryError(f"{source} is not a subclass of storage.store.TokenStore: {self.entry_point.value}")
        if store.api_version[0] != API_VERSION[0]:
            made_for, here = (".".join(map(str, version)) for version in (store.api_version, API_VERSION))
            raise RegistryError(
                f"{source} was made for version {made_for} of the store contract, this is version {here}; "
                f"install a release of {self.distribution} that fits"
            )
        if missing := sorted(_missing_methods(store)):
            raise RegistryError(f"{source} lacks {', '.join(missing)}")
        return store


def installed_stores(candidates: Iterable[EntryPoint] | None = None) -> list[InstalledStore]:
    """List the stores that are installed, by name. Nothing is imported.

    Args:
        candidates: The entry points to choose from; by default those of the environment.
    """
    found = [
        InstalledStore(
            name=point.name,
            distribution=point.dist.name if point.dist else "an unnamed distribution",
            version=point.dist.version if point.dist else "?",
            entry_point=point,
        )
        for point in (entry_points(group=GROUP) if candidates is None else candidates)
    ]
    return sorted(found, key=lambda store: (store.name, store.distribution))


def load_store(name: str, candidates: Iterable[EntryPoint] | None = None) -> type[TokenStore]:
    """Return the store class registered under a name.

    Raises:
        RegistryError: None or several are registered under it, or the one does not fit. The text lists what there is.
    """
    installed = installed_stores(candidates)
    matching = [store for store in installed if store.name == name]
    if not matching:
        raise RegistryError(f"no token store is named {quoted(name)}; installed: {_listed(installed)}")
    if len(matching) > 1:
        raise RegistryError(f"several token stores are named {name!r}: {_listed(matching)}; uninstall all but one")
    return matching[0].load()


def _missing_methods(store: type[TokenStore]) -> set[str]:
    """Return what a store does not have, of what every store has and of what its capabilities promise."""
    promised = {method for capability in store.capabilities for method in METHODS_OF[capability]}
    unwritten = {method for method in promised if getattr(store, method) is getattr(TokenStore, method)}
    return unwritten | store.__abstractmethods__


def _listed(stores: list[InstalledStore]) -> str:
    return ", ".join(f"{store.name} ({store.distribution} {store.version})" for store in stores) or "none"
