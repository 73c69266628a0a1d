"""`TokenStoreContract`: the tests that every token store passes, ours and third parties'.

Subclass it in a pytest module and give it the fixture `store`, and `url` if the store has the capability `SHARING`::

    from storage.testing import TokenStoreContract


    class TestMyStore(TokenStoreContract):
        @pytest.fixture
        def url(self, tmp_path):
            return f"my://{tmp_path}"

        @pytest.fixture
        def store(self, url):
            store = MyStore.open(url)
            yield store
            store.close()

Each test gets an empty store. What the store's `capabilities` leave out is skipped. A store whose clock can be moved
overrides `let_pass`; any other is waited for, a few seconds in all. It needs pytest and hypothesis. In a `conftest.py`
the line `pytest.register_assert_rewrite("storage.testing")` makes failures explain themselves.
"""

from storage.testing.credentials import CredentialContract
from storage.testing.ending import EndingContract
from storage.testing.fallback import FallbackContract
from storage.testing.leasing import LeasingContract
from storage.testing.listing import ListingContract
from storage.testing.model import ModelContract
from storage.testing.samples import a_grant
from storage.testing.saving import SavingContract
from storage.testing.scheduling import SchedulingContract
from storage.testing.sharing import SharingContract

__all__ = ["TokenStoreContract", "a_grant"]


class TokenStoreContract(
    SavingContract,
    FallbackContract,
    LeasingContract,
    SchedulingContract,
    ListingContract,
    EndingContract,
    CredentialContract,
    SharingContract,
    ModelContract,
):
    """The promises of `storage.store.TokenStore`."""
