# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Rust: tokio's workers park on futexes; std's Mutex and RwLock are inlined.
needs="cargo ab"
packages="librust-tokio-dev apache2-utils"
port=$(free_port)
command=("$work/target/release/tokio-server" "$port")
prepare() {
  cp -r "$tools/sources/tokio" "$work/source"
  cargo build --quiet --offline --release --manifest-path "$work/source/Cargo.toml" --target-dir "$work/target" \
    --config 'source.crates-io.replace-with="debian"' --config 'source.debian.directory="/usr/share/cargo/registry"'
}
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
