#!/bin/sh
# tests/repro.sh   builds HEAD twice, in two folders of different name and depth, each with dependencies of its own, and compares
# what is shipped byte for byte. Only the downloaded (and again verified) sources are shared. REPRO_SHARED=1 shares the built
# dependencies too, which takes seconds instead of minutes. Changes that are not committed are not built.
set -eu
cd "$(dirname "$0")/.."
cache=${PLINTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/plinth}
sources=$(initrd/fetch)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
work=$(mktemp -d "${TMPDIR:-/tmp}/plinth-repro.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

for folder in "$work/a" "$work/second/longer-name/b"; do
    mkdir -p "$folder/tree" "$folder/cache"
    git archive HEAD | tar -x -C "$folder/tree"
    if [ -n "${REPRO_SHARED:-}" ]; then
        PLINTH_CACHE=$cache
    else
        ln -s "$sources" "$folder/cache/sources"
        PLINTH_CACHE=$folder/cache
    fi
    export PLINTH_CACHE
    printf 'repro: building in %s\n' "$folder"
    make -C "$folder/tree" --no-print-directory -s -j "$(nproc)" all
done

bad=0
for f in init plinth plinth-verify initrd.img; do
    if cmp "$work/a/tree/build/$f" "$work/second/longer-name/b/tree/build/$f"; then
        printf 'repro: %-12s same bytes  sha256:%s\n' "$f" "$(sha256sum < "$work/a/tree/build/$f" | cut -d' ' -f1)"
    else
        printf 'repro: %-12s DIFFERS\n' "$f"
        bad=1
    fi
done
exit $bad
