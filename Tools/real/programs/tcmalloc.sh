# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# An allocator with spin locks on futexes, preloaded before and after the shim.
needs="gcc"
packages="gcc libc6-dev libtcmalloc-minimal4"
allocator=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4
command=("$work/threads")
environment=(env "LD_PRELOAD=$allocator")
preloads=("$shim:$allocator" "$allocator:$shim")
prepare() { [[ -e $allocator ]] && gcc -g -O1 -pthread "$tools/sources/threads.c" -o "$work/threads"; }
