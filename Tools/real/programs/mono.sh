# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Mono: monitors of its own over mutexes and conditions, a pool of threads, a collector that stops threads by signals.
needs="mono mcs"
packages="mono-runtime mono-mcs"
command=(mono "$work/threads.exe")
prepare() { mcs -out:"$work/threads.exe" "$tools/sources/Threads.cs"; }
