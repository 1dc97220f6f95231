#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that the tests, make kernels, make lint and make generate use.
# Nothing is downloaded, and no root is needed, when all of them are there.
set -eu

packages='clang-19 llvm-19 clang-format-19 shellcheck
	sip-tester kamailio baresip-core sipsak chromium prometheus
	iproute2 ethtool qemu-system-x86 ca-certificates'

if ! command -v dpkg-query >/dev/null; then
	echo "This is no Debian: tests that miss their tool are skipped. They use: $packages"
	exit 0
fi

missing=
for p in $packages; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "Not root, so these packages are not installed and tests that need them are skipped:$missing"
	echo "Install them with: sudo apt-get install --no-install-recommends$missing"
	exit 0
fi

echo "Installing:$missing"
# The packages of Kamailio and Prometheus start them at once. A policy that forbids
# starting services during installation keeps their ports free.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
apt-get install -y -qq --no-install-recommends $missing
if [ -d /run/systemd/system ]; then
	case $missing in
	*kamailio*) echo 'Kamailio would start at the next boot; to keep it off: systemctl disable kamailio' ;;
	esac
	case $missing in
	*prometheus*) echo 'Prometheus would start at the next boot; to keep it off: systemctl disable prometheus' ;;
	esac
fi
