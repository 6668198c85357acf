#!/bin/sh
# usage: timescale-install.sh PREFIX   (PREFIX = final place, is written into the ELF files; needs apt, dpkg, flock only)
set -eu
PREFIX=${1:?usage: $0 PREFIX}; case $PREFIX in /*) ;; *) PREFIX=$PWD/$PREFIX ;; esac
own_mirror() { apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | awk -v r="$1" '$1 == r {print $2; exit}'; }   # after apt-get update
CODENAME=$(. /etc/os-release; echo "$VERSION_CODENAME")
SUITE=trixie PG=17 MIRROR=${DEBIAN_MIRROR:-$(own_mirror "$CODENAME")} SECURITY=${DEBIAN_SECURITY_MIRROR:-$(own_mirror "$CODENAME-security")}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg; STAMP=$PREFIX/.complete
[ -e "$STAMP" ] && { cat "$STAMP"; exit 0; }
mkdir -p "$(dirname "$PREFIX")"; exec 9>"$PREFIX.lock"; flock 9
[ -e "$STAMP" ] && { cat "$STAMP"; exit 0; }
TMP=$(mktemp -d "$PREFIX.XXXXXX"); trap 'rm -rf "$TMP"' EXIT
A=$TMP/apt; mkdir -p "$A/etc/sources.list.d" "$A/etc/none" "$A/state/lists/partial" "$A/cache/archives/partial" "$A/debs" "$TMP/root"
: >"$A/state/status"
{ printf 'Types: deb\nURIs: %s\nSuites: %s %s-updates\nComponents: main\nSigned-By: %s\n\n' "$MIRROR" "$SUITE" "$SUITE" "$KEYRING"
  printf 'Types: deb\nURIs: %s\nSuites: %s-security\nComponents: main\nSigned-By: %s\n' "$SECURITY" "$SUITE" "$KEYRING"
} >"$A/etc/sources.list.d/tsdb.sources"
{ apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https|Check-Valid-Until|Check-Date)[: ]' || true   # keep proxy/date settings only
  cat <<E
Dir::Etc "$A/etc"; Dir::Etc::Parts "$A/etc/none"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$A/etc/sources.list.d";
Dir::Etc::trusted "/dev/null"; Dir::Etc::trustedparts "$A/etc/none"; Dir::Etc::preferencesparts "$A/etc/none";
Dir::State "$A/state"; Dir::State::status "$A/state/status"; Dir::Cache "$A/cache"; Acquire::Languages "none"; Acquire::Retries "3";
APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Sandbox::User "";
E
} >"$A/apt.conf"
export APT_CONFIG="$A/apt.conf"; apt-get -qq update
LIBS="libc6 libgcc-s1 libstdc++6 libicu76 libxml2 liblzma5 libldap2 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3
 libkrb5support0 libcom-err2 libkeyutils1 liblz4-1 libzstd1 libxxhash0 libpam0g libaudit1 libcap-ng0 libssl3t64 libsystemd0
 libcap2 zlib1g libpq5 libreadline8t64 libtinfo6 libuuid1 patchelf"
(cd "$A/debs" && apt-get -qq download postgresql-$PG postgresql-client-$PG postgresql-$PG-timescaledb $LIBS)
for d in "$A"/debs/*.deb; do dpkg-deb -x "$d" "$TMP/root"; done
VERSIONS=$(for d in "$A"/debs/postgresql*.deb; do dpkg-deb -f "$d" Package Version | sed 's/^[A-Za-z]*: //' | paste -sd=; done)
rm -rf "$A" "$TMP/root/usr/share/doc" "$TMP/root/usr/share/man" "$TMP/root/usr/share/locale" "$TMP/root/usr/lib/postgresql/$PG/lib/bitcode" \
  "$TMP/root"/usr/lib/postgresql/$PG/lib/llvmjit* "$TMP/root/usr/lib/x86_64-linux-gnu/gconv"
LIB=usr/lib/x86_64-linux-gnu; LD=ld-linux-x86-64.so.2
patchelf() { "$TMP/root/$LIB/$LD" --library-path "$TMP/root/$LIB" "$TMP/root/usr/bin/patchelf" "$@"; }
for f in "$TMP"/root/usr/lib/postgresql/$PG/bin/*; do      # DT_RPATH, not RUNPATH: it also serves the libraries' own needs
  [ "$(head -c4 "$f" | tail -c3)" = ELF ] || continue
  patchelf --set-interpreter "$PREFIX/$LIB/$LD" --force-rpath --set-rpath "$PREFIX/$LIB" "$f"
done
rm -rf "$TMP/root/usr/bin/patchelf" "$PREFIX"; mv "$TMP/root" "$PREFIX"; chmod 755 "$PREFIX"
for b in postgres initdb psql pg_dump; do                  # every library must come from PREFIX
  out=$(env -i "$PREFIX/$LIB/$LD" --list "$PREFIX/usr/lib/postgresql/$PG/bin/$b" 2>&1 | grep -v -e "$PREFIX" -e linux-vdso) && { echo "$b: outside $PREFIX: $out" >&2; exit 1; }
done
"$PREFIX/usr/lib/postgresql/$PG/bin/postgres" -V >/dev/null; echo "$VERSIONS" >"$STAMP"; cat "$STAMP"
