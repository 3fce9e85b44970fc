"""How RE2 is asked here: over UTF-8, or over bytes as Latin-1 where only ASCII matters, and silent."""

from __future__ import annotations

from typing import Any

import re2


def _options(encoding: str) -> Any:  # noqa: ANN401 - re2 publishes no types
    options = re2.Options()
    options.encoding = getattr(re2.Options.Encoding, encoding)
    options.log_errors = False  # it writes to stderr past every log setting
    return options


LATIN1 = _options("LATIN1")
UTF8 = _options("UTF8")
