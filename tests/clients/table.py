"""`make clients`: the table of client libraries and the steps that each takes with the simulator."""

import argparse
import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.clients.libraries import HERE, LIBRARIES, STEPS
from tests.clients.runs import Run, run_library, simulator_in_wechats_place

_DOCS = HERE.parents[1] / "docs"
PAGE = _DOCS / "simulator.md"
_PAGES = (PAGE, _DOCS / "simulator.zh-CN.md")
_HEADINGS = ("authorize", "code → tokens", "refresh", "userinfo", "auth", "account", "errcodes")
#: The table, with its head, which differs in the languages, by itself.
_TABLE = re.compile(r"^(\| (?:library|库) \|.*\n\|-.*\n)(?:\|.*\n)+", re.MULTILINE)


async def rows() -> AsyncIterator[str]:
    """Give the lines of the table, each once its library has run."""
    yield f"| library | {' | '.join(_HEADINGS)} |"
    yield f"|---|{'---|' * len(STEPS)}"
    for library in LIBRARIES:
        if library.missing is not None:
            yield f"| {library.name} | {library.missing} |{' |' * (len(STEPS) - 1)}"
            continue
        with tempfile.TemporaryDirectory() as folder:
            async with simulator_in_wechats_place(Path(folder)) as place:
                run = await run_library(library, *place)
        yield f"| {library.name} {run.version} | {' | '.join(_cell(run, step) for step in STEPS)} |"


def _cell(run: Run, step: str) -> str:
    if step not in run.steps:
        return "–"
    failure = run.steps[step]
    return "✔" if failure is None else f"✘ {failure}".replace("|", "\\|").replace("\n", " ")


async def _print(*, write: bool) -> None:
    lines = []
    async for line in rows():
        print(line, flush=True)
        lines.append(line)
    if write:
        body = "\n".join(lines[2:])
        for page in _PAGES:
            text = _TABLE.sub(lambda table: f"{table[1]}{body}\n", page.read_text(encoding="utf-8"), count=1)
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/simulator.md and its twin")
    asyncio.run(_print(write=parser.parse_args().write))
