# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# C, pthread mutexes: workers on epoll, a lock for each stripe of the hash table, maintenance threads on conditions.
needs="memcached memcaslap"
packages="memcached libmemcached-tools"
port=$(free_port)
command=(memcached -u root -l 127.0.0.1 -p "$port" -t 8)
answers() { # sets a key and reads it back
  local reply
  exec 7<>"/dev/tcp/127.0.0.1/$port" || return 1
  printf 'set k 0 0 5\r\nhello\r\nget k\r\nquit\r\n' >&7
  reply=$(timeout 5 cat <&7 | tr -d '\r')
  exec 7>&-
  [[ $reply == $'STORED\nVALUE k 0 5\nhello\nEND' ]]
}
load() { timeout -k 5 $(($1 + 20)) memcaslap -s "127.0.0.1:$port" -T 2 -c 32 -t "$1s" | sed -nE 's/.*TPS: ([0-9]+).*/\1/p' | tail -n 1 | grep .; }
