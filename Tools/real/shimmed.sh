# shellcheck shell=bash disable=SC2034,SC2154,SC1091
# The program under the shim: by `lockjaw run`, and by the environment alone with `attach --follow` beside it.

findings() { # FILE...: the documents' judgements, in one line
  "$tools/judge.py" "${may[@]/#/--may=}" "$@" 2>&1 | sort | uniq -c | sed 's/^ *//' | paste -sd ',' | sed 's/,/, /g'
}

serve_and_load() { # HOW PID SIGNALLED-PID REPORTS: load, check, stop, judge
  local how=$1 pid=$2 target=$3 reports=$4 bad=0 found rate
  # Warm first: a just-in-time compiler, caches.
  load 1 >"$work/rate" 2>"$work/load.log" || true
  load "$seconds" >"$work/rate" 2>"$work/load.log" || { ((++bad)); wrong "$how: the load fails" "$work/load.log" "$work/server.log"; }
  answers || { ((++bad)); wrong "$how: it does not answer" "$work/server.log"; }
  stop "$pid" "$target" || { ((++bad)); wrong "$how: it does not end" "$work/server.log"; }
  [[ -z ${follower:-} ]] || wait_until 10 is_gone "$follower" || { ((++bad)); wrong "$how: attach --follow stays after the process' end"; kill "$follower"; }
  found=$(findings "$reports")
  if [[ $found == *WRONG* ]] || grep -q Traceback <<<"$found"; then ((++bad)); wrong "$how: $found" "$reports"; fi
  rate=$(tail -n 1 "$work/rate")
  row "$how" "$( ((bad)) && echo "WRONG: $bad" || echo right)" "${found:-none}" "" "$rate"
}

run_server() {
  local pid target
  "${environment[@]}" "$lockjaw" run --stall 2 --format json -- "${command[@]}" >"$work/server.log" 2>"$work/run.err" &
  pid=$!
  wait_until 60 answers || { wrong "it does not answer" "$work/server.log" "$work/run.err"; row run "WRONG: does not start" "" "" ""; stop "$pid"; return 0; }
  target=$(child_of "$pid")
  follower=''
  serve_and_load run "$pid" "$target" "$work/run.err"
}

follow_server() {
  local pid
  "${environment[@]}" env LD_PRELOAD="$preload" "${command[@]}" >"$work/server.log" 2>&1 &
  pid=$!
  wait_until 60 answers || { wrong "it does not answer" "$work/server.log"; row "env, follow" "WRONG: does not start" "" "" ""; stop "$pid"; return 0; }
  "$lockjaw" attach --follow --stall 2 --format json "$pid" >"$work/follow.json" 2>"$work/follow.err" &
  follower=$!
  serve_and_load "env, follow" "$pid" "$pid" "$work/follow.json"
  cat "$work/follow.err" >&2
}

# What a job puts out under the shim is what it puts out without.
judge_job() { # HOW STATUS REPORTS
  local found bad=0
  result "$work/out" >"$work/result"
  found=$(findings "$3")
  (($2 == 0)) || { ((++bad)); wrong "$1: status $2" "$work/err" "$work/out"; }
  cmp -s "$work/result.bare" "$work/result" || { ((++bad)); wrong "$1: another result" "$work/result" "$work/err"; }
  if [[ $found == *WRONG* || $found == *Traceback* ]]; then ((++bad)); wrong "$1: $found" "$3"; fi
  row "$1" "$( ((bad)) && echo "WRONG: $bad" || echo "same result")" "${found:-none}" "" "$4"
}

bare_job() { # once, where no look came before
  [[ -e $work/result.bare ]] && return 0
  "${environment[@]}" "${command[@]}" >"$work/out.bare" 2>"$work/err.bare" </dev/null || { wrong "it fails without lockjaw" "$work/out.bare" "$work/err.bare"; return 1; }
  result "$work/out.bare" >"$work/result.bare"
  # Two results of nothing are always the same.
  [[ -s $work/result.bare ]] || { wrong "it has no result without lockjaw" "$work/out.bare" "$work/err.bare"; return 1; }
}

timed() { # COMMAND...: sets status, and elapsed in milliseconds
  local began
  began=$(milliseconds)
  status=0
  "$@" || status=$?
  elapsed=$(($(milliseconds) - began))
}

run_job() {
  local status elapsed
  bare_job || { row run "WRONG: fails without lockjaw" "" "" ""; return 0; }
  timed "${environment[@]}" timeout -k 5 600 "$lockjaw" run --stall 2 --format json --output "$work/run.json" -- "${command[@]}" >"$work/out" 2>"$work/err" </dev/null
  judge_job run "$status" "$work/run.json" "$elapsed ms"
}

preload_job() {
  local status elapsed
  bare_job || { row env "WRONG: fails without lockjaw" "" "" ""; return 0; }
  timed "${environment[@]}" timeout -k 5 600 env LD_PRELOAD="$preload" "${command[@]}" >"$work/out" 2>"$work/err" </dev/null
  : >"$work/none.json"
  judge_job env "$status" "$work/none.json" "$elapsed ms"
}
