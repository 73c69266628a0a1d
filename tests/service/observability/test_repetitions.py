import io
import logging
import re

import pytest

from service.observability.redaction import RedactingFilter
from service.observability.repetitions import Repetitions
from tests.waiting import wait_until


@pytest.fixture
def log():
    """Give a logger whose repetitions are counted, and what it wrote."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger = logging.getLogger(__name__)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def begin(window_seconds):
        handler.addFilter(Repetitions(handler.handle, samples=3, window_seconds=window_seconds))
        handler.addFilter(RedactingFilter())
        return logger, lambda: written.getvalue().splitlines()

    yield begin
    logger.removeHandler(handler)


def refuse(logger, count, kind="store_unavailable"):
    for number in range(count):
        logger.warning("request %d answered 503", number, extra={"kind": kind})


def test_the_first_of_a_kind_are_written_and_the_rest_are_not(log):
    logger, lines = log(3600)
    refuse(logger, 1000)
    assert lines() == [f"request {number} answered 503" for number in range(3)]


def test_what_is_of_another_kind_is_written(log):
    logger, lines = log(3600)
    refuse(logger, 1000)
    refuse(logger, 1, kind="busy")
    logger.error("something else")
    for error in (ValueError("a"), KeyError("b")):
        for _ in range(10):
            logger.error("failed", exc_info=error)
    text = "\n".join(lines()[3:])
    assert "something else" in text
    assert (text.count("ValueError: a"), text.count("KeyError: 'b'")) == (3, 3)


def test_what_is_no_warning_is_always_written(log):
    logger, lines = log(3600)
    for number in range(100):
        logger.info("round %d", number)
    assert len(lines()) == 100


def test_the_rest_are_lines_that_count_them_and_show_the_last_and_none_is_left_out(log):
    logger, lines = log(0.05)
    refuse(logger, 1000)

    def told():
        counts = [int(count) for count in re.findall(r"the last of (\d+) like it within 0.05 s", "\n".join(lines()))]
        return len(lines()) - len(counts) + sum(counts)

    wait_until(lambda: told() == 1000)
    assert len(lines()) < 100
    assert lines()[-1].startswith("request 999 answered 503 (the last of ")
    refuse(logger, 1)
    wait_until(lambda: told() == 1001)


def test_after_a_window_without_any_the_kind_is_new_again(log):
    logger, lines = log(0.01)
    refuse(logger, 3)

    def is_written_again():
        before = len(lines())
        refuse(logger, 1)
        return len(lines()) > before and lines()[-1] == "request 0 answered 503"

    wait_until(is_written_again)


def test_the_line_that_counts_holds_no_secret(log):
    logger, lines = log(0.05)
    for _ in range(10):
        logger.warning("GET %s", "/sns/oauth2/access_token?secret=hunter2")
    wait_until(lambda: "like it within" in lines()[-1])
    assert "hunter2" not in "\n".join(lines())
