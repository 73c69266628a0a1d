"""The store of docs/stores.md, taken out of the page as it stands there."""

import importlib
import sys
from pathlib import Path

import pytest

from storage.testing import TokenStoreContract
from tests.docs.markdown_text import ROOT, code_blocks, read

PAGE = ROOT / "docs" / "stores.md"


def documented_files():
    """Return the page's store, its tests and its packaging."""
    store, tests, packaging = (code for language, code in code_blocks(read(PAGE)) if language == "python")
    return {"shelf_store.py": store, "test_shelf_store.py": tests, "setup.py": packaging}


@pytest.fixture(scope="module")
def documented_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documented")
    (folder / "shelf_store.py").write_text(documented_files()["shelf_store.py"])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("shelf_store").ShelfTokenStore
        patch.delitem(sys.modules, "shelf_store")


class TestDocumentedStore(TokenStoreContract):
    @pytest.fixture
    def url(self, tmp_path):
        return f"shelf://{tmp_path}/users.db"

    @pytest.fixture
    def store(self, documented_store, url):
        store = documented_store.open(url)
        yield store
        store.close()


def test_it_is_short_enough_to_be_read():
    lines = [line for line in documented_files()["shelf_store.py"].splitlines() if line.strip()]
    assert len(lines) < 85
    assert all(len(line) <= 120 for line in lines)


def test_it_refuses_the_url_of_something_else(documented_store):
    with pytest.raises(ValueError, match="shelf:///PATH"):
        documented_store.open("sqlite:///users.db")
    assert not Path("users.db").exists()
