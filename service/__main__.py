"""The command `wechat-openid`, and `python -m service`, which is the same."""

from service.commands import cli
from service.runtime.process import harden

__all__ = ["main"]


def main() -> None:
    """Run the command, and keep from others on this machine what it writes and holds."""
    harden()
    cli.main()


if __name__ == "__main__":
    main()
