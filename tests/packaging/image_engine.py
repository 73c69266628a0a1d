"""Builds the image with buildah, without a registry: in place of Python's image stands Debian with its own Python.

Files of the image are laid out by the same engine, and run as its configuration says, on a tree that cannot be written.
"""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.docs.markdown_text import ROOT

#: The Debian whose Python is that of the Dockerfile.
_SUITE = "trixie"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command, **options):
    """Run a command; say what it printed if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


class Engine:
    """buildah with its images in a folder, in which it needs no privilege but root's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where = ("--storage-driver", "vfs", "--root", str(folder / "storage"), "--runroot", str(folder / "run"))

    def __call__(self, command, *arguments):
        return run("buildah", *self._where, command, *arguments)

    def make_base(self, name: str) -> None:
        """Make an image of this name with Debian's Python, and the locked wheels for it."""
        tree = self._folder / "debian"
        run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", _SUITE, str(tree))
        (tree / "usr/bin/python").symlink_to("python3")
        self._fetch_wheels(tree)
        container = self("from", "scratch")
        mounted = self("mount", container)
        run("cp", "--archive", f"{tree}/.", mounted)
        self("umount", container)
        self("config", "--env", f"PATH={_PATH}", container)
        self("commit", "--quiet", container, name)
        self("rm", container)
        shutil.rmtree(tree)

    def build(self, context: Path, name: str) -> None:
        self("bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--tag", name, str(context))

    def laid_out(self, name: str) -> tuple[Path, dict]:
        """Return the folder of an image's files, and its configuration."""
        container = self("from", "--pull-never", name)
        configuration = json.loads(self("inspect", container))["Docker"]["config"]
        return Path(self("mount", container)), configuration

    def close(self) -> None:
        self("umount", "--all")
        self("rm", "--all")

    @staticmethod
    def _fetch_wheels(tree: Path) -> None:
        """Put the locked packages where pip finds them without a network, as the build then has none."""
        for file in ("etc/resolv.conf", "etc/hosts"):
            shutil.copyfile(Path("/", file), tree / file)
        environment = {"PATH": _PATH, "HOME": "/root"}
        certificates = os.environ.get("PIP_CERT")
        if certificates:
            shutil.copyfile(certificates, tree / "certificates.pem")
            environment["PIP_CERT"] = "/certificates.pem"
        shutil.copyfile(ROOT / "requirements.lock", tree / "requirements.lock")
        script = (
            "python3 -m venv /fetching && /fetching/bin/pip download --quiet --only-binary=:all: --require-hashes "
            "--requirement /requirements.lock --dest /wheels && rm -r /fetching"
        )
        run("chroot", str(tree), "sh", "-c", script, env=environment)
        (tree / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")


class Container:
    """The files of an image, read-only, with a folder of data and a `/tmp`; ended by `close`.

    It shares the network of this machine, so the caller chooses ports.
    """

    def __init__(self, tree: Path, configuration: dict, data: Path) -> None:
        self._configuration = configuration
        user, _, group = configuration["User"].partition(":")
        os.chown(data, int(user), int(group))
        mounts = (
            f"mount --bind {tree} {tree}",
            f"mount --bind {data} {tree}{configuration['WorkingDir']}",
            f"mount -t tmpfs tmpfs {tree}/tmp",
            f"mount -t proc proc {tree}/proc",
            f"mount -o remount,bind,ro {tree}",
        )
        script = f'cd {configuration["WorkingDir"]} && exec "$@"'
        self._prefix = (
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"),
            f"{' && '.join(mounts)} && exec chroot --userspec={user}:{group} {tree} sh -c '{script}' sh \"$@\"",
            "sh",
        )
        self._environment = dict(variable.split("=", 1) for variable in configuration["Env"])
        self._running = []

    def start(self, *command, log: Path, **environment):
        """Start a command of the image, by default its own."""
        entry = (*self._configuration["Entrypoint"], *(command or self._configuration["Cmd"]))
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self._prefix, *entry], env={**self._environment, **environment}, stdout=output, stderr=output
            )
        self._running.append(process)
        return process

    def run(self, *command, **environment):
        """Run a program of the image to its end; return its exit status and what it printed."""
        done = subprocess.run(
            [*self._prefix, *command],
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def close(self):
        for process in self._running:
            process.send_signal(signal.SIGKILL)
            process.wait()
