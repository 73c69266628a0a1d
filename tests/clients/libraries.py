"""The client libraries that are run against the simulator, and their installation in environments of their own."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
MODULES = HERE / "node_modules"

#: What a library may be taken through, in the order of the table.
STEPS = ("authorize", "exchange", "refresh", "userinfo", "auth", "account", "errcodes")


@dataclass(frozen=True)
class Library:
    """A library: its name in its registry, and the program of `drivers/` that uses it."""

    name: str
    driver: str
    steps: tuple[str, ...] = tuple(step for step in STEPS if step != "account")

    @property
    def command(self) -> list[str]:
        """What runs its driver."""
        driver = str(HERE / "drivers" / self.driver)
        if self.driver.endswith(".js"):
            return ["node", "--require", str(HERE / "drivers" / "rerouted.js"), driver]
        return [str(PYTHON), driver]

    @property
    def missing(self) -> str | None:
        """Why it cannot be run here, or None."""
        if self.driver.endswith(".js"):
            if shutil.which("node") is None:
                return "Node.js is not installed"
            return None if (MODULES / self.name).exists() else "not installed: make clients installs it"
        return None if PYTHON.exists() else "not installed: make clients installs it"


LIBRARIES = (
    Library("wechatpy", "with_wechatpy.py", STEPS),
    Library("weixin-python", "with_weixin_python.py"),
    Library("social-auth-core", "with_social_core.py", ("authorize", "exchange", "userinfo", "errcodes")),
    Library("Authlib", "with_authlib.py", ("exchange", "refresh", "errcodes")),
    Library("wechat-oauth", "with_wechat_oauth.js"),
    Library("co-wechat-oauth", "with_co_wechat_oauth.js"),
    Library("passport-wechat", "with_passport_wechat.js", ("authorize", "exchange", "userinfo", "errcodes")),
    Library("passport-weixin", "with_passport_weixin.js", ("authorize", "exchange", "userinfo")),
)


def install() -> None:
    """Install the libraries by their locks. What cannot be had is said and left out."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    environment = PYTHON.parents[1]
    has_python = _attempt("the libraries of Python", [sys.executable, "-m", "venv", "--clear", str(environment)])
    has_python = has_python and _attempt(
        "the libraries of Python", [*pip, "--require-hashes", "-r", str(HERE / "requirements.lock")]
    )
    if not has_python:
        shutil.rmtree(environment, ignore_errors=True)
    has_node = _attempt(
        "the libraries of Node.js", ["npm", "ci", "--silent", "--ignore-scripts", "--prefix", str(HERE)]
    )
    if has_python and has_node:
        (environment / ".ready").touch()


def _attempt(what: str, command: list[str]) -> bool:
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{what}: not installed: {error}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    install()
