# One image for the operator and for the Jobs it starts: the chart and the operator say which file of dist/main runs.
# Each is one file with all that it imports, since a Job that has to find and compile hundreds of them starts a second later.

# Any image with Node 24 or later and npm, on Debian, since the PostgreSQL programs come from there.
ARG NODE_IMAGE=node:26-trixie-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /holdfast
COPY package.json package-lock.json ./
# Behind a proxy with an authority of its own: `--secret id=ca,src=FILE`. It does not stay in the image.
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --ignore-scripts --no-audit --no-fund --cache /tmp/npm \
    && rm -rf /tmp/npm

FROM dependencies AS build
COPY scripts/bundle.ts scripts/bundle.ts
COPY scripts/bundle scripts/bundle
COPY src src
RUN node scripts/bundle.ts

FROM ${NODE_IMAGE} AS postgres
# The major versions of PostgreSQL whose servers this image can back up and restore: each needs programs of its own.
ARG PG_MAJORS="13 14 15 16 17 18"
# pgdg: the project's own package archive, which has them all. debian: for a network that does not reach it; then say
# PG_MAJORS="13 15 17 18", the versions that some Debian release carries.
ARG PG_SOURCE=pgdg
COPY scripts/postgres-programs.sh /
RUN set -eu; \
    if [ "${PG_SOURCE}" = pgdg ]; then \
      apt-get update; \
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates postgresql-common; \
      /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y; \
    fi; \
    /postgres-programs.sh programs "${PG_SOURCE}" /programs ${PG_MAJORS}

FROM ${NODE_IMAGE}
# One libpq for the programs of every version. From 16 on it can refuse to send a password in clear text.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
       ca-certificates zstd libpq5 libzstd1 liblz4-1 zlib1g \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=postgres /programs /usr/lib/postgresql
# That every program finds its libraries shows here and not in the first backup.
RUN set -eu; \
    for folder in /usr/lib/postgresql/*/lib; do \
      [ ! -d "$folder" ] || echo "$folder" >> /etc/ld.so.conf.d/postgresql.conf; \
    done; \
    ldconfig; \
    for program in /usr/lib/postgresql/*/bin/*; do "$program" --version; done

# What changes most comes last: a change in src builds in seconds.
WORKDIR /holdfast
COPY package.json ./
COPY crds ./crds
COPY --from=build /holdfast/dist ./dist

# Nothing here is written to at run time: a read-only root file system is enough, with a /tmp of one's own.
ENV NODE_ENV=production HOME=/tmp NODE_COMPILE_CACHE=/holdfast/compiled
RUN install --directory --owner=65532 --group=65532 "${NODE_COMPILE_CACHE}"
USER 65532:65532
# What Node compiles, kept: every Job starts a tenth of a second sooner. It is for this user and these flags (RUNNER_NODE_FLAGS); for
# others Node does without. The runner, having no task, ends with exit code 4, and the operator, having no settings, with 1.
RUN set -eu; \
    node --max-semi-space-size=1 dist/main/runner.mjs > /tmp/said || [ $? -eq 4 ]; \
    node dist/main/controller.mjs > /tmp/said || [ $? -eq 1 ]; \
    rm /tmp/said; test -n "$(ls -A "${NODE_COMPILE_CACHE}")"
CMD ["node", "/holdfast/dist/main/controller.mjs"]
