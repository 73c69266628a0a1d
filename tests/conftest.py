"""What holds for every test."""

import os

import hypothesis
import pytest

# Before anything imports it: the contract's assertions explain themselves as those of a test module do.
pytest.register_assert_rewrite("storage.testing")

# How fast examples are made tells of the machine, not of the code. Nobody comes back to the examples of a CI run.
hypothesis.settings.register_profile(
    "wechat-openid",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    **({"database": None} if os.environ.get("CI") else {}),
)
hypothesis.settings.load_profile("wechat-openid")
