"""Every command of the guides, by where it is typed, with what its answer must hold; those that cannot be typed here, with the reason."""

from __future__ import annotations

from agent import __version__

CHECKOUT = {
    "coral-agent --version": f"coral-agent {__version__}",
    "coral-agent check": "[store]",
    "coral-agent check --config FILE": "[store]",
    "coral-agent check [--config FILE]": "[store]",
    "coral-colony check": "[agents]",
    "coral-colony upstreams": "",
    "python3 deploy/kubernetes/hello/hello.py 10": "",
    "python3 deploy/kubernetes/hello/hello.py 1": "",
    ".venv/bin/coral-agent spans": "GET /hello",
    ".venv/bin/coral-agent logs --level error": "hello 9 failed",
    ".venv/bin/coral-agent metrics": "hellos",
    "coral-agent info": "checkout",
    "coral-agent spans --target NODE:4319": "POST /pay",
    "curl -s http://127.0.0.1:4320/metrics | grep receiver": "coral_agent_receiver_accepted_spans_total",
    "curl http://NODE:4320/readyz": "ready",
    "coral-agent spans --service checkout --last 15m --errors": "POST /pay",
    "coral-agent spans --order slowest --min-duration 250ms --limit 20": "POST /pay",
    "coral-agent spans -a http.response.status_code=500 -a cart.items=3 --output json": '"POST /pay"',
    "coral-agent spans --start 2026-01-31T12:00:00Z --end 2026-01-31T12:05:00Z": "",
    "coral-agent trace dc3c82aa3a333d3c7f5809e6f2ea461b": "checkout POST /pay",
    "coral-agent logs --level warn --text timeout --last 1h": "timeout of the bank",
    "coral-agent logs --trace-id dc3c82aa3a333d3c7f5809e6f2ea461b --order oldest": "timeout of the bank",
    "coral-agent metrics --metric http.server.request.duration --step 10s --last 15m": "http.server.request.duration checkout",
    "coral-agent metrics --metric shop.orders --points --output json": '"shop.orders"',
    "coral-agent names --service checkout": "cart.items",
    "coral-agent scrub-explain [--config FILE] sample.json": "order (partial)",
    "coral-agent scrub-explain --config agent.toml sample.json": "tenant (hmac)",
    "coral-colony run --stdio": "",
    "make dist": "",
    "make proto": "",
}
"""While ``make run`` goes on, and after an application has sent."""

WITH_TOOLS = ("make sbom", "make dist sbom")
"""After ``make tools``: a newcomer here has no network to install them from."""

DEMO = {
    "coral-agent spans --errors": "POST /charge",
    "coral-agent trace db1861bff9a6372353dca708a1fe6c29": "shop POST /order",
    "coral-agent logs --level error": "failed",
    "coral-agent metrics": "shop.orders",
    "coral-agent metrics --metric http.server.request.duration": "http.server.request.duration shop",
    "coral-agent spans --output json": "hmac:",
    "coral-agent names": "price cart",
    "coral-colony agents": "node-2",
    "coral-colony spans --service shop --errors --last 15m": "POST /charge",
    "coral-colony trace 0af7651916cd43dd8448eb211c80319c": "payments POST /charge",
    "coral-colony logs --trace-id 0af7651916cd43dd8448eb211c80319c": "failed",
    "coral-colony summary shop --last 1h": "POST /order",
    "python -m tests.colony.answer.tempo shop": "%",
}
"""While ``make demo`` goes on."""

GO_ON = {
    "make run": "Ask for it",
    "make demo": "> coral_query_raw_logs",
    "coral-agent run": "Ask for it",
    "coral-agent run [--config FILE] [--data-dir DIR]": "Ask for it",
    "coral-colony run": "summaries for",
    "coral-colony run --config colony.toml": "summaries for",
    "coral-agent logs --service checkout --follow": "timeout of the bank",
}
"""Until Ctrl-C, with what each says once it is up."""

MUTUAL_TLS = {
    "coral-agent spans --target NODE:4319 --tls-ca D/operator/ca.crt --tls-cert D/operator/tls.crt --tls-key D/operator/tls.key --tls-server-name agent.coral": "",
    "coral-agent info --target node-7:4319 --tls-ca ca.pem --tls-cert me.pem --tls-key me.key --tls-server-name agent.coral": "version",
    "coral-agent spans --target unix:///run/coral/agent.sock": "",
    "openssl s_client -connect NODE:4319 -servername agent.coral -CAfile ca.crt -cert tls.crt -key tls.key": "Verification: OK",
    "openssl x509 -in tls.crt -noout -ext subjectAltName -dates": "URI:spiffe://coral/colony/main",
    "kubectl -n coral create secret generic coral-agent-tls --from-file=/tmp/coral-certificates/agent": "tls.key",
    "kubectl -n coral create secret generic coral-colony-tls --from-file=/tmp/coral-certificates/colony": "tls.key",
    'kubectl -n coral create secret generic coral-colony-token --from-literal=token="$(openssl rand -hex 32)"': "token",
}
"""After ``deploy/certificates.sh``, over an agent that it has made certificates for; kubectl only says what it would send."""

INSTALL = [
    "python3.11 -m venv /opt/coral",
    "/opt/coral/bin/pip install --require-hashes -r requirements/run.txt",
    "/opt/coral/bin/pip install --no-deps coral_agent-0.1.0-py3-none-any.whl",
    "install -D -m 0644 deploy/agent.toml /etc/coral/agent.toml",
    "install -m 0644 deploy/systemd/coral-agent.service /etc/systemd/system/",
    "python3.11 -m venv coral && coral/bin/pip install coral_agent-0.1.0-py3-none-any.whl",
]

APART = [
    "export OTEL_SERVICE_NAME=checkout OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
    "deploy/certificates.sh /tmp/coral-certificates",
    "deploy/certificates.sh DIRECTORY",
    "coral/bin/coral-agent run",
    "coral-agent purge --service NAME",
]
"""Typed by a test of their own."""

KUSTOMIZED = ["namespace", "overlays/certificates", "overlays/quickstart"]
"""``kubectl apply -k`` needs a cluster; ``kubectl kustomize`` makes what it would send."""

NO_DAEMON = "no Docker daemon: hadolint checks the Dockerfile, a test installs and runs the same tree"
NO_CLUSTER = "no cluster: kubectl's own help has the command and its options"
A_TEST_RUN = "it runs the tests, this one included, or measures for minutes: make only says what it would do"
A_MENTION = "a word about a command, not a command"
GRPCURL = "no Debian package: a test asks the same by the same words with Python's gRPC"

NOT_TYPED = {
    "make test": A_TEST_RUN,
    "make check": A_TEST_RUN,
    "make bench": A_TEST_RUN,
    "make restricted": A_TEST_RUN,
    "make soak": A_TEST_RUN,
    "make turns": A_TEST_RUN,
    "make tempo-check": A_TEST_RUN,
    "make conformance": A_TEST_RUN,
    "python -m bench.house --signal traces --peer ENDPOINT --pid N": "it measures another server: tests/bench measures two agents so",
    "python -m bench.scrubbing": "it measures for minutes: its help is asked for",
    "docker build -t coral-agent:0.1.0 .": NO_DAEMON,
    "docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/coral-agent:0.1.0 --build-arg PYTHON_DIGEST=sha256:… --push .": NO_DAEMON,
    'CORAL_TOKEN="$(openssl rand -hex 32)" docker compose -f deploy/compose.yaml up --build': "no Docker daemon: test_compose.py reads the file and loads what it tells the programs",
    "kind load docker-image coral-agent:0.1.0": "no Docker daemon, and kind is no Debian package",
    "cd deploy/kubernetes/overlays/certificates && kustomize edit set image coral-agent=REGISTRY/coral-agent@sha256:…": "kubectl has kustomize without edit, and kustomize is no Debian package",
    "kubectl -n coral exec deploy/coral -c agent -- coral-agent spans": NO_CLUSTER,
    "kubectl -n coral exec deploy/coral -c colony -- coral-colony agents": NO_CLUSTER,
    "kubectl -n coral port-forward deploy/coral 4321": NO_CLUSTER,
    "kubectl -n coral describe certificate coral-agent": NO_CLUSTER,
    "kubectl label namespace NAME coral-otlp=allowed": NO_CLUSTER,
    "systemctl daemon-reload && systemctl enable --now coral-agent": "systemd is not the first process here: systemd-analyze verify takes the unit that was installed",
    "getent ahosts coral-agents.coral.svc": "the name is the cluster's",
    "iostat -x 1": "of the Debian package sysstat, for people who look at a disk; nothing of ours",
    "promtool test rules": "a word: test_prometheus.py types it with its files",
    "curl -u": A_MENTION,
    "coral-agent metrics --metric": A_MENTION,
    "coral-colony summary": A_MENTION,
    "coral-agent purge": A_MENTION,
    "grpcurl -plaintext -import-path proto -proto coral/agent/v1/telemetry_query.proto "
    '-d \'{"service_name": "checkout", "errors_only": true, "order": "ORDER_NEWEST", "limit": 10}\' '
    "127.0.0.1:4319 coral.agent.v1.TelemetryQuery/QuerySpans": GRPCURL,
    "grpcurl -plaintext -import-path proto -proto coral/agent/v1/telemetry_query.proto "
    "127.0.0.1:4319 coral.agent.v1.TelemetryQuery/GetDataInfo": GRPCURL,
}
