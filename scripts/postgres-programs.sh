#!/bin/sh
# Fetches the programs that dump and load PostgreSQL: those of each major version into TARGET/<major>/bin.
#
#   postgres-programs.sh programs pgdg|debian TARGET MAJOR…
#   postgres-programs.sh unpack SUITE TARGET PACKAGE…      packages of Debian, unpacked and nothing more
#
# Nothing is installed: packages of several Debian releases cannot stand in one system, but their programs can, since
# they need little beyond libpq, and a newer libpq serves older programs.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The Debian release whose packages carry a major version.
suite_of() {
  case $1 in
    13) echo bullseye ;;
    15) echo bookworm ;;
    17) echo trixie ;;
    18) echo sid ;;
    *) return 1 ;;
  esac
}

# The programs of 13 take random numbers from a library that later releases do not have. It lands in TARGET/13/lib, for
# nobody else to use.
also_needed_from() {
  [ "$1" != bullseye ] || echo libssl1.1
}

# apt-get for another Debian release, with lists of its own: the system's own sources, the release's name exchanged.
apt_of() {
  suite=$1
  shift
  own=$work/$suite
  if [ ! -d "$own" ]; then
    mkdir -p "$own/sources" "$own/lists/partial" "$own/cache/archives/partial"
    here=$(. /etc/os-release && echo "$VERSION_CODENAME")
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
      [ ! -f "$file" ] || sed "s/ $here-updates//; s/\b$here\b/$suite/g" "$file" > "$own/sources/$(basename "$file" | sed 's/^sources.list$/debian.list/')"
    done
    # A source that this release does not have, as sid has no security updates, is told as an error and is none:
    # what is missing shows at the download.
    apt_of "$suite" -qq update || true
  fi
  # The lists of an old release are past their date, as are those of a mirror that stands still; the signatures count.
  apt-get -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false \
    -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$own/sources" \
    -o "Dir::State::Lists=$own/lists" -o "Dir::Cache=$own/cache" "$@"
}

# Before these, pg_restore ran what stands after a line break in the name of an object (CVE-2025-8715).
oldest_safe() {
  case $1 in 13) echo 22 ;; 14) echo 19 ;; 15) echo 14 ;; 16) echo 10 ;; 17) echo 6 ;; *) echo 0 ;; esac
}

refuse_unsafe() {
  case $1 in postgresql-client-*) ;; *) return 0 ;; esac
  major=${1##*-}
  minor=$(echo "$2" | sed 's/^[0-9]*\.\([0-9]*\).*/\1/')
  [ "$minor" -lt "$(oldest_safe "$major")" ] || return 0
  echo "$1 is $2, which can be made to run statements of a stranger: $major.$(oldest_safe "$major") is the oldest that is safe." >&2
  echo "Next: have the security updates of Debian among the sources of the base image" >&2
  exit 1
}

# Unpacks packages of a Debian release into a folder.
unpack() {
  from=$1 into=$2
  shift 2
  mkdir -p "$work/packages" "$into"
  (cd "$work/packages" && apt_of "$from" -qq download "$@")
  unpack_downloaded "$into"
}

unpack_downloaded() {
  for package in "$work"/packages/*.deb; do
    refuse_unsafe "$(dpkg-deb -f "$package" Package)" "$(dpkg-deb -f "$package" Version)"
    dpkg -x "$package" "$1"
  done
  rm -rf "$work/packages"
}

# From PostgreSQL's own archive, which the caller has added to the system's sources.
unpack_from_pgdg() {
  mkdir -p "$work/packages"
  (cd "$work/packages" && apt-get -o APT::Sandbox::User=root -qq download "postgresql-client-$1") && unpack_downloaded "$2"
}

fetch() {
  source=$1 target=$2 major=$3
  unpacked=$work/unpacked-$major
  if [ "$source" = pgdg ] && unpack_from_pgdg "$major" "$unpacked"; then
    :
  elif suite=$(suite_of "$major"); then
    unpack "$suite" "$unpacked" "postgresql-client-$major" $(also_needed_from "$suite")
  else
    echo "no package source carries the programs of PostgreSQL $major" >&2
    exit 1
  fi
  mkdir -p "$target/$major/bin"
  for program in pg_dump pg_dumpall pg_restore; do
    cp "$unpacked/usr/lib/postgresql/$major/bin/$program" "$target/$major/bin/"
  done
  for library in "$unpacked"/usr/lib/*/libcrypto.so.1.1; do
    [ ! -f "$library" ] || { mkdir -p "$target/$major/lib" && cp "$library" "$target/$major/lib/"; }
  done
  cp "$unpacked/usr/share/doc/postgresql-client-$major/copyright" "$target/$major/"
}

what=$1
shift
case $what in
  unpack) unpack "$@" ;;
  programs)
    source=$1 target=$2
    shift 2
    for major; do fetch "$source" "$target" "$major"; done
    ;;
esac
