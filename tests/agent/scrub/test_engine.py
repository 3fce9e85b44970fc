"""RE2 refuses what is not linear, and says nothing on stderr."""

import pytest
import re2

from agent.scrub.engine import LATIN1, UTF8


@pytest.mark.parametrize("options", [LATIN1, UTF8])
def test_a_pattern_that_is_not_linear_is_refused_in_silence(options, capfd):
    with pytest.raises(re2.error):
        re2.compile(rb"(a)\1", options)
    assert capfd.readouterr().err == ""


def test_latin1_reads_bytes_and_utf8_characters():
    assert re2.compile(b".", LATIN1).search("é".encode()).end() == 1
    assert re2.compile(b".", UTF8).search("é".encode()).end() == 2
