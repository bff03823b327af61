# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# C++: pthread mutexes, rwlocks and conditions by the thousand, InnoDB's own locks on futexes through syscall().
needs="mariadbd mariadb-install-db mariadb-slap"
packages="mariadb-server mariadb-client"
socket=$work/mariadb.sock
command=(mariadbd --no-defaults --user=root --datadir="$work/data" --socket="$socket" --skip-networking
  --pid-file="$work/mariadb.pid" --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=2)
sql() { mariadb --no-defaults --socket="$socket" --user=root --batch --skip-column-names --connect-timeout=5 -e "$1"; }
prepare() { mariadb-install-db --no-defaults --user=root --datadir="$work/data" --auth-root-authentication-method=normal; }
answers() {
  [[ $(sql 'CREATE DATABASE IF NOT EXISTS t; CREATE TABLE IF NOT EXISTS t.k (v VARCHAR(9)) ENGINE=InnoDB; DELETE FROM t.k;
    INSERT INTO t.k VALUES ("hello"); SELECT v FROM t.k') == hello ]]
}
load() {
  local end=$((SECONDS + $1)) queries=0 began
  began=$(milliseconds)
  while ((SECONDS < end)); do
    mariadb-slap --no-defaults --socket="$socket" --user=root --concurrency=100 --iterations=1 --number-of-queries=3000 \
      --auto-generate-sql --auto-generate-sql-load-type=mixed --engine=innodb --create-schema="slap$BASHPID" >/dev/null || return 1
    queries=$((queries + 3000))
  done
  echo $((queries * 1000 / ($(milliseconds) - began)))
}
