"""The agent's log says what went wrong where, and never what an exception says or holds."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from agent.config.model import Log
from agent.log import places_of_exceptions, set_up_logging

SECRET = "hunter2@example.com"


class TelemetryFault(Exception):
    """An exception whose text holds telemetry."""


def inner() -> None:
    password = SECRET
    raise ValueError(f"could not read {password}")


def outer() -> None:
    try:
        inner()
    except ValueError as error:
        raise TelemetryFault(SECRET) from error


def caught(raiser: Callable[[], None]) -> BaseException:
    with pytest.raises(Exception, match=r".") as found:
        raiser()
    return found.value


def written(exc_info: object) -> dict[str, object]:
    return dict(places_of_exceptions(None, "error", {"event": "it failed", "exc_info": exc_info}))


def test_an_exception_is_its_types_and_places_with_its_causes():
    error = caught(outer)
    for form in (error, (type(error), error, error.__traceback__)):
        (said,) = [value for key, value in written(form).items() if key == "raised"]
        assert isinstance(said, str)
        assert "TelemetryFault at " in said
        assert " caused by builtins.ValueError at " in said
        assert "test_log.py:" in said
        assert said.count("inner") >= 1


def test_neither_the_text_nor_a_variable_of_an_exception_is_written():
    assert SECRET not in str(written(caught(outer)))
    assert "could not read" not in str(written(caught(outer)))


def test_the_exception_that_is_being_handled_is_found():
    try:
        inner()
    except ValueError:
        said = written(True)
    assert "ValueError at " in str(said["raised"])
    assert "exc_info" not in said


@pytest.mark.parametrize("nothing", [None, False, (None, None, None)])
def test_no_exception_is_nothing_to_say(nothing):
    assert written(nothing) == {"event": "it failed"}


def test_causes_in_a_circle_end():
    one, other = ValueError(SECRET), TypeError(SECRET)
    one.__cause__, other.__cause__ = other, one
    said = str(written(one)["raised"])
    assert said.count(" caused by ") == 1


def test_a_deep_traceback_is_cut_to_its_innermost_frames():
    def dive(depth: int) -> None:
        if not depth:
            inner()
        dive(depth - 1)

    said = str(written(caught(lambda: dive(100)))["raised"])
    assert said.count(" > ") < 20
    assert said.endswith("inner")


@pytest.fixture
def untouched() -> Iterator[None]:
    """Set up logging, and put back what was."""
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn")
    handlers, level, quiet, before = root.handlers[:], root.level, uvicorn.level, structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:], uvicorn.level = handlers, quiet
        root.setLevel(level)
        structlog.configure(**before)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("logger", ["structlog", "logging"])
def test_a_line_in_either_form_from_either_library_holds_no_secret(capsys, form, logger):
    set_up_logging(Log(format=form))
    try:
        outer()
    except TelemetryFault as error:
        if logger == "structlog":
            structlog.get_logger("test").error("it failed", exc_info=error, segment="s_1")
        else:
            logging.getLogger("test").exception("it failed")
    said = capsys.readouterr().err
    assert SECRET not in said
    assert "it failed" in said
    assert "TelemetryFault" in said
    assert said.count("\n") == 1
    if form == "json":
        line = json.loads(said)
        assert (line["level"], line["event"]) == ("error", "it failed")
        assert line["timestamp"].endswith("Z")


@pytest.mark.usefixtures("untouched")
def test_what_is_below_the_level_is_not_written(capsys):
    set_up_logging(Log(level="warning"))
    structlog.get_logger("test").info("quiet")
    logging.getLogger("test").info("quiet")
    structlog.get_logger("test").warning("loud")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.usefixtures("untouched")
def test_an_exception_that_nobody_awaited_is_logged_without_its_text(capsys):
    import asyncio

    set_up_logging(Log(format="json"))
    error = caught(outer)
    loop = asyncio.new_event_loop()
    try:
        loop.call_exception_handler({"message": "Task exception was never retrieved", "exception": error, "future": error})
    finally:
        loop.close()
    assert SECRET not in capsys.readouterr().err
