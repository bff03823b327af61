# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Erlang: schedulers that sleep on futexes of their own, through syscall().
needs="erl erlc ab"
packages="erlang-base apache2-utils"
port=$(free_port)
prepare() { erlc -o "$work" "$tools/sources/server.erl"; }
# `erl` is a script that executes the emulator.
command=(erl -noinput -pa "$work" +S 4 -s server start "$port")
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
