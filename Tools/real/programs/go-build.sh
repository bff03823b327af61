# shellcheck shell=bash disable=SC2034
# The Go compiler: Go programs that start many others.
needs="go"
packages="golang-go"
command=(bash -c 'rm -rf cache && GOCACHE=$PWD/cache GOPATH=$PWD/path GO111MODULE=off go build -o hello hello.go && ./hello')
prepare() { printf 'package main\nfunc main() { println("hello") }\n' >hello.go; }
