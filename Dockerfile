# One image, one command per service: docker run omniroute serve router
FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv .venv
COPY requirements.lock ./
RUN .venv/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml alembic.ini ./
COPY libs libs
COPY services services
COPY migrations migrations
RUN .venv/bin/pip install --no-deps --no-build-isolation --editable . && .venv/bin/python -m compileall -q libs services

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/omniroute --create-home omniroute
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    OMNIROUTE_HOST=0.0.0.0 OMNIROUTE_DATA_DIR=/var/lib/omniroute
USER 10001
VOLUME /var/lib/omniroute
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["omniroute"]
CMD ["up"]
