#!/bin/sh
# Installs a small Debian 13 into the folder $1: what debian:trixie-slim is elsewhere.
set -eu
root=$1
debootstrap --variant=minbase trixie "$root"

# Security updates come from beside where the release came from.
sed -i 's#^deb \(.*\)/debian/* trixie main$#&\ndeb \1/debian-security trixie-security main#' "$root/etc/apt/sources.list"
chroot "$root" apt-get update
chroot "$root" apt-get upgrade -y

# As in the slim images: no manuals and no translations, neither now nor from packages installed later.
cat > "$root/etc/dpkg/dpkg.cfg.d/slim" <<'EOF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
EOF
find "$root/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/*
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*
