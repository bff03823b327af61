# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# AddressSanitizer: it wants to be the first library, and is told that it need not.
needs="gcc"
packages="gcc libc6-dev"
command=("$work/threads")
environment=(env ASAN_OPTIONS=verify_asan_link_order=0)
prepare() { gcc -g -O1 -pthread -fsanitize=address "$tools/sources/threads.c" -o "$work/threads"; }
