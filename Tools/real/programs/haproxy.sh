# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# haproxy: threads that share work by spin locks of inlined atomics, and stop each other to change what all of them read.
needs="haproxy ab"
packages="haproxy apache2-utils"
port=$(free_port)
command=(haproxy -W -db -f "$work/haproxy.cfg")
prepare() {
  printf '%s\n' 'global' '  nbthread 4' 'defaults' '  mode http' '  timeout client 10s' '  timeout connect 5s' '  timeout server 10s' \
    'frontend back' "  bind $work/back.sock" '  http-request return status 200 content-type text/plain string "hello"' \
    'backend there' "  server one $work/back.sock" "  server two $work/back.sock" \
    'frontend front' "  bind 127.0.0.1:$port" '  stick-table type ip size 1k expire 10s store http_req_rate(1s)' '  http-request track-sc0 src' '  default_backend there' >haproxy.cfg
  haproxy -c -f haproxy.cfg
}
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
targets() { processes_below "$1"; }
