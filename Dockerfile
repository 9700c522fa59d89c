# One image for the operator and for the Jobs it starts: the chart says which file of src/main runs.
# The TypeScript sources run as they are; Node strips the types. So a stack trace shows true lines, and nothing can be
# out of date between the sources and what runs.

# Any image with Node 24 or later and npm, on Debian, since the PostgreSQL programs come from there.
ARG NODE_IMAGE=node:26-trixie-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /holdfast
COPY package.json package-lock.json ./
# Behind a proxy with an authority of its own: `--secret id=ca,src=FILE`. It does not stay in the image.
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    npm ci --omit=dev --ignore-scripts --no-audit --no-fund --cache /tmp/npm \
    && rm -rf /tmp/npm

FROM ${NODE_IMAGE}
# The major versions of PostgreSQL whose servers this image can dump and load: "15 16 17 18".
# Debian has one of them; for the others the project's own package archive is added.
ARG PG_MAJORS="17"
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; \
    install() { apt-get install -y --no-install-recommends "$@"; }; \
    apt-get update; \
    install ca-certificates zstd; \
    for major in ${PG_MAJORS}; do \
      if ! apt-cache show "postgresql-client-${major}" >/dev/null 2>&1; then \
        install postgresql-common; \
        /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y; \
      fi; \
      install "postgresql-client-${major}"; \
    done; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log

# What changes most comes last: a change in src builds in seconds.
WORKDIR /holdfast
COPY --from=dependencies /holdfast/node_modules ./node_modules
COPY package.json ./
COPY crds ./crds
COPY src ./src

# Nothing here is written to at run time: a read-only root file system is enough, with a /tmp of one's own.
ENV NODE_ENV=production HOME=/tmp
USER 65532:65532
CMD ["node", "/holdfast/src/main/controller.ts"]
