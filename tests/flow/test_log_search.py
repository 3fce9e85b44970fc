"""Text search over 200,000 log records: one word in one record is found, and every character means itself."""

from __future__ import annotations

import struct

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs

from agent.batch import Signal
from tests.flow.house import House, house, in_house
from tests.flow.roundtrip import ask, send
from tests.telemetry import START, any_value, attributes

REQUESTS, RECORDS = 40, 5000
NEEDLES: dict[str, object] = {
    "word": "payment of order 4711 stuck in the Quagmire queue",
    "umlauts": "Ärger im BÜRO: Übergabe an łódź",
    "cyrillic": "Ошибка: ПЛАТЁЖ не прошёл",
    "quotes": """it's said: "no such `table`"; DROP TABLE logs; --""",
    "percent": "done 100%sure",
    "underscore": "snake_case_here",
    "backslash": r"C:\temp\new\%s",
    "pattern": "glob *.p? and [a-z]+ (x|y)$ ^",
    "lines": "first line\nsecond\tline\r\nthird",
    "emoji": "deployed 🚀 to Zürich",
    "map": {"user": {"name": "Zoë Quartz"}, "retries": 3},
    "long": "x" * 20_000 + " far-behind " + "y" * 20_000,
}
DECOYS = ["done 100 sure", "done 100Xsure", "snakeXcaseXhere", "C:/temp/new/%s", "C:tempnew", "glob a.py and abc x"]
FOUND = {
    "quagmire": "word",
    "QUAGMIRE QUEUE": "word",
    "ärger im büro": "umlauts",
    "übergabe AN ŁÓDŹ": "umlauts",
    "платёж НЕ прошёл": "cyrillic",
    "it's said": "quotes",
    """"No Such `table`"; drop table logs; --""": "quotes",
    "100%sure": "percent",
    "snake_case": "underscore",
    r"c:\TEMP\new": "backslash",
    r"\%s": "backslash",
    "*.p? and [a-z]+": "pattern",
    "(x|y)$ ^": "pattern",
    "line\nsecond\tline\r\nthird": "lines",
    "🚀 to zürich": "emoji",
    "zoë quartz": "map",
    "FAR-BEHIND": "long",
}
NOT_FOUND = [
    "quagmires",
    "100%%sure",
    "%quagmire%",
    "snake%here",
    "_nake_case",
    r"c:\\temp",
    "qu.gmire",
    "quagmire\0",
    "ärgerlich",
]


def field(number: int, octets: bytes) -> bytes:
    """A short field on the wire."""
    return bytes([number << 3 | 2, len(octets)]) + octets


USERS = [field(6, kv.SerializeToString()) for n in range(RECORDS) for kv in attributes({"user": f"u{n}"})]
CODES = [field(6, kv.SerializeToString()) for n in range(300) for kv in attributes({"code": 200 + n})]
ERROR, INFO = b"\x10\x11", b"\x10\x09"  # severity_number


def ordinary(number: int) -> bytes:
    """A LogRecord on the wire: 200,000 made as messages take longer than the agent takes to keep them."""
    body = field(5, field(1, b"request %d answered in %d ms" % (number, number % 97)))
    severity = ERROR if number % 1000 == 7 else INFO
    return b"\x09" + struct.pack("<Q", START + number) + severity + body + USERS[number % RECORDS] + CODES[number % 300]


def request(number: int) -> bytes:
    """5,000 records and perhaps a needle or a decoy, which are strewn over all requests."""
    records = (ordinary(number * RECORDS + place) for place in range(RECORDS))
    scope = ScopeLogs.FromString(b"".join(field(2, record) for record in records))
    for name, body in list(NEEDLES.items())[number::REQUESTS]:
        scope.log_records.add(time_unix_nano=START + number, body=any_value(body), event_name=name)
    for text in DECOYS[number::REQUESTS]:
        scope.log_records.add(time_unix_nano=START + number, body=any_value(text), event_name="decoy")
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add(scope_logs=[scope])
    group.resource.attributes.extend(attributes({"service.name": "checkout"}))
    return message.SerializeToString()


async def found(agent: House, text: str, **fields: object) -> list[str]:
    """The events of all records with this text; there must be a page of them at most."""
    response = await ask(agent, Signal.LOGS, text=text, **fields)
    assert response.total_is_exact
    assert (len(response.log_records), response.has_more) == (response.total_count, False)
    return [row.event_name for row in response.log_records]


async def each_text_finds_its_record(agent: House) -> None:
    for text, name in FOUND.items():
        assert await found(agent, text) == [name], text
    for text in NOT_FOUND:
        assert await found(agent, text) == [], text
    assert await found(agent, "quagmire", min_severity=1) == []
    assert await found(agent, "quagmire", service_name="checkout") == ["word"]
    assert await found(agent, "quagmire", service_name="payment") == []


async def filters_count_what_they_match(agent: House) -> None:
    errors = await ask(agent, Signal.LOGS, min_severity=17, limit=10)
    assert (errors.total_count, errors.total_is_exact) == (REQUESTS * RECORDS // 1000, True)
    assert {row.level for row in errors.log_records} == {17}
    user = {"key": "user", "value": "u4007"}
    assert (await ask(agent, Signal.LOGS, attributes=[user])).total_count == REQUESTS
    assert (await ask(agent, Signal.LOGS, attributes=[user], min_severity=17)).total_count == REQUESTS
    assert (await ask(agent, Signal.LOGS, attributes=[user, {"key": "code", "value": "999"}])).total_count == 0
    typed = {"key": "code", "value": '{"intValue":"307"}'}
    assert (await ask(agent, Signal.LOGS, attributes=[user, typed])).total_count == sum(
        (n * RECORDS + 4007) % 300 == 107 for n in range(REQUESTS)
    )
    everything = await ask(agent, Signal.LOGS, limit=1)
    assert everything.total_count == REQUESTS * RECORDS + len(NEEDLES) + len(DECOYS)


def test_a_word_in_one_of_200_000_records_is_found(tmp_path):
    async def body():
        async with house(tmp_path) as agent:
            for number in range(REQUESTS):
                await send(agent, Signal.LOGS, request(number))
            await each_text_finds_its_record(agent)
            await filters_count_what_they_match(agent)
        async with house(tmp_path, SCRUB__PROFILE="off") as agent:  # now from files, and without a second look at each row
            await each_text_finds_its_record(agent)

    in_house(body)


@pytest.mark.parametrize("profile", ["default", "off"])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("ΟΔΟΣ", "οδος"),
        ("οδος", "ΟΔΟΣ"),
        ("İstanbul", "İSTANBUL"),
        ("Straße", "STRAẞE"),
    ],
)
def test_letters_whose_cases_are_not_pairs_are_found_in_either(tmp_path, profile, body, text):
    sent = ExportLogsServiceRequest()
    sent.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=START, body=any_value(body), event_name="it")

    async def search():
        async with house(tmp_path, SCRUB__PROFILE=profile) as agent:
            await send(agent, Signal.LOGS, sent.SerializeToString())
            assert await found(agent, text) == ["it"]

    in_house(search)
