# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# An allocator that locks and has threads of its own, preloaded before and after the shim.
needs="gcc"
packages="gcc libc6-dev libjemalloc2"
allocator=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
command=("$work/threads")
environment=(env MALLOC_CONF=background_thread:true "LD_PRELOAD=$allocator")
preloads=("$shim:$allocator" "$allocator:$shim")
prepare() { [[ -e $allocator ]] && gcc -g -O1 -pthread "$tools/sources/threads.c" -o "$work/threads"; }
