# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# gdb with a program of eight threads under it: what it traces refuses a second tracer, in a sentence.
needs="gdb gcc"
packages="gdb gcc"
command=(gdb -batch -nx -iex 'set debuginfod enabled off' -ex 'set breakpoint pending on' -ex 'break printf' -ex run -ex 'info inferiors' -ex continue "$work/threads")
prepare() { gcc -g -O1 -pthread "$tools/sources/threads.c" -o "$work/threads"; }
result() { grep -E '^sum ' "$1"; }
