# shellcheck shell=bash disable=SC2034,SC2154,SC1091
# One program's trial; sourced by Tools/try-real-programs, then the program's own file, which defines:
#
#   needs        commands that must be installed          packages   the Debian packages that bring them
#   command      array: the program; for a server it runs until stopped, for a job until it is done
#   prepare      (optional) makes what the program needs, in $work
#   answers      a server answers, and correctly
#   load N       bounded load on a server for N seconds; prints requests or transactions per second
#   result       (optional) what of a job's output must be the same with and without lockjaw
#   may          (optional) further verdicts that are true of this program
#   environment  (optional) array: a command in front of the program's
#   preloads     (optional) array: values of LD_PRELOAD that have the shim in them
#   targets      (optional) the processes to look at, given the first one's pid
#
#   provoke      makes a server hang that is known to work; returns once it does
#   says, tells  then: what the verdicts are without the shim (a regular expression), and what the report has in it
#   says_run     the verdict under `lockjaw run`; empty: no finding
#
# A program file without `answers` is a job, one with `provoke` a hang.

needs='' packages='' command=() may=()
work=$place/$name
mkdir -p "$work"
prepare() { :; }
result() { cat "$1"; }
targets() { echo "$1"; }
environment=()
preloads=("$shim")
stall=10 says='' tells='' says_run=''

# Which port is free right now.
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

row() { printf '%s|%s|%s|%s|%s|%s\n' "$name" "$@" >>"$rows"; }

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

wait_until() { # SECONDS COMMAND...: is it true in time?
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

stop() { # PID of a child of this shell, and what to signal
  kill -TERM "${2:-$1}" 2>/dev/null || true
  if ! wait_until 20 is_gone "${2:-$1}"; then
    kill -KILL "${2:-$1}" 2>/dev/null || true
    return 1
  fi
  wait_until 20 is_gone "$1" || { kill -KILL "$1"; return 1; }
  wait "$1" || true
}

child_of() { tr ' ' '\n' <"/proc/$1/task/$1/children" | head -n 1; }

# Has lockjaw left one of the process' threads stopped?
is_free() { ! grep -qsE '^State:\s+[tT]' /proc/"$1"/task/*/status; }

wrong() { # WHAT [FILE]...: keeps the evidence
  local note=$keep/$name.$((++wrongs)).wrong
  { echo "$1"; shift; for file in "$@"; do [[ -e $file ]] && head -c 20000 "$file"; done; } >"$note"
  for file in "$@"; do [[ -e $file && $file == *.core ]] && cp "$file" "$note.core"; done
  return 0
}

http_answers() { # PORT
  local reply
  reply=$(exec 7<>"/dev/tcp/127.0.0.1/$1" && printf 'GET / HTTP/1.0\r\n\r\n' >&7 && timeout 5 cat <&7 | tail -n 1)
  [[ $reply == hello ]]
}

http_load() { # PORT SECONDS
  local end=$((SECONDS + $2)) rate
  while ((SECONDS < end)); do
    rate=$(timeout -k 5 60 ab -q -r -n 2000 -c 16 "http://127.0.0.1:$1/" | sed -nE 's/^Requests per second: *([0-9]+).*/\1/p')
    [[ -n $rate ]] || return 1
  done
  echo "$rate"
}

source "$tools/looks.sh"
source "$tools/shimmed.sh"
source "$tools/hangs.sh"

trial() {
  local need
  for need in $needs; do
    command -v "$need" >/dev/null || { row "-" "skipped: no $need (package: $packages)" "" "" ""; return 0; }
  done
  wrongs=0
  # shellcheck disable=SC2046  # a word each
  trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
  cd "$work" || return 1
  prepare >"$work/prepare.log" 2>&1 || { cat "$work/prepare.log" >&2; return 1; }
  if declare -F provoke >/dev/null; then
    if [[ ,$phases, == *,look,* ]]; then look_at_hang; fi
    if [[ ,$phases, == *,run,* ]]; then run_hang; fi
  elif declare -F answers >/dev/null; then
    if [[ ,$phases, == *,look,* ]]; then look_at_server; fi
    if [[ ,$phases, == *,run,* ]]; then run_server; fi
    if [[ ,$phases, == *,env,* ]]; then for preload in "${preloads[@]}"; do follow_server; done; fi
  else
    if [[ ,$phases, == *,look,* ]]; then look_at_job; fi
    if [[ ,$phases, == *,run,* ]]; then run_job; fi
    if [[ ,$phases, == *,env,* ]]; then for preload in "${preloads[@]}"; do preload_job; done; fi
  fi
}
