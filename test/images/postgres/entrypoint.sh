#!/bin/sh
# Makes the database when PGDATA is empty, then becomes the server. Arguments are the server's own.
set -eu

# A database appears under its name only when it is whole: a container killed half-way starts over.
initialise() {
	: "${POSTGRES_PASSWORD:?the password for role postgres}"
	unfinished=$PGDATA.unfinished
	rm -rf "$unfinished"
	mkdir -p "$(dirname "$PGDATA")"
	umask 077
	password_file=$(mktemp)
	printf '%s\n' "$POSTGRES_PASSWORD" > "$password_file"
	# Inside the pod the account postgres needs no password, so that `kubectl exec … psql` just works.
	initdb --pgdata "$unfinished" --username postgres --encoding UTF8 --locale C.UTF-8 \
		--auth-host scram-sha-256 --auth-local peer --pwfile "$password_file"
	rm "$password_file"
	echo "host all all all scram-sha-256" >> "$unfinished/pg_hba.conf"
	rmdir "$PGDATA" 2>/dev/null || true
	mv "$unfinished" "$PGDATA"
}

[ -s "$PGDATA/PG_VERSION" ] || initialise

# The official image takes the server's name as a first argument too.
[ "${1:-}" != postgres ] || shift
exec postgres -D "$PGDATA" -c "listen_addresses=*" -c password_encryption=scram-sha-256 "$@"
