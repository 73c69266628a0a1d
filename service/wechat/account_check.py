"""Whether WeChat accepts an account: its appid, its secret, this server's address, and calls for its own token."""

from dataclasses import dataclass
from enum import StrEnum

from service.wechat.client import WeChatClient
from service.wechat.errcodes import EXCHANGE_FAILED, Kind
from service.wechat.errors import WeChatError
from service.wechat.protocol import Account

__all__ = ["CheckResult", "CheckStatus", "check_account", "check_account_token"]

#: A code of the right form that WeChat never gave. Its refusal (40029) proves that appid, secret and address are good.
_MADE_UP_CODE = "doctor00000000000000000000000000"


class CheckStatus(StrEnum):
    """How a check ended."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. `errcode` is WeChat's number, where it answered with one."""

    subject: str
    status: CheckStatus
    text: str
    errcode: int | None = None


async def check_account(client: WeChatClient, account: Account) -> CheckResult:
    """Ask WeChat to exchange a made-up code: which refusal comes tells whether appid, secret and address are good."""
    subject = f"account {account.appid}"
    try:
        await client.exchange_code(account, _MADE_UP_CODE)
    except WeChatError as error:
        if error.kind is Kind.REAUTHORIZE:
            return CheckResult(
                subject, CheckStatus.GOOD, "WeChat knows the appid, the secret, and this server's address"
            )
        text = str(error).removesuffix(EXCHANGE_FAILED.en).rstrip()  # no user waits for this exchange
        return CheckResult(subject, CheckStatus.BAD, text, error.errcode)
    return CheckResult(subject, CheckStatus.WARNING, "WECHAT_API_URL accepts a made-up code, so it is not WeChat")


async def check_account_token(client: WeChatClient, account: Account) -> CheckResult:
    """Ask WeChat for the account's own access token, in the mode that changes nothing, and forget it."""
    subject = f"access token of {account.appid}"
    try:
        await client.stable_token(account)
    except WeChatError as error:
        return CheckResult(subject, CheckStatus.BAD, str(error), error.errcode)
    return CheckResult(subject, CheckStatus.GOOD, "stable_token gives it to this server")
