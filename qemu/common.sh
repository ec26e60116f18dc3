# Sourced by the scripts of this folder, after `set -eu` and `here=` (this folder). Not a program.
#
# cache     where parts are kept between runs
# die TEXT          one line on standard error, exit 3 (the world failed); usage TEXT exits 2
# part NAME KEY MAKER [ARG...]   prints the path of a cached part, after making it where it is absent
# noted NAME FILE... -- COMMAND...   the path that COMMAND prints, remembered for a day
# download SUITE DIR PACKAGE...      downloads Debian packages into DIR
# unpack SUITE DIR PACKAGE...        downloads them and unpacks them into DIR, without installing anything
# free_port FROM    a TCP port to listen at

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
    root=$2
    mkdir -p "$root/.debs"
    from=$1
    shift 2
    download "$from" "$root/.debs" "$@"
    for deb in "$root/.debs"/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
    rm -r "$root/.debs"
}

# noted NAME FILE... -- COMMAND: what COMMAND prints. It is not run again within a day for the same bytes of FILEs: the questions to
# apt take longer than all else about a part that is there.
noted() {
    note=$1
    shift
    files=
    while [ "$1" != -- ]; do
        files="$files $1"
        shift
    done
    shift
    note=$cache/$note-$(cat $files | sha256sum | cut -c1-8).path
    if [ -z "$(find "$note" -mmin -1440 2>/dev/null)" ] || [ ! -e "$(cat "$note" 2>/dev/null)" ]; then
        path=$("$@")
        printf '%s\n' "$path" > "$note.$$"
        mv "$note.$$" "$note"
    fi
    cat "$note"
}

# The candidate version of a package in a suite, nothing where there is none.
version() {
    apt-cache $("$top/initrd/suite" "$1") policy "$2" | sed -n 's/^  Candidate: //p' | grep -v '^(none)' || true
}

# The package a meta package stands for: depends SUITE META PREFIX
depends() {
    apt-cache $("$top/initrd/suite" "$1") depends --important "$2" 2>/dev/null | sed -n "s/^  Depends: \($3[^ ]*\)\$/\1/p" | head -n 1
}

# The first port from $1 on that nobody listens to.
free_port() {
    awk -v p="$1" '$4 == "0A" { n = split($2, part, ":"); used[part[n]] = 1 }
        END { while (sprintf("%04X", p) in used) p++; print p }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
