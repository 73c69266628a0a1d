"""`wechat-openid keys`: the keys that seal tokens."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.runtime.bootstrap import open_database, open_keys, open_store
from service.settings import Settings, load_settings
from storage.rotation import KeyRotation, RotationReport
from storage.sealing import KeyRing, generate_key
from storage.sql.accounts.factors.totp import TotpSecrets
from storage.store import Capability, TokenStore

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar  # click's own annotation of progressbar; it has no public name

__all__ = ["keys"]

#: Rows that are written in one transaction at most: a user who writes to one of them waits for its end.
_PAGE_SIZE = 500
#: Of the operators' secrets that do not open, so many are told.
_EXAMPLES = 5
#: How long finding the newest user may take.
_SEARCH_SECONDS = 60


@click.group
def keys() -> None:
    """Make keys for the setting SECRET_KEYS, and seal with a new one what older ones have sealed."""


@keys.command
def generate() -> None:
    """Print a new key. It goes first in SECRET_KEYS; the older ones stay behind it and open what they sealed."""
    click.echo(generate_key())


@keys.command
@click.option("--dry-run", is_flag=True, help="Change nothing; count the rows of each key.")
@click.option("--rate", type=click.IntRange(1), metavar="ROWS", help="Seal at most so many rows a second anew.")
@click.pass_obj
def rotate(config: Path | None, dry_run: bool, rate: int | None) -> None:
    """Seal every stored token, and operators' secrets, anew with the first of SECRET_KEYS, while the service runs.

    It may be interrupted and run again: what is done stays done. In the end it says how many rows each key seals;
    a key that seals none can go. The exit status is 1 if a row opens with none of the keys.
    """
    settings = load_settings(config)
    ring = open_keys(settings)
    store = open_store(settings)
    try:
        if Capability.RESEALING not in store.capabilities:
            raise click.ClickException(f"the token store {settings.token_store!r} cannot replace sealed tokens")
        status = _rotate(store, ring, dry_run=dry_run, rate=rate)
    finally:
        store.close()
    sys.exit(max(status, _rotate_operators(settings, ring, dry_run=dry_run)))


def _rotate_operators(settings: Settings, ring: KeyRing, *, dry_run: bool) -> int:
    """Do the same with the secrets of operators' authenticator apps, and return the exit status."""
    unopened: list[str] = []
    database = open_database(settings)
    try:
        done = TotpSecrets(database, ring).reseal(dry_run=dry_run, unopened=unopened.append)
    finally:
        database.close()
    if done:
        click.echo(f"{done} secrets of operators' apps {'would be' if dry_run else 'are'} sealed anew.")
    for example in unopened[:_EXAMPLES]:
        click.echo(example, err=True)
    return int(bool(unopened))


def _rotate(store: TokenStore, ring: KeyRing, *, dry_run: bool, rate: int | None) -> int:
    """Rotate with a progress bar, print the result, and return the exit status."""
    rotation = KeyRotation(store, ring, page_size=min(_PAGE_SIZE, rate or _PAGE_SIZE))
    begun = time.monotonic()
    last: RotationReport | None = None
    bar: ProgressBar[int]
    with click.progressbar(length=_newest_id(store), label="Looking" if dry_run else "Sealing", file=sys.stderr) as bar:
        for report in rotation.run(dry_run=dry_run):
            bar.update(report.last_id - bar.pos)
            last = report
            if rate:
                time.sleep(max(0.0, report.resealed / rate - (time.monotonic() - begun)))
    if last is None:
        click.echo("No tokens are stored.")
        return 0
    click.echo(_summary(last, ring, dry_run=dry_run))
    for example in last.examples:
        click.echo(example, err=True)
    return int(last.unopened > 0)


def _newest_id(store: TokenStore) -> int | None:
    """Return the highest id, for the progress bar; None where the store cannot list users."""
    if Capability.USERS not in store.capabilities:
        return None
    return store.user_search(_SEARCH_SECONDS).last_id()


def _summary(report: RotationReport, ring: KeyRing, *, dry_run: bool) -> str:
    lines = [f"{report.stale} rows would be sealed anew." if dry_run else f"{report.resealed} rows are sealed anew."]
    newest = ring.key_ids[0]
    for key_id, rows in report.rows_by_key.items():
        place = "first" if key_id == newest else "not in SECRET_KEYS" if key_id not in ring.key_ids else "older"
        lines.append(f"  key {key_id} ({place}) seals {rows} rows")
    if report.unopened:
        lines.append(f"{report.unopened} rows open with none of the keys and were left as they are:")
    return "\n".join(lines)
