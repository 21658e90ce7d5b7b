# The server alone: the packages of the lock, the source, a user without rights. Postgres is a service of its own
# (docker-compose.yml); without DONEOTP_DATABASE_URL the embedded one runs here, in the volume.
FROM python:3.13-slim-trixie

WORKDIR /opt/doneotp
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: --requirement requirements.lock \
    && useradd --system --uid 10001 --home-dir /var/lib/doneotp --create-home doneotp
COPY LICENSE NOTICE ./
COPY application application
COPY domain domain
COPY interfaces interfaces
COPY projections projections
RUN python -m compileall -q application domain interfaces projections

ENV DONEOTP_HOME=/var/lib/doneotp DONEOTP_HOST=0.0.0.0 DONEOTP_PORT=8000 PYTHONPATH=/opt/doneotp PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
USER doneotp
VOLUME /var/lib/doneotp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "interfaces.cli"]
CMD ["serve"]
