"""Vectors that nobody here wrote: how many are found, how many are found in vain, and that docs/privacy.md says so."""

from __future__ import annotations

import random
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from opentelemetry import semconv

from agent.scrub.rules import ScrubSettings
from agent.scrub.scrubber import Scrubber
from tests.agent.scrub.made import FORMATS
from tests.agent.scrub.planted import wire

HERE = Path(__file__).parent
SETS = {entry["name"]: entry for entry in tomllib.loads((HERE / "vectors.toml").read_text())["set"]}
DOCUMENT = (HERE.parents[2] / "docs/privacy.md").read_text()
OF_EACH_FORMAT = 20
MADE = "tokens and keys, made from their formats"


def scrubber() -> Scrubber:
    return Scrubber(ScrubSettings(), b"k" * 16)


def is_hit(entry: dict[str, str], text: str) -> bool:
    """Whether one of the set's rules hits; a statement stands under its key, a token in a sentence."""
    room = scrubber()
    if entry["rule"] == "sql":
        room.attribute(wire("db.query.text", text))
    else:
        room.text(text)
    return bool({rule for rule, _ in room.take_tally()} & set(entry["rule"].split()))


def counted(name: str) -> tuple[int, int, int, int]:
    """Hits found, hits, misses found in vain, misses."""
    entry = SETS[name]
    hits, misses = entry["hits"], entry["misses"]
    return sum(is_hit(entry, t) for t in hits), len(hits), sum(is_hit(entry, t) for t in misses), len(misses)


def found_of_format(name: str) -> int:
    dice, found = random.Random(name), 0
    for _ in range(OF_EACH_FORMAT):
        text = f"failed with {FORMATS[name](dice)} today"
        found += scrubber().text(text) != text
    return found


def row(name: str, source: str, found: int, hits: int, vain: int, misses: int) -> str:
    return f"| {name} | {source} | {found} of {hits} | {f'{vain} of {misses}' if misses else '–'} |"


@pytest.mark.parametrize("name", SETS)
def test_the_document_says_what_is_found_of_a_set(name):
    entry = SETS[name]
    assert row(name, f"{entry['source'].partition(',')[0]} ({entry['licence']})", *counted(name)) in DOCUMENT


def test_the_document_says_what_is_found_of_tokens_made_from_their_formats():
    found = {name: found_of_format(name) for name in FORMATS}
    missed = sorted(name for name, count in found.items() if count < OF_EACH_FORMAT)
    total = OF_EACH_FORMAT * len(FORMATS)
    assert row(MADE, "gitleaks/gitleaks (MIT)", sum(found.values()), total, 0, 0) in DOCUMENT
    assert f"Not found by themselves: {', '.join(missed)}." in DOCUMENT.replace("\n", " ")


EXAMPLES: dict[str, object] = {
    "service.name": "shoppingcart",
    "service.instance.id": "627cc493-f310-47de-96bd-71410b7dec09",
    "k8s.pod.uid": "275ecb36-5aa8-4c2a-9c47-d8bb681b9aff",
    "k8s.pod.name": "opentelemetry-pod-autoconf",
    "container.id": "a3bf90e006b2",
    "container.image.id": "sha256:19c92d0a00d1b66d897bceaa7319bee0dd38a10a851c60bcec9474aa3f01e50f",
    "container.image.repo_digests": "example@sha256:afcc7f1ac1b49db317a7196c902e61c6c3c4607d63599ee1a82d702d249a0ccb",
    "cloud.account.id": "111111111111",
    "cloud.resource_id": "arn:aws:lambda:REGION:ACCOUNT_ID:function:my-function",
    "aws.ecs.task.arn": "arn:aws:ecs:us-west-1:123456789123:task/10838bed-421f-43ef-870a-f43feacbbb5b",
    "aws.request_id": "79b9da39-b7ae-508a-a6bc-864b2829c622",
    "host.id": "fdbf79e8af94cb7f9e8df36789187052",
    "host.mac": "AC-DE-48-23-45-67",
    "vcs.ref.head.revision": "9d59409acf479dfa0df1aa568182e43e43df8bbe28d60fcf2bc52e30068802cc",
    "http.route": "/users/:userID?",
    "http.request.method": "GET",
    "url.full": "https://www.foo.bar/search?q=OpenTelemetry#SemConv",
    "url.path": "/search",
    "url.query": "q=OpenTelemetry",
    "user_agent.original": "CERN-LineMode/2.15 libwww/2.17b3",
    "db.query.text": "SELECT * FROM wuser_table where username = ?",
    "db.query.summary": "SELECT wuser_table",
    "db.collection.name": "public.users",
    "error.type": "java.net.UnknownHostException",
    "exception.message": "Division by zero",
    "exception.stacktrace": 'Exception in thread "main" java.lang.RuntimeException: Test exception\n at com.example.Main.main(Main.java:5)',
    "code.function.name": "com.example.MyHttpService.serveRequest",
    "code.file.path": "/usr/local/MyApplication/content_root/app/index.php",
    "messaging.message.id": "452a7c7c7c7048c2f887f61572b18fc2",
    "messaging.destination.name": "MyQueue",
    "rpc.method": "com.example.ExampleService/exampleMethod",
    "telemetry.sdk.version": "1.2.3",
    "os.description": "Microsoft Windows [Version 10.0.18363.778]",
    "process.executable.path": "/usr/bin/cmd/otelcol",
    "faas.invocation_id": "af9d5aa4-a685-4c5f-a22b-444f80b3cc28",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.usage.input_tokens": 100,
    "server.address": "example.com",
    "server.port": 443,
    "network.peer.address": "10.1.2.80",
    "tls.client.hash.sha256": "0687F666A054EF17A08E2F2162EAB4CBC0D265E1D7875BE74BF3C712CA92DAF0",
    "feature_flag.key": "logo-color",
    "deployment.environment.name": "production",
    "thread.name": "main",
    "cloudevents.event_id": "123e4567-e89b-12d3-a456-426614174000",
    "browser.brands": "Chromium 99",
    "elasticsearch.node.name": "instance-0000000001",
    "graphql.operation.name": "findBookById",
    "jvm.gc.name": "G1 Young Generation",
    "time": "2026-11-22T03:04:05.123456789Z",
    "timestamp_ms": "1790000000000",
    "timestamp_ns": "1790000000123456789",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
"""Examples of OpenTelemetry's semantic conventions 1.44, and what else telemetry is full of."""


@pytest.mark.parametrize("key", EXAMPLES)
def test_an_example_of_the_conventions_passes_untouched(key):
    attribute = wire(key, EXAMPLES[key])
    assert attribute is scrubber().attribute(attribute)
    assert scrubber().attribute(wire("note", EXAMPLES[key])) == wire("note", EXAMPLES[key])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_name_of_every_attribute_of_the_conventions_passes_untouched():
    root = Path(semconv.__path__[0])
    names = {
        value
        for path in root.rglob("*_attributes.py")
        for name, value in vars(
            import_module(".".join(("opentelemetry", "semconv", *path.relative_to(root).with_suffix("").parts)))
        ).items()
        if name.isupper() and isinstance(value, str)
    }
    assert len(names) > 400
    room = scrubber()
    assert {name for name in names if room.text(name) != name or room.key_text(name) != name} == set()


def test_every_vector_names_source_and_licence():
    assert all(entry["source"] and entry["licence"] in ("MIT", "Apache-2.0") for entry in SETS.values())
