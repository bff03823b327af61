# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# ThreadSanitizer: it stands in front of the same functions as the shim.
needs="gcc"
packages="gcc libc6-dev"
command=("$work/threads")
prepare() { gcc -g -O1 -pthread -fsanitize=thread "$tools/sources/threads.c" -o "$work/threads"; }
