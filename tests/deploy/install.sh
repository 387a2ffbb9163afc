#!/bin/sh
# Install the additional requirements of `make test-deploy` from system packages, if they are missing: buildah and debootstrap
# for the container image and the empty machine, ip, promtool, caddy and systemd-analyze.
set -eu

missing=""
command -v buildah >/dev/null || missing="$missing buildah"
test -x /usr/sbin/debootstrap || missing="$missing debootstrap"
command -v ip >/dev/null || missing="$missing iproute2"
command -v promtool >/dev/null || missing="$missing prometheus"
command -v caddy >/dev/null || missing="$missing caddy"
command -v systemd-analyze >/dev/null || missing="$missing systemd"

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make test-deploy needs$missing: install them, or run it as root on Debian or Ubuntu." >&2
    exit 1
  fi
  echo "installing$missing …"
  if [ ! -e /usr/sbin/policy-rc.d ]; then # starts no services
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
