# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Node.js: one thread of JavaScript, V8's and libuv's workers on conditions and semaphores.
needs="node ab"
packages="nodejs apache2-utils"
port=$(free_port)
command=(node "$tools/sources/server.js" "$port")
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
