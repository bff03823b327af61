# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# UndefinedBehaviorSanitizer.
needs="gcc"
packages="gcc libc6-dev"
command=("$work/threads")
prepare() { gcc -g -O1 -pthread -fsanitize=undefined "$tools/sources/threads.c" -o "$work/threads"; }
