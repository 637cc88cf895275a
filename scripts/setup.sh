# Sourced by scripts/demo and scripts/test: `set_up` installs what is missing and builds pcc in $build.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build/release

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# What scripts/packages lists and dpkg does not have.
missing_packages() {
    sed 's/#.*//' "$top/scripts/packages" | while read -r package; do
        [ -n "$package" ] || continue
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

install_packages() {
    local missing as_root=()
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        fail "this needs Debian 12's apt; elsewhere install the equivalents of scripts/packages and run cmake yourself"
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing packages: $missing(install them as root, or install sudo)"
        as_root=(sudo)
    fi
    echo "installing: $missing"
    "${as_root[@]}" apt-get update -q </dev/null || fail "apt-get update failed"
    # shellcheck disable=SC2086  # a list of words
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing \
        </dev/null || fail "apt-get could not install: $missing"
}

set_up() {
    install_packages
    cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null || fail "cmake failed"
    cmake --build "$build" --parallel 2 "$@" || fail "the build failed"
}
