# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# A std::sync::Mutex held over an await; the tasks of all other workers wait for it.
needs="cargo curl"
packages="librust-tokio-dev curl"
port=$(free_port)
command=("$work/target/release/tokio-server" "$port" across)
prepare() {
  cp -r "$tools/sources/tokio" "$work/source"
  cargo build --quiet --offline --release --manifest-path "$work/source/Cargo.toml" --target-dir "$work/target" \
    --config 'source.crates-io.replace-with="debian"' --config 'source.debian.directory="/usr/share/cargo/registry"'
}
is_listening() { (exec 7<>"/dev/tcp/127.0.0.1/$port"); }
clients=()
provoke() {
  local i
  wait_until 20 is_listening || return 1
  for i in 1 2 3 4; do
    curl -s -m 100 "http://127.0.0.1:$port/" &
    clients+=($!)
  done
  sleep 0.5
}
unprovoke() { kill "${clients[@]}" 2>/dev/null || true; clients=(); }
says='long-hold|hang-unknown' tells='main.rs'
may=(long-hold hang-unknown)
says_run='long-hold|hang-unknown'
