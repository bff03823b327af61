# shellcheck shell=bash disable=SC2034
# UndefinedBehaviorSanitizer.
needs="gcc"
packages="gcc libc6-dev"
command=("$work/threads")
prepare() { gcc -g -O1 -pthread -fsanitize=undefined "$tools/sources/threads.c" -o "$work/threads"; }
