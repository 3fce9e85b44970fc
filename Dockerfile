# Coral: one image, two programs, `coral-agent` and `coral-colony`.
#
#   docker build -t coral-agent:0.1.0 .
#   docker build -t coral-agent:0.1.0 --build-arg PYTHON_DIGEST=sha256:… --build-arg REVISION="$(git rev-parse HEAD)" .
#   docker buildx build --platform linux/amd64,linux/arm64 …
#
# Releases give PYTHON_DIGEST, so that the same commit makes the same image; without it the tag decides.
# Every dependency is a wheel for both processors, so nothing is compiled anywhere.

ARG PYTHON_TAG=3.11-slim-bookworm
ARG PYTHON_DIGEST=""

FROM docker.io/library/python:${PYTHON_TAG}${PYTHON_DIGEST:+@${PYTHON_DIGEST}} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /src
# Tools first, requirements second, the sources last: the order in which they change, seldom to often.
COPY requirements/build.txt requirements/run.txt requirements/
RUN python -m pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/coral \
    && python -m pip --python /opt/coral/bin/python install --no-cache-dir --only-binary :all: --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY agent agent
COPY colony colony
COPY proto proto
# Arrow's Flight and S3, its headers and its tests, a fifth of the tree, are never loaded.
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/coral/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl \
    && rm -rf /opt/coral/lib/python3.11/site-packages/pyarrow/{include,tests,src,*flight*,*_s3*} \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/coral/lib

FROM docker.io/library/python:${PYTHON_TAG}${PYTHON_DIGEST:+@${PYTHON_DIGEST}}
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="coral-agent" \
      org.opencontainers.image.description="Keeps every span, log and data point of a node for an hour and answers questions about them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# 10001: above the ids that distributions give out, and a number, since runAsNonRoot cannot check a name.
RUN groupadd --gid 10001 coral \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin coral \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/coral-agent /var/lib/coral-colony
COPY --from=build /opt/coral /opt/coral
# MALLOC_ARENA_MAX: glibc's arenas, one a thread, keep freed memory that counts against the limit of the container.
# XDG_STATE_HOME makes store.dir and summaries.dir /var/lib/coral-agent and /var/lib/coral-colony, and a configuration file may still
# say otherwise. CORAL_HEALTH: what HEALTHCHECK asks; the colony's is on 4322.
ENV PATH=/opt/coral/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    HOME=/nonexistent \
    XDG_STATE_HOME=/var/lib \
    CORAL_HEALTH=http://127.0.0.1:4320/livez
USER 10001:10001
WORKDIR /var/lib/coral-agent
VOLUME ["/var/lib/coral-agent", "/var/lib/coral-colony"]
EXPOSE 4317 4318 4319 4320 4321 4322
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['CORAL_HEALTH'], timeout=2)"]
CMD ["coral-agent", "run"]
