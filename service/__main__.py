"""The command `wechat-openid`, and `python -m service`, which is the same."""

from service.commands import cli
from service.runtime.process import harden

__all__ = ["main"]


def main() -> None:
    """Run the command, after closing its files and memory to other users of the machine."""
    harden()
    cli.main()


if __name__ == "__main__":
    main()
