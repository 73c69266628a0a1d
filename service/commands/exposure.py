"""Checks of `wechat-openid doctor` for what others could read: files on this machine, calls on the network, memory."""

import ipaddress
import os
import stat
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import urlsplit

from service.runtime.bootstrap import DEFAULT_KEY_FILE
from service.runtime.process import FEWEST_DESCRIPTORS, descriptor_limit
from service.settings import PREFIX, Settings, secrets_in
from service.wechat.account_check import CheckResult, CheckStatus

__all__ = ["examine_exposure"]

_OTHERS = stat.S_IRWXO
_GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO
#: What SQLite keeps beside the database.
_SQLITE_FILES = ("", "-wal", "-shm", "-journal")
_PLAIN_REDIS = frozenset({"redis", "async+redis", "redis+cluster", "redis+sentinel"})


def examine_exposure(settings: Settings, config: Path | None) -> Iterator[CheckResult]:
    """Check files that hold secrets or authorizations, addresses that secrets are sent to, and limits of the process.

    Args:
        settings: The settings.
        config: The file that they were read from, if there is one.
    """
    yield _about_files(settings, config)
    yield _about_calls(settings)
    yield _about_descriptors()


def _about_files(settings: Settings, config: Path | None) -> CheckResult:
    open_ones = {path: mode for path, mode in _modes(_files_with_secrets(settings, config)) if mode & _GROUP_AND_OTHERS}
    if not open_ones:
        return CheckResult("files", CheckStatus.GOOD, "only their owner can read those that hold secrets or users")
    commands = [f"chmod {'700' if path.is_dir() else '600'} {path}" for path in open_ones]
    # A group may be meant, as where a container's volume belongs to one; everybody never is.
    status = CheckStatus.BAD if any(mode & _OTHERS for mode in open_ones.values()) else CheckStatus.WARNING
    text = f"others on this machine can read them: run {'; '.join(commands)}"
    if DEFAULT_KEY_FILE in open_ones:
        text += "; then make a new key first in line and rotate to it"
    return CheckResult("files", status, text)


def _files_with_secrets(settings: Settings, config: Path | None) -> Iterator[Path]:
    if config is not None and secrets_in(config):
        yield config
    for row in fields(Settings):
        named = os.environ.get(f"{PREFIX}{row.name.upper()}_FILE")
        # What an orchestrator mounts for one container alone has the mode that it is given.
        if named and not row.repr and not named.startswith(("/run/secrets/", "/var/run/secrets/")):
            yield Path(named)
    if not settings.secret_keys:
        yield from (DEFAULT_KEY_FILE.parent, DEFAULT_KEY_FILE)
    for url in (settings.database_url, settings.token_store_url):
        scheme, _, path = url.partition(":///")
        if scheme.partition("+")[0] == "sqlite" and path and not path.startswith("file:"):
            database = Path(path.partition("?")[0])
            yield from (Path(f"{database}{suffix}") for suffix in _SQLITE_FILES)
            # A folder of the system's, such as /tmp, is not the service's to close.
            if database.parent.resolve() == DEFAULT_KEY_FILE.parent.resolve():
                yield database.parent


def _modes(paths: Iterator[Path]) -> Iterator[tuple[Path, int]]:
    for path in dict.fromkeys(paths):
        try:
            yield path, stat.S_IMODE(path.stat().st_mode)
        except OSError:  # it is not there: other checks tell, where it should be
            continue


def _about_calls(settings: Settings) -> CheckResult:
    plain = [
        PREFIX + name
        for name, url in (
            *(("WECHAT_API_URL", url) for url in settings.wechat_api_url.split(",")),
            ("WECHAT_AUTHORIZE_URL", settings.wechat_authorize_url),
            ("RATE_LIMIT_STORAGE", settings.rate_limit_storage),
            ("TOKEN_STORE_URL", settings.token_store_url),
            ("EVENT_FORWARD_URL", settings.event_forward_url),
        )
        if _is_plain(url)
    ]
    if f"{PREFIX}WECHAT_API_URL" in plain:
        text = f"{', '.join(plain)}: the AppSecret and tokens would cross the network in clear: use https://"
        return CheckResult("encryption", CheckStatus.BAD, text)
    if plain:
        text = f"{', '.join(plain)}: not encrypted on the way; fine within a network of your own"
        return CheckResult("encryption", CheckStatus.WARNING, text)
    return CheckResult("encryption", CheckStatus.GOOD, "what leaves this machine for WeChat is encrypted")


def _is_plain(url: str) -> bool:
    """Return whether what is sent to a URL crosses a network in clear. The URL may hold a password, or be none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in {"http", *_PLAIN_REDIS} and not _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _about_descriptors() -> CheckResult:
    limit = descriptor_limit()
    if limit < FEWEST_DESCRIPTORS:
        text = f"{limit} may be open at once: set LimitNOFILE, or ulimit -n, to {FEWEST_DESCRIPTORS} or more"
        return CheckResult("files and connections", CheckStatus.WARNING, text)
    return CheckResult("files and connections", CheckStatus.GOOD, f"{limit} may be open at once")
