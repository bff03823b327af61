# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Statements behind FLUSH TABLES WITH READ LOCK and behind GET_LOCK(): waits for metadata, on conditions. No mutex is stuck.
needs="mariadbd mariadb-install-db"
packages="mariadb-server mariadb-client"
socket=$work/mariadb.sock
command=(mariadbd --no-defaults --user=root --datadir="$work/data" --socket="$socket" --skip-networking --pid-file="$work/mariadb.pid")
sql() { mariadb --no-defaults --socket="$socket" --user=root --batch --skip-column-names --connect-timeout=5 -e "$1"; }
prepare() { mariadb-install-db --no-defaults --user=root --datadir="$work/data" --auth-root-authentication-method=normal; }
clients=()
provoke() {
  wait_until 60 sql 'SELECT 1' || return 1
  sql 'CREATE DATABASE IF NOT EXISTS t; CREATE OR REPLACE TABLE t.k (i INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO t.k VALUES (1, 1)' || return 1
  local statement
  for statement in 'FLUSH TABLES WITH READ LOCK; DO SLEEP(300)' 'UPDATE t.k SET v = v + 1' 'ALTER TABLE t.k ADD COLUMN w INT' \
    'DO GET_LOCK("x", 300); DO SLEEP(300)' 'DO GET_LOCK("x", 300)'; do
    sql "$statement" >/dev/null 2>&1 &
    clients+=($!)
    sleep 0.3
  done
}
unprovoke() { kill "${clients[@]}" 2>/dev/null || true; clients=(); }
says='idle|healthy' tells='MDL_wait'
