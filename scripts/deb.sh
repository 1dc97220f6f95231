#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds bin/sipsteer_VERSION_ARCH.deb around bin/sipsteer. Needs dpkg-deb.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022

binary=bin/sipsteer
arch=$(dpkg --print-architecture)
commit_time=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$commit_time}

# v1.2.3-4-gabc becomes 1.2.3+4.gabc; a checkout without tags sorts before every release.
described=$(git describe --tags --match 'v[0-9]*' 2>/dev/null || true)
if [ -n "$described" ]; then
	version=$(printf '%s' "${described#v}" | sed 's/-/+/; s/-/./g')
else
	version="0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$(git rev-parse --short HEAD 2>/dev/null || echo local)"
fi
version=${DEB_VERSION:-$version}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"
doc=$stage/usr/share/doc/sipsteer

install -D -m 755 "$binary" "$stage/usr/bin/sipsteer"
install -D -m 644 deploy/systemd/sipsteer.service "$stage/lib/systemd/system/sipsteer.service"
install -d -m 750 "$stage/etc/sipsteer"
install -d "$doc/examples/kamailio"
install -m 644 README.md docs/*.md "$doc/"
install -m 644 deploy/examples/*.yaml "$doc/examples/"
install -m 644 deploy/kamailio/* "$doc/examples/kamailio/"
install -m 644 LICENSE "$doc/copyright"

"$binary" man "$stage/usr/share/man/man1"
gzip -9n "$stage"/usr/share/man/man1/*.1
install -d "$stage/usr/share/bash-completion/completions" "$stage/usr/share/zsh/vendor-completions" "$stage/usr/share/fish/vendor_completions.d"
"$binary" completion bash >"$stage/usr/share/bash-completion/completions/sipsteer"
"$binary" completion zsh >"$stage/usr/share/zsh/vendor-completions/_sipsteer"
"$binary" completion fish >"$stage/usr/share/fish/vendor_completions.d/sipsteer.fish"

install -d "$stage/DEBIAN"
size=$(du -sk --exclude=DEBIAN "$stage" | cut -f1)
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" deploy/debian/control.in >"$stage/DEBIAN/control"
install -m 755 deploy/debian/{postinst,prerm,postrm} "$stage/DEBIAN/"

package=bin/sipsteer_${version}_${arch}.deb
dpkg-deb --root-owner-group --build -Zgzip "$stage" "$package" >/dev/null
echo "$package"
