# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# C: processes that meet in shared memory, on semaphores and latches; each has one thread.
needs="postgres pgbench"
packages="postgresql-15"
PATH=$PATH:/usr/lib/postgresql/15/bin
# It refuses to run as root.
as_nobody=()
if ((EUID == 0)); then as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi
command=("${as_nobody[@]}" "$(command -v postgres)" -D "$work/data" -k "$work" -c listen_addresses= -c fsync=off -c max_connections=40)
prepare() {
  if ((EUID == 0)); then chown nobody "$work"; fi
  "${as_nobody[@]}" "$(command -v initdb)" -D "$work/data" -U postgres -A trust --no-sync
}
answers() { [[ $(psql -h "$work" -U postgres -Atc "SELECT 'hello'") == hello ]]; }
load() {
  [[ -e $work/filled ]] || { pgbench -h "$work" -U postgres -i -q postgres && touch "$work/filled"; } >/dev/null 2>&1
  pgbench -h "$work" -U postgres -n -c 8 -j 2 -T "$1" postgres | sed -nE 's/^tps = ([0-9]+).*/\1/p' | grep .
}
# The postmaster and what it started.
targets() { processes_below "$1" | head -n 6; }
