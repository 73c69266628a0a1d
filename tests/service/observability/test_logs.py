import json
import re
import subprocess
import sys

SECRET_WORD = "hunter2-the-secret"

PROGRAM = """
import logging
from service.observability.logs import configure_logging

configure_logging({form!r}, {level!r})
configure_logging({form!r}, {level!r})
logger = logging.getLogger("service.somewhere")
logger.debug("a detail")
logger.info("openid %s of 李娜😀", "o1")
logger.warning("GET %s", "/sns/oauth2/access_token?appid=wx1&secret=hunter2-the-secret&code=hunter2-the-secret")
logger.info({{"access_token": "hunter2-the-secret"}})
logging.getLogger("urllib3.connectionpool").info('{{"refresh_token": "hunter2-the-secret"}}')
try:
    raise ValueError("https://api.weixin.qq.com/sns/userinfo?access_token=hunter2-the-secret&openid=o1")
except ValueError:
    logger.exception("two\\nlines")
"""


def lines_of(form, level):
    """Return what a process that logs writes to standard error."""
    program = PROGRAM.format(form=form, level=level)
    run = [sys.executable, "-X", "utf8", "-c", program]
    done = subprocess.run(run, check=True, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_each_line_of_a_json_log_is_json_with_time_level_logger_and_message():
    records = [json.loads(line) for line in lines_of("json", "INFO")]
    assert [record["levelname"] for record in records] == ["INFO", "WARNING", "INFO", "INFO", "ERROR"]
    assert all(record["asctime"] for record in records)
    assert {record["name"] for record in records} == {"service.somewhere", "urllib3.connectionpool"}
    assert records[0]["message"] == "openid o1 of 李娜😀"
    assert records[-1]["message"] == "two\nlines"
    assert "Traceback" in records[-1]["exc_info"]
    assert "openid=o1" in records[-1]["exc_info"]


def test_secrets_are_in_neither_form():
    for form in ("json", "text"):
        text = "\n".join(lines_of(form, "DEBUG"))
        assert SECRET_WORD not in text
        assert "secret=***" in text
        assert "ValueError" in text


def test_a_text_log_has_time_level_process_logger_and_message():
    assert re.search(r" INFO [1-9]\d* service\.somewhere openid o1 of 李娜😀$", lines_of("text", "INFO")[0])


def test_less_severe_messages_are_left_out():
    assert "a detail" in "\n".join(lines_of("text", "DEBUG"))
    assert "openid" not in "\n".join(lines_of("text", "WARNING")).partition("Traceback")[0]
