"""What a pattern cannot say: check digits, neighbours and structure of one candidate.

Each check gets the UTF-8 text and the candidate's span, and answers the span to mask or None.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

import orjson
import re2

from agent.scrub.engine import UTF8, Search

Span = tuple[int, int]

_IBAN = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 "
    "FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 "
    "LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 "
    "RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBAN.split()}
"""Country to length, SWIFT registry release 99."""

_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (340000, 349999, frozenset({15})),
    (370000, 379999, frozenset({15})),
    (300000, 305999, frozenset(range(14, 20))),
    (360000, 369999, frozenset(range(14, 20))),
    (380000, 399999, frozenset(range(14, 20))),
    (352800, 358999, frozenset(range(16, 20))),
    (400000, 499999, frozenset({13, 16, 19})),
    (222100, 272099, frozenset({16})),
    (510000, 559999, frozenset({16})),
    (500000, 509999, frozenset(range(13, 20))),
    (560000, 589999, frozenset(range(13, 20))),
    (601100, 601199, frozenset(range(16, 20))),
    (606282, 606282, frozenset({16})),
    (633110, 633110, frozenset(range(16, 20))),
    (633300, 633499, frozenset(range(16, 20))),
    (670000, 679999, frozenset(range(16, 20))),
    (620000, 629999, frozenset(range(16, 20))),
    (630400, 630499, frozenset(range(13, 20))),
    (644000, 659999, frozenset(range(16, 20))),
    (675900, 676399, frozenset(range(13, 20))),
)
"""First six digits, from and to, and the lengths such a card number has (ISO/IEC 7812 ranges in use)."""

_NOT_TOP_LEVEL = frozenset(
    b"png jpg jpeg gif svg webp ico css js json html yaml yml service socket target timer mount slice scope".split()
)
_TOKEN_REST = re2.compile(rb"[\w-]*(?:\.[\w-]*){1,4}")
_PLACEHOLDERS = Search(rb"(?i)(?:REDACTED|hmac|\?+|\$[0-9]+|:\w+|%\w+|\*+|<[^>]*>?|null|none|nil|true|false)\z", UTF8)
_DIGIT = Search(rb"[0-9]", UTF8)
_WORD_END = Search(rb"""[\s"'\\&,;{}()\[\]]|\z""", UTF8)
_VALUE_ENDS = {quote: Search(rb"[\n\\" + quote + rb"]|\z", UTF8) for quote in (b'"', b"'")}
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_PLAIN = bytes.maketrans(b"0123456789", bytes(range(10)))


def always(_text: bytes, start: int, end: int) -> Span:
    """The pattern says it all."""
    return start, end


def _alphanumeric(text: bytes, at: int) -> bool:
    return 0 <= at < len(text) and text[at : at + 1].isalnum()


def luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    return (sum(digits[-1::-2].translate(_PLAIN)) + sum(digits[-2::-2].translate(_DOUBLED))) % 10 == 0


@lru_cache(maxsize=4096)
def _lengths(prefix: bytes) -> tuple[int, ...]:
    """How long card numbers are that begin with these six digits."""
    if len(prefix) < 6 or prefix[0] not in b"23456":
        return ()
    number = int(prefix)
    return tuple(sorted({length for low, high, lengths in _ISSUERS if low <= number <= high for length in lengths}))


def card_number(digits: bytes) -> bool:
    """Whether the check digit is right, and an issuer gives out such numbers."""
    return len(digits) in _lengths(digits[:6]) and luhn(digits)


def _in_hexadecimal(text: bytes, start: int, end: int) -> bool:
    """Whether the digits are part of a longer hexadecimal word such as a trace id."""
    first, last = start, end
    while start - first < 64 and _alphanumeric(text, first - 1):
        first -= 1
    while last - end < 64 and _alphanumeric(text, last):
        last += 1
    word = text[first:last]
    return (first, last) != (start, end) and not word.lower().strip(b"0123456789abcdef")


def _card_apart(text: bytes, start: int, end: int) -> bool:
    fraction = start >= 2 and text[start - 1] == 0x2E and text[start - 2 : start - 1].isdigit()
    return not fraction and not _in_hexadecimal(text, start, end)


def _card_ends(digits: bytes, starts: set[int], ends: set[int]) -> Iterator[Span]:
    """Card numbers in a run of grouped digits, as first digit and the one behind the last; two sums tell every check digit."""
    plain, doubled = digits.translate(_PLAIN), digits.translate(_DOUBLED)
    even = [0, *accumulate(plain[i] if i % 2 == 0 else doubled[i] for i in range(len(digits)))]
    odd = [0, *accumulate(doubled[i] if i % 2 == 0 else plain[i] for i in range(len(digits)))]
    for start in sorted(starts):
        for length in _lengths(digits[start : start + 6]):
            end = start + length
            sums = even if end % 2 else odd  # the last digit, at end - 1, counts once
            if end in ends and (sums[end] - sums[start]) % 10 == 0:
                yield start, end


def card(text: bytes, start: int, end: int) -> Span | None:
    """From the first card number that starts and ends where digits are grouped to the last one in this run."""
    if text[start:end].isdigit():
        number = end - start <= 19 and card_number(text[start:end]) and _card_apart(text, start, end)
        return (start, end) if number else None
    places = [at for at in range(start, end) if text[at] not in b" -"]
    digits = bytes(text[at] for at in places)
    breaks = [0, *(i for i in range(1, len(places)) if places[i] != places[i - 1] + 1), len(places)]
    found = [
        (places[first], places[last - 1] + 1)
        for first, last in _card_ends(digits, set(breaks[:-1]), set(breaks[1:]))
        if _card_apart(text, places[first], places[last - 1] + 1)
    ]
    return (found[0][0], max(last for _, last in found)) if found else None


def ssn(text: bytes, start: int, end: int) -> Span | None:
    """A number the Social Security Administration may have given: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    area, group, serial = text[start:end].split(b"-")
    if area in (b"000", b"666") or area[0] == 0x39 or group == b"00" or serial == b"0000":
        return None
    if _alphanumeric(text, start - 1) or _alphanumeric(text, end):
        return None
    if text[start - 1 : start] == b"-" or text[end : end + 1] == b"-":
        return None
    return start, end


def iban(text: bytes, start: int, end: int) -> Span | None:
    """As long as the country's numbers are, with a right remainder modulo 97 (ISO 13616)."""
    length = IBAN_LENGTHS[text[start : start + 2].decode()]
    places = [at for at in range(start, end) if text[at] not in b" -"][:length]
    if len(places) < length or _alphanumeric(text, places[-1] + 1):
        return None
    compact = bytes(text[at] for at in places).decode()
    number = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return (start, places[-1] + 1) if int(number) % 97 == 1 else None


def phone(text: bytes, start: int, end: int) -> Span | None:
    """Not the build number of a version (1.2.3+20260101), not a part of a longer number."""
    if _alphanumeric(text, start - 1) or text[start - 1 : start] == b"+" or _alphanumeric(text, end):
        return None
    return start, end


def jwt(text: bytes, start: int, _end: int) -> Span | None:
    """Three parts (five when encrypted) whose first is a JSON object in base64url."""
    dot = text.index(b".", start)
    header = text[start:dot]
    try:
        document = orjson.loads(base64.urlsafe_b64decode(header + b"=" * (-len(header) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        return None
    rest = _TOKEN_REST.match(text, dot + 1)
    return (start, rest.end()) if isinstance(document, dict) and rest else None


def bearer(text: bytes, start: int, end: int) -> Span | None:
    """Something that people do not write as a word: it holds a digit or is long."""
    token = text[start:end]
    return (start, end) if len(token) >= 20 or any(byte in b"0123456789" for byte in token) else None


def basic(text: bytes, start: int, end: int) -> Span | None:
    """Base64 of ``user:password`` (RFC 7617)."""
    token = text[start:end].rstrip(b"=")
    try:
        decoded = base64.urlsafe_b64decode(token.replace(b"+", b"-").replace(b"/", b"_") + b"=" * (-len(token) % 4))
    except binascii.Error:
        return None
    return (start, end) if b":" in decoded else None


_NO_PASSWORD = re2.compile(rb"(?i)[$<\\[{*].*|(?:pass(?:word)?|pwd|test|token|changeme|x+|y+)")


def password(text: bytes, start: int, end: int) -> Span | None:
    """Not a variable, a placeholder or a word that documents use for one."""
    return None if _NO_PASSWORD.fullmatch(text[start:end]) else (start, end)


def aws_secret(text: bytes, start: int, end: int) -> Span | None:
    """Forty characters of base64 that stand alone and are no hexadecimal digest, path or plain word."""
    if end < len(text) and (text[end : end + 1].isalnum() or text[end] in b"/+"):
        return None
    key = text[start:end]
    mixed = key != key.lower() and key != key.upper() and any(byte in b"0123456789" for byte in key)
    return (start, end) if mixed else None


def assigned(text: bytes, start: int, end: int) -> Span | None:
    """Not a placeholder, and after a bare colon only what holds a digit: "password: required" is prose.

    The pattern takes the beginning of a value, to keep its groups cheap; the rest of it is found here.
    """
    end = _VALUE_ENDS.get(text[start - 1 : start], _WORD_END).start(text, end)
    value = text[start:end]
    if (len(value) < 64 and _PLACEHOLDERS.end_at(value, 0) >= 0) or value.startswith(b"[REDACTED:"):
        return None
    before = text[max(0, start - 4) : start].rstrip()
    if before.endswith(b":") and _DIGIT.start(value) < 0:
        return None
    return start, end


def email(text: bytes, start: int, end: int) -> Span | None:
    """Not a file (logo@2x.png), a systemd unit (user@1000.service) or the account of a Git remote."""
    address = text[start:end]
    if address.rpartition(b".")[2].lower() in _NOT_TOP_LEVEL or address.startswith(b"git@"):
        return None
    return start, end
