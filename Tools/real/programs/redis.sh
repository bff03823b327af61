# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# C: one thread serves, another reads and writes sockets and spins on atomics, three close files in the background.
needs="redis-server redis-benchmark"
packages="redis-server redis-tools"
port=$(free_port)
command=(redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" --io-threads 2 --io-threads-do-reads yes)
answers() { [[ $(redis-cli -p "$port" set k hello; redis-cli -p "$port" get k) == $'OK\nhello' ]]; }
load() { # redis-benchmark counts requests, not seconds
  local end=$((SECONDS + $1)) rate=0
  while ((SECONDS < end)); do rate=$(timeout -k 5 60 redis-benchmark -p "$port" -n 5000 -c 32 -t set,get -q --csv | tail -n 1 | cut -d '"' -f 4); done
  printf '%.0f\n' "$rate"
}
