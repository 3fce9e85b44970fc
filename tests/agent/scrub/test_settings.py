"""The key of pseudonyms: made when absent, for its owner alone and whole; and the configuration's rules as settings."""

import threading
from pathlib import Path

import pytest

from agent.config.model import Config
from agent.errors import ConfigError
from agent.scrub.rules import Mode, OwnRule
from agent.scrub.settings import hmac_key, key_file, settings_of


def test_a_key_that_is_absent_is_made_for_its_owner_alone(tmp_path):
    path = tmp_path / "pseudonyms.key"
    key = hmac_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert key == hmac_key(path)
    assert list(tmp_path.iterdir()) == [path]


def test_agents_that_make_it_at_once_agree(tmp_path):
    path, keys = tmp_path / "shared.key", list[bytes]()
    threads = [threading.Thread(target=lambda: keys.append(hmac_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_a_key_is_refused_by_its_path(tmp_path):
    short = tmp_path / "short.key"
    short.write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"short\.key\": 1 bytes; a key has at least 16"):
        hmac_key(short)
    with pytest.raises(ConfigError, match="No such file or directory; write the path of a file that this user can"):
        hmac_key(tmp_path / "nowhere" / "key")
    with pytest.raises(ConfigError, match="Is a directory"):
        hmac_key(tmp_path)


def test_the_key_lies_in_the_store_unless_told_otherwise():
    config = Config.model_validate({"store": {"dir": "/data"}})
    assert key_file(config) == Path("/data/hmac.key")
    assert key_file(config.model_copy(update={"scrub": config.scrub.model_copy(update={"hmac_key_file": Path("/k")})})) == Path(
        "/k"
    )


def test_rules_of_the_configuration_become_settings_with_keys_in_lower_case():
    rule = {"name": "tenant", "mode": "hmac", "keys": ["App.Tenant"], "signals": ["logs"], "places": ["body"]}
    settings = settings_of(Config.model_validate({"scrub": {"rules": [rule], "allow_keys": ["a"], "profile": "strict"}}))
    assert settings.rules == (OwnRule("tenant", Mode.HMAC, None, ("app.tenant",), frozenset({"logs"}), frozenset({"body"})),)
    assert (settings.profile, settings.allow_keys) == ("strict", frozenset({"a"}))


def test_the_name_of_a_default_rule_is_taken():
    with pytest.raises(ConfigError, match='"email" is the name of a default rule; write another'):
        settings_of(Config.model_validate({"scrub": {"rules": [{"name": "email", "mode": "mask", "keys": ["a"]}]}}))
