#!/bin/sh
# Installs what `make bench-peers` needs and make setup does not: Node.js, Kannel, Redis and RabbitMQ from the system's
# packages where they are missing, without starting them, and the npm packages of package-lock.json beside this file.
# Jasmin gets a virtual environment of its own, by the hashes of jasmin.txt (benchmarks/environments.py).
set -eu
cd "$(dirname "$0")"

missing=""
command -v node >/dev/null && command -v npm >/dev/null || missing="$missing nodejs npm"
test -x /usr/sbin/bearerbox || missing="$missing kannel"
command -v redis-server >/dev/null || missing="$missing redis-server"
test -x /usr/lib/rabbitmq/bin/rabbitmq-server || missing="$missing rabbitmq-server"

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make bench-peers needs$missing: install them, or run it as root on Debian or Ubuntu." >&2
    exit 1
  fi
  echo "installing$missing …"
  # No service is started: the benchmark runs its own, with folders and ports of its own.
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
