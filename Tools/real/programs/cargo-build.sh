# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# cargo and rustc: job tokens over pipes, code generation in threads, LLVM.
needs="cargo"
packages="librust-tokio-dev"
command=(bash -c 'rm -rf target && cargo build --quiet --offline --manifest-path source/Cargo.toml --target-dir target "$@" && ls target/debug/tokio-server'
  build --config 'source.crates-io.replace-with="debian"' --config 'source.debian.directory="/usr/share/cargo/registry"')
prepare() { cp -r "$tools/sources/tokio" "$work/source"; }
