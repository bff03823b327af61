# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# CPython: its locks are POSIX semaphores, its interpreter lock a mutex with a timed condition.
needs="/usr/bin/python3 ab"
packages="python3 apache2-utils"
port=$(free_port)
command=(/usr/bin/python3 "$tools/sources/server.py" "$port")
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
