#!/bin/sh
# Install the additional requirements of `make test-peers`: Node.js, Kannel, gammu-smsd, bash, jq and curl from system packages if
# they are missing, and the npm packages of package-lock.json in this folder, verified by their hashes.
set -eu
cd "$(dirname "$0")"

missing=""
command -v node >/dev/null && command -v npm >/dev/null || missing="$missing nodejs npm"
test -x /usr/sbin/bearerbox && test -x /usr/sbin/smsbox || missing="$missing kannel"
test -x /usr/bin/gammu-smsd && command -v gammu >/dev/null || missing="$missing gammu gammu-smsd"
find /usr/lib -name libdbdsqlite3.so | grep -q . || missing="$missing libdbd-sqlite3"
command -v jq >/dev/null || missing="$missing jq"
command -v bash >/dev/null || missing="$missing bash"
command -v curl >/dev/null || missing="$missing curl"

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test-peers needs$missing: install them, or run it as root on Debian or Ubuntu." >&2
    exit 1
  fi
  echo "installing$missing …"
  # Don't start services: the tests run their own, in their own folders and on their own ports.
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
