# Two images from one file, each with its own program only: --target operator and --target receiver.
# `make images` builds both; docs/install.md has the commands for docker and for buildah.
#
# The base is any image with python3 (3.11 or newer), pip and venv. For a build that can be repeated name it by digest.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

# The wheel of both programs. It is the same, byte by byte, for the same SOURCE_DATE_EPOCH; the default is the earliest
# date that a wheel, which is a zip file, can hold.
FROM ${PYTHON_IMAGE} AS wheel
ARG SOURCE_DATE_EPOCH=315532800
# For a mirror of the package index, and for its certificate authority; unset, pip's own defaults hold. The page's chart
# library comes by npm, unless the checkout has it already (after `make install`): the same for npm.
ARG PIP_INDEX_URL
ARG PIP_CERT
ARG NPM_CONFIG_REGISTRY
ARG NPM_CONFIG_CAFILE
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY operator operator
COPY receiver receiver
RUN python3 -m pip wheel --quiet --no-deps --wheel-dir /wheel .

# A virtual environment has no pip of its own, so nothing of the build's tools comes along. Whatever has no wheel for
# this platform ends the build, since there is no compiler. The root is read-only later: all is compiled now, in the
# mode that never looks at the time of a source file, and every file gets the same time. (Not the typed models of the
# Kubernetes client, 50 MB that the operator never imports.)
FROM wheel AS operator-environment
ARG SOURCE_DATE_EPOCH=315532800
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY requirements/operator.txt /requirements.txt
RUN set -eu; python3 -m venv --without-pip /opt/aigw; \
    python3 -m pip --python /opt/aigw/bin/python install --quiet --no-compile --only-binary :all: --require-hashes -r /requirements.txt; \
    python3 -m pip --python /opt/aigw/bin/python install --quiet --no-compile --no-deps /wheel/*.whl; \
    rm -r /opt/aigw/bin/aigw-receiver /opt/aigw/lib/python3*/site-packages/aigw_receiver; \
    sed -i '/aigw[_-]receiver/d' /opt/aigw/lib/python3*/site-packages/aigw_telemetry-*.dist-info/RECORD; \
    /opt/aigw/bin/python -m compileall -q -f --invalidation-mode unchecked-hash -x '/kubernetes/(aio/)?client/(api|models)/' /opt/aigw/lib; \
    find /opt/aigw -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

FROM wheel AS receiver-environment
ARG SOURCE_DATE_EPOCH=315532800
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY requirements/receiver.txt /requirements.txt
RUN set -eu; python3 -m venv --without-pip /opt/aigw; \
    python3 -m pip --python /opt/aigw/bin/python install --quiet --no-compile --only-binary :all: --require-hashes -r /requirements.txt; \
    python3 -m pip --python /opt/aigw/bin/python install --quiet --no-compile --no-deps /wheel/*.whl; \
    rm -r /opt/aigw/bin/aigw-operator /opt/aigw/lib/python3*/site-packages/aigw_operator; \
    sed -i '/aigw[_-]operator/d' /opt/aigw/lib/python3*/site-packages/aigw_telemetry-*.dist-info/RECORD; \
    rm -rf /opt/aigw/lib/python3*/site-packages/numpy/tests /opt/aigw/lib/python3*/site-packages/numpy/*/tests; \
    /opt/aigw/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/aigw/lib; \
    find /opt/aigw -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} +

# The base without what only builds or documents: no pip, no compiler, no setuid program. The end checks it.
FROM ${PYTHON_IMAGE} AS stripped
ARG SOURCE_DATE_EPOCH=315532800
RUN set -eu; \
    find / -xdev -depth -path '*/python3*' \( -name pip -o -name 'pip-*' -o -name setuptools -o -name 'setuptools-*' -o -name wheel -o -name 'wheel-*' \
      -o -name pkg_resources -o -name _distutils_hack -o -name distutils-precedence.pth -o -name ensurepip -o -name idlelib -o -name lib2to3 \
      -o -name tkinter -o -name turtledemo -o -name test \) -exec rm -rf {} +; \
    rm -rf /usr/share/python-wheels /usr/bin/pip* /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/2to3* /usr/bin/2to3* \
      /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian \
      /var/cache/* /var/lib/apt/lists/* /var/log/* /root/.cache /tmp/*; \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +; \
    echo 'aigw:x:10001:10001::/nonexistent:/usr/sbin/nologin' >> /etc/passwd; \
    echo 'aigw:x:10001:' >> /etc/group; \
    stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))'); \
    find "$stdlib" -depth -name __pycache__ -exec rm -rf {} +; \
    python3 -m compileall -q -f --invalidation-mode unchecked-hash -x '/(site|dist)-packages/' "$stdlib"; \
    for tool in pip pip3 gcc cc make; do if command -v "$tool"; then exit 1; fi; done; \
    if python3 -c 'import pip' 2>/dev/null || python3 -c 'import ensurepip' 2>/dev/null; then exit 1; fi; \
    find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o -exec touch -h -d "@${SOURCE_DATE_EPOCH}" {} + 2>/dev/null || true

# Flat: what was removed is in no layer below. Both images share this one.
FROM scratch AS runtime
COPY --from=stripped / /
ENV PATH=/opt/aigw/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 10001:10001

FROM runtime AS operator
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
COPY --from=operator-environment /opt/aigw /opt/aigw
EXPOSE 8081
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/aigw/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8081/livez', timeout=4)"]
ENTRYPOINT ["aigw-operator"]
CMD ["run"]
LABEL org.opencontainers.image.title="aigw-operator" \
      org.opencontainers.image.description="Wires the Gateways of Envoy AI Gateway to send their telemetry" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

FROM runtime AS receiver
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
COPY --from=receiver-environment /opt/aigw /opt/aigw
EXPOSE 4317 4318 8080 8081
HEALTHCHECK --interval=20s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/aigw/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8081/livez', timeout=4)"]
ENTRYPOINT ["aigw-receiver"]
CMD ["serve"]
LABEL org.opencontainers.image.title="aigw-receiver" \
      org.opencontainers.image.description="Turns the OTLP metrics and access logs of Envoy AI Gateway into exact Prometheus series" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
