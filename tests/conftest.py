import pytest

# Before anything imports it: the contract's assertions explain themselves as those of a test module do.
pytest.register_assert_rewrite("storage.testing")
