"""The settings refuse what is no profile; the data is in order."""

import pytest

from agent.errors import ConfigError
from agent.scrub.rules import EXACT_KEYS, PREFIX_KEYS, VALUE_RULES, ScrubSettings


def test_an_unknown_profile_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"scrub\.profile is 'none'"):
        ScrubSettings("none")


def test_keys_are_lower_case_and_rule_names_unique():
    assert all(key == key.lower() for key in EXACT_KEYS | PREFIX_KEYS)
    assert len(VALUE_RULES) == len({rule.name for rule in VALUE_RULES})
