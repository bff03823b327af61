# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# The Go compiler: Go programs that start many others.
needs="go"
packages="golang-go"
command=(bash -c 'rm -rf cache && GOCACHE=$PWD/cache GOPATH=$PWD/path GO111MODULE=off go build -o hello hello.go && ./hello 2>&1')
prepare() { printf 'package main\nfunc main() { println("hello") }\n' >hello.go; }
