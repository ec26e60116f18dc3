# Sourced by the scripts of this folder, after `set -eu` and `here=` (this folder). Not a program.
#
# cache     where parts are kept between runs
# die TEXT          one line on standard error, exit 3 (the world failed); usage TEXT exits 2
# part NAME KEY MAKER [ARG...]   prints the path of a cached part, after making it where it is absent
# unpack SUITE DIR PACKAGE...    downloads Debian packages and unpacks them into DIR, without installing anything

top=$(cd "$here/.." && pwd)
me=${0##*/}
cache=${PLINTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/plinth}/parts

say() { printf '%s: %s\n' "$me" "$1" >&2; }
die() { say "$1"; exit 3; }
usage() { say "$1"; exit 2; }
sha256() { sha256sum | cut -d' ' -f1; }

# A part is a folder that appears whole or not at all: it is made beside its place, under a lock, and renamed. Whoever waited
# for the lock finds it ready. KEY holds everything the content depends on; another key is another folder.
# MAKER is a function of the script, which is run anew as `script --make MAKER FOLDER ARG...`: a process of its own, because the
# shell forgets `set -e` in a function whose status is looked at.
part() {
    part=$cache/$1-$(printf '%s\n' "$2" | sha256 | cut -c1-12)
    if [ ! -e "$part" ]; then
        mkdir -p "$cache"
        shift 2
        exec 8> "$part.lock"
        flock -n 8 || { say "waiting for another run that makes ${part##*/}"; flock 8; }
        if [ ! -e "$part" ]; then
            # Under the lock, so what lies there is of a run that was interrupted.
            rm -rf "$part.new"
            mkdir "$part.new"
            maker=$1
            shift
            if ! "$0" --make "$maker" "$part.new" "$@" >&2 8>&-; then
                rm -rf "$part.new"
                exit 3
            fi
            mv -T "$part.new" "$part"
        fi
        exec 8>&-
    fi
    printf '%s\n' "$part"
}

# download SUITE DIR PACKAGE...
download() {
    suite=$1 into=$2
    shift 2
    apt=$("$top/initrd/suite" "$suite")
    # A mirror drops old versions at once, so lists that are a few hours old may name files that are gone.
    if ! (cd "$into" && apt-get $apt -q -q download "$@") >&2; then
        apt=$("$top/initrd/suite" --refresh "$suite")
        (cd "$into" && apt-get $apt -q -q download "$@") >&2 || die "cannot download $* of $suite"
    fi
}

unpack() {
    suite=$1 into=$2
    shift 2
    mkdir -p "$into/.debs"
    download "$suite" "$into/.debs" "$@"
    for deb in "$into/.debs"/*.deb; do
        dpkg-deb -x "$deb" "$into"
    done
    rm -r "$into/.debs"
}

# recent NAME FILE... prints the path that `remember NAME PATH` noted within the last day, if it was noted after FILEs changed.
# It spares the questions to apt, which take longer than all else about a part that is there.
recent() {
    note=$cache/$1.recent
    shift
    [ -n "$(find "$note" -mmin -1440 2>/dev/null)" ] || return 1
    for file in "$here/common.sh" "$@"; do
        [ -z "$(find "$file" -newer "$note")" ] || return 1
    done
    [ -e "$(cat "$note")" ] && cat "$note"
}

remember() {
    printf '%s\n' "$2" > "$cache/$1.$$"
    mv "$cache/$1.$$" "$cache/$1.recent"
}

# The candidate version of a package in a suite, nothing where there is none.
version() {
    apt-cache $("$top/initrd/suite" "$1") policy "$2" | sed -n 's/^  Candidate: //p' | grep -v '^(none)' || true
}

# The package a meta package stands for: depends SUITE META PREFIX
depends() {
    apt-cache $("$top/initrd/suite" "$1") depends --important "$2" 2>/dev/null | sed -n "s/^  Depends: \($3[^ ]*\)\$/\1/p" | head -n 1
}
