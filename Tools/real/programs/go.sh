# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Go: statically linked, its own locks on raw futex calls; no preload reaches it.
needs="go ab"
packages="golang-go apache2-utils"
port=$(free_port)
command=("$work/server" "$port")
prepare() { CGO_ENABLED=0 GOCACHE=$work/cache GOPATH=$work/path GO111MODULE=off go build -o "$work/server" "$tools/sources/server.go"; }
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
