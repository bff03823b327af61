# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Ruby: threads that pass one lock around (a mutex and conditions), a timer thread.
needs="ruby ab"
packages="ruby apache2-utils"
port=$(free_port)
command=(ruby "$tools/sources/server.rb" "$port")
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
