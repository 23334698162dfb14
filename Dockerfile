# The pipeline without the sandbox and the tests: docker build -t clinic-move . && docker run --env-file .env -v clinic-move:/project/data
#   --hostname clinic-move -v /etc/machine-id:/etc/machine-id:ro clinic-move
# The last two tell a later container from another machine (docs/scheduling.md).
# The set-up is `make setup` itself, without what only checks and tests need.

FROM python:3.14-slim AS build
WORKDIR /project
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
COPY Makefile constraints.txt pyproject.toml meltano.yml logging.yaml logging-json.yaml ./
COPY tap-cliniko tap-cliniko
COPY transforms transforms
COPY target-highlevel target-highlevel
COPY console console
COPY scripts scripts
RUN make setup DEPENDENCIES=run

FROM python:3.14-slim
RUN useradd --create-home --uid 10001 mover && mkdir -p /project/data && chown -R mover:mover /project
COPY --from=build --chown=mover:mover /project /project
USER mover
WORKDIR /project
# Bookmarks lie with what else the runs leave: a container is thrown away, and the next one would read everything again.
ENV MELTANO_SEND_ANONYMOUS_USAGE_STATS=false PATH=/project/.venv/bin:$PATH MELTANO_DATABASE_URI=sqlite:////project/data/meltano.db
VOLUME /project/data
ENTRYPOINT ["meltano"]
CMD ["run", "tap-cliniko", "target-highlevel"]
