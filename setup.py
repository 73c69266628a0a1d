"""Packaging of wechat-openid. Tool settings are in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithMigrations(build_py):
    """Put the migrations inside the `storage.sql` package of a wheel.

    In a checkout they live in `alembic/`, where Alembic users look for them. A wheel cannot carry that
    folder at its top level: it would be laid over the Alembic library itself.
    """

    def run(self) -> None:
        """Build as usual, then copy the migrations."""
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                HERE / "alembic",
                Path(self.build_lib, "storage", "sql", "migrations"),
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )


# AsyncCurlMulti is younger than most releases of pycurl.
FAST = ["pycurl>=7.49", "uvloop>=0.21; sys_platform != 'win32'"]
POSTGRESQL = ["psycopg[binary]>=3.2"]
MYSQL = ["PyMySQL>=1.1.1"]
REDIS = ["redis>=5.2", "limits[async-redis]>=4.0"]
TEST = [
    "axe-playwright-python>=0.1.4",
    "calmjs.parse>=1.3.4",
    "hypothesis>=6.120",
    "playwright>=1.49",
    # pytest-tornado 0.8.1 is the last release: it uses hook marks that pytest 10 removes, and imports
    # pkg_resources, which setuptools 82 no longer has.
    "pytest>=8.3,<10",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "pytest-tornado==0.8.1",
    "setuptools>=77,<82",
]
TYPES = ["mypy>=1.14", "types-defusedxml>=0.7", "types-requests>=2.32"]
DEV = [*FAST, *POSTGRESQL, *MYSQL, *REDIS, *TEST, *TYPES, "ruff>=0.9"]

setup(
    name="wechat-openid",
    version="0.1.0",
    description="WeChat Official Account web authorization: code to openid, tokens stored sealed and kept fresh",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["service", "service.*", "storage", "storage.*", "admin", "admin.*"]),
    include_package_data=False,
    package_data={
        "admin": ["locale/*/*.csv", "static/*", "templates/*.html", "templates/*/*.html"],
        "service": ["static/*"],
        "service.simulator": ["templates/*", "static/*"],
        "service.handlers": ["templates/*"],
        "storage": ["py.typed"],
        "storage.redis": ["scripts/*.lua"],
    },
    cmdclass={"build_py": BuildWithMigrations},
    install_requires=[
        "aiolimiter>=1.2",
        "alembic>=1.14",
        "argon2-cffi>=23.1",
        "certifi",
        "click>=8.1.8",
        "cryptography>=44",
        "defusedxml>=0.7.1",
        "limits>=4.0",
        "prometheus-client>=0.21",
        "PyJWT[crypto]>=2.10",
        "python-json-logger>=3.2",
        "requests>=2.32",
        "sqlalchemy>=2.0.36",
        "tornado>=6.5",
    ],
    extras_require={
        "fast": FAST,
        "postgresql": POSTGRESQL,
        "mysql": MYSQL,
        "redis": REDIS,
        "test": TEST,
        "dev": DEV,
    },
    entry_points={
        "console_scripts": ["wechat-openid = service.cli:main"],
        "wechat_openid.token_stores": [
            "sql = storage.sql.store:SqlTokenStore",
            "memory = storage.memory:MemoryTokenStore",
            "redis = storage.redis.store:RedisTokenStore",
        ],
    },
)
