"""Tokens made at test time from their published formats: nothing that looks like a credential lies in the repository.

Formats as gitleaks knows them (MIT, config/gitleaks.toml): the beginning, the alphabet, the length.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_HEX, _DIGITS = "0123456789abcdef", "0123456789"
_UPPER = _LOWER.upper()
_ALL = _LOWER + _UPPER + _DIGITS
_WORD = _ALL + "_-"

Make = Callable[[random.Random], str]


def _of(*parts: str | tuple[str, int]) -> Make:
    """Literal texts, and alphabets with a length."""

    def make(dice: random.Random) -> str:
        return "".join(p if isinstance(p, str) else "".join(dice.choices(p[0], k=p[1])) for p in parts)

    return make


def _jwt(dice: random.Random) -> str:
    def part(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part({'sub': dice.randrange(10**9)})}.{_of((_WORD, 43))(dice)}"


def _pem(dice: random.Random) -> str:
    lines = "\n".join(_of((_ALL + "+/", 64))(dice) for _ in range(3))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


FORMATS: dict[str, Make] = {
    "github-pat": _of("ghp_", (_ALL, 36)),
    "github-oauth": _of("gho_", (_ALL, 36)),
    "github-app-token": _of("ghs_", (_ALL, 36)),
    "github-refresh-token": _of("ghr_", (_ALL, 36)),
    "github-fine-grained-pat": _of("github_pat_", (_ALL + "_", 82)),
    "gitlab-pat": _of("glpat-", (_WORD, 20)),
    "slack-bot-token": _of("xoxb-", (_DIGITS, 12), "-", (_DIGITS, 13), "-", (_ALL, 24)),
    "slack-user-token": _of("xoxp-", (_DIGITS, 12), "-", (_DIGITS, 12), "-", (_DIGITS, 12), "-", (_HEX, 32)),
    "slack-app-token": _of("xapp-1-A", (_UPPER + _DIGITS, 10), "-", (_DIGITS, 13), "-", (_HEX, 64)),
    "slack-legacy-token": _of("xoxs-", (_DIGITS, 10), "-", (_DIGITS, 10), "-", (_DIGITS, 10), "-", (_HEX, 10)),
    "stripe-access-token": _of("sk_live_", (_ALL, 24)),
    "stripe-access-token, test": _of("rk_test_", (_ALL, 24)),
    "aws-access-token": _of("AKIA", (_UPPER + "234567", 16)),
    "aws-access-token, temporary": _of("ASIA", (_UPPER + "234567", 16)),
    "aws-secret": _of("aws_secret_access_key = ", (_ALL + "/+", 36), "aB3/"),
    "gcp-api-key": _of("AIza", (_WORD, 35)),
    "npm-access-token": _of("npm_", (_ALL, 36)),
    "pypi-upload-token": _of("pypi-AgEIcHlwaS5vcmc", (_WORD, 70)),
    "azure-storage-key": _of("AccountName=x;AccountKey=", (_ALL + "+/", 86), "=="),
    "jwt": _jwt,
    "private-key": _pem,
    "digitalocean-pat": _of("dop_v1_", (_HEX, 64)),
    "shopify-access-token": _of("shpat_", (_HEX, 32)),
    "huggingface-access-token": _of("hf_", (_LOWER + _UPPER, 34)),
    "vault-service-token": _of("hvs.", (_WORD, 95)),
    "grafana-service-account-token": _of("glsa_", (_ALL, 32), "_", (_HEX, 8)),
    "sendgrid-api-token": _of("SG.", (_WORD, 22), ".", (_WORD, 43)),
    "rubygems-api-token": _of("rubygems_", (_HEX, 48)),
    "databricks-api-token": _of("dapi", (_HEX, 32)),
    "new-relic-user-api-key": _of("NRAK-", (_UPPER + _DIGITS, 27)),
    "postman-api-token": _of("PMAK-", (_HEX, 24), "-", (_HEX, 34)),
    "pulumi-api-token": _of("pul-", (_HEX, 40)),
    "linear-api-key": _of("lin_api_", (_ALL, 40)),
    "anthropic-api-key": _of("sk-ant-api03-", (_WORD, 93), "AA"),
    "openai-api-key": _of("sk-", (_ALL, 20), "T3BlbkFJ", (_ALL, 20)),
    "age-secret-key": _of("AGE-SECRET-KEY-1", ("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
    "doppler-api-token": _of("dp.pt.", (_ALL, 43)),
    "dynatrace-api-token": _of("dt0c01.", (_UPPER + "234567", 24), ".", (_UPPER + "234567", 64)),
    "easypost-api-token": _of("EZAK", (_ALL, 54)),
    "sendinblue-api-token": _of("xkeysib-", (_HEX, 64), "-", (_ALL, 16)),
    "generic-api-key": _of('api_key = "', (_ALL, 32), '"'),
    "generic-api-key, JSON": _of('{"client_secret" : "', (_HEX, 64), '"}'),
    "generic-api-key, header": _of("X-Auth-Token: ", (_HEX, 32)),
    "sumologic, in an assignment": _of('sumo_access_key="', (_ALL, 64), '"'),
    "twilio-api-key": _of("SK", (_HEX, 32)),
    "mailgun-private-api-token": _of("key-", (_HEX, 32)),
    "telegram-bot-api-token": _of((_DIGITS, 10), ":A", (_WORD, 34)),
    "discord-client-secret, alone": _of((_WORD, 32)),
    "facebook-access-token": _of((_DIGITS, 15), "|", (_WORD, 27)),
    "heroku-api-key, alone": _of((_HEX, 8), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 4), "-", (_HEX, 12)),
    "mapbox-api-token": _of("pk.", (_LOWER + _DIGITS, 60), ".", (_LOWER + _DIGITS, 22)),
}
"""By gitleaks' names for its rules."""
