# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Varnish: a manager that starts a worker process of a hundred threads, each lock wrapped and asserted, its own C compiled and loaded.
needs="varnishd gcc ab"
packages="varnish gcc apache2-utils"
port=$(free_port)
command=(varnishd -F -j none -n "$work/varnish" -a "127.0.0.1:$port" -f "$work/hello.vcl" -s malloc,32m -T none -p thread_pool_min=50)
prepare() {
  echo 'vcl 4.1; backend default none;
    sub vcl_recv { if (req.url == "/") { return (synth(200, "OK")); } }
    sub vcl_synth { set resp.body = "hello"; return (deliver); }' >hello.vcl
}
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
targets() { processes_below "$1"; }
