#!/bin/sh
# Installs what `make test-peers` needs and make setup does not: Node.js, from the system's packages where it is
# missing, and the npm packages of package-lock.json beside this file, by their hashes.
set -eu
cd "$(dirname "$0")"

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test-peers needs Node.js 18 or newer and npm: install them, or run it as root on Debian or Ubuntu." >&2
    exit 1
  fi
  echo "installing Node.js …"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi
npm ci --silent --no-audit --no-fund --ignore-scripts
