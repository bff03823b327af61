# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# BIND: libuv's loops, reader-writer locks made of a mutex, two conditions and atomics, tasks handed from thread to thread.
needs="named dig nsupdate"
packages="bind9 bind9-dnsutils"
port=$(free_port)
command=(named -f -n 4 -p "$port" -c "$work/named.conf")
prepare() {
  echo "options { directory \"$work\"; pid-file none; session-keyfile \"$work/session.key\"; listen-on { 127.0.0.1; }; listen-on-v6 { none; };
    recursion no; dnssec-validation no; managed-keys-directory \"$work\"; };
  controls { }; logging { category default { null; }; };
  zone \"example.test\" { type primary; file \"zone\"; allow-update { 127.0.0.1; }; };" >named.conf
  { echo '$TTL 60'; echo '@ SOA ns hostmaster 1 60 60 600 60'; echo '@ NS ns'; echo 'ns A 127.0.0.1'; echo 'hello A 192.0.2.1'; } >zone
  local i
  for ((i = 0; i < 500; i++)); do echo "hello.example.test A"; done >queries
}
ask() { dig @127.0.0.1 -p "$port" +tries=2 +time=5 +short "$@"; }
answers() { [[ $(ask hello.example.test A) == 192.0.2.1 ]]; }
# Queries over UDP and TCP, while the zone is changed.
load() {
  local end=$((SECONDS + $1)) asked=0 began i clients
  began=$(milliseconds)
  while ((SECONDS < end)); do
    clients=()
    for i in 1 2 3; do
      ask +tcp -f queries >"tcp$i" & clients+=($!)
      ask -f queries >"udp$i" & clients+=($!)
    done
    nsupdate <<<"server 127.0.0.1 $port
update add n$RANDOM.example.test 60 A 192.0.2.2
send" || { echo 'the update fails' >&2; return 1; }
    wait "${clients[@]}"
    # (dig says on standard output that it asked again.)
    cat tcp? udp? | grep -v "^;" | sort | uniq -c >got
    [[ $(<got) =~ ^\ *3000\ 192.0.2.1$ ]] || { cat got >&2; return 1; }
    asked=$((asked + 3000))
  done
  echo $((asked * 1000 / ($(milliseconds) - began)))
}
