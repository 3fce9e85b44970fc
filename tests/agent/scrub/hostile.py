"""Texts of a megabyte that ask the most of one rule or another; the benchmark and a test share them."""

from __future__ import annotations

MEGABYTE = 1_000_000

_UNITS = {
    "dots": "a.a.a",
    "at signs": "a@",
    "domains": "a@b.",
    "addresses": "bob@example.com ",
    "quoted local parts": '"' + "a" * 30,
    "token headers": "ey",
    "token headers with dots": "eyaaaaaaaa.aaaa",
    "long token headers": "ey" + "a" * 600 + ".aaaa",
    "account countries": "DE89 ",
    "accounts": "DE89",
    "digits": "1",
    "fours": "4",
    "digits apart": "4 ",
    "digits with dashes": "4-",
    "cards with a wrong digit": "4111 1111 1111 1112 ",
    "cards": "4111111111111111 ",
    "times": "1700000000000,",
    "a table of numbers": "12 34 56 78 ",
    "social security numbers": "536-90-4399-",
    "numbers like these": "123-45-6789",
    "schemes": "http://a:",
    "users": "http://a@b ",
    "users without an end": "http://a@",
    "parameters": "http://a?token=x&",
    "URLs with parameters": "http://a?token=b ",
    "escaped parameters": "http://a?%41=&",
    "keywords": "secret",
    "assignments": "secret=",
    "prose after a colon": "secret: ",
    "keys of a cloud": "aws " + "a" * 40 + " ",
    "slashes after aws": "aws/",
    "phones": "+49 30 901820 ",
    "plus signs": "+1 (",
    "headers of keys": "-----BEGIN PRIVATE KEY",
    "whole headers of keys": "-----BEGIN PRIVATE KEY-----",
    "bearer": "bearer ",
    "basic": "basic aaaa ",
    "prefixes": "ghp_",
    "chat tokens": "xoxb-",
    "brackets": "[",
    "objects": '{"a":',
    "letters with accents": "é",
    "marks": "e\u0301",
    "a heap of marks": "\u0301\u0327",
    "invisible characters": "\u200b",
    "full-width digits": "４",
    "one character of eighteen": "\ufdfa",
    "odd spaces between primes": "\u2034\u00a0",
    "ligatures": "ﬃ",
}

HOSTILE = {
    name: (unit * (MEGABYTE // len(unit.encode()) + 1)).encode()[:MEGABYTE].decode(errors="ignore")
    for name, unit in _UNITS.items()
}
"""By what they are made of."""
