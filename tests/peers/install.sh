#!/bin/sh
# Installs what `make test-peers` needs and make setup does not: Node.js, Kannel, bash, jq and curl from the system's packages where
# they are missing, and the npm packages of package-lock.json beside this file, by their hashes.
set -eu
cd "$(dirname "$0")"

missing=""
command -v node >/dev/null && command -v npm >/dev/null || missing="$missing nodejs npm"
test -x /usr/sbin/bearerbox && test -x /usr/sbin/smsbox || missing="$missing kannel"
command -v jq >/dev/null || missing="$missing jq"
command -v bash >/dev/null || missing="$missing bash"
command -v curl >/dev/null || missing="$missing curl"

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test-peers needs$missing: install them, or run it as root on Debian or Ubuntu." >&2
    exit 1
  fi
  echo "installing$missing …"
  # No service is started: the tests run their own, with folders and ports of their own.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
npm ci --silent --no-audit --no-fund --ignore-scripts
