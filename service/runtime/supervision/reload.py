"""What a reload changes: which settings, and in which steps, so that old and new workers can serve side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.settings import restart_settings

__all__ = ["ReloadPlan", "plan_reload"]

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReloadPlan:
    """A reload that is to be done.

    Args:
        changed: The names of the settings that it changes.
        waiting: The names of those that have changed, but stay as they were until a restart.
        steps: The settings of all workers, one step after the other.
    """

    changed: tuple[str, ...]
    waiting: tuple[str, ...]
    steps: tuple[Words, ...]


def plan_reload(running: Sequence[Words], given: Words) -> ReloadPlan:
    """Return how to get from the settings of the running workers to those that are given.

    A key that only some workers know is not used by any of them yet: what one seals or signs, another must be able to
    open. So where there are new keys, a first step makes all workers know them, behind the keys that they have.
    """
    before = running[0]
    waiting = [name for name in restart_settings() if given[name] != before[name]]
    target = {**given, **{name: before[name] for name in waiting}}
    changed = [name for name in target if any(target[name] != words[name] for words in running)]
    steps = [target]
    common = [key for key in _keys(before) if all(key in _keys(words) for words in running)]
    new = [key for key in _keys(target) if key not in common]
    if new and common:
        steps.insert(0, {**target, "secret_keys": ",".join((*common, *new))})
    return ReloadPlan(_names(changed), _names(waiting), tuple(steps))


def _keys(words: Words) -> list[str]:
    return words["secret_keys"].replace(",", " ").split()


def _names(settings: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(name.upper() for name in settings))
