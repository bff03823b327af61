# shellcheck shell=bash disable=SC2034,SC2154,SC1091
# Looking at a program that was never preloaded: attach, attach --all-stacks, attach --no-stop, dump and analyze.

# One look. Whatever ends with anything but 0 (no hang), took 20 seconds or claims what is not so is kept. A process
# that ends meanwhile is no failure, nor one that another tracer has, if a sentence says so.
one_look() { # PID KIND
  local pid=$1 kind=$2 report=$work/look.json errors=$work/look.err core=$work/look.core status=0 began judged one two
  rm -f "$report" "$core" "$work/claims"
  began=$(milliseconds)
  case $kind in
    attach) timeout -k 5 20 "$lockjaw" attach --stall "$stall" --format json "$pid" >"$report" 2>"$errors" || status=$? ;;
    all-stacks | no-stop) timeout -k 5 20 "$lockjaw" attach "--$kind" --stall "$stall" --format json "$pid" >"$report" 2>"$errors" || status=$? ;;
    dump) timeout -k 5 20 "$lockjaw" dump -o "$core" "$pid" >"$errors" 2>&1 || status=$? ;;
  esac
  took=$(($(milliseconds) - began))
  ((took <= slowest)) || slowest=$took
  if [[ $kind == dump && $status == 0 ]]; then
    timeout -k 5 20 "$lockjaw" analyze --stall "$stall" --format json "$core" >"$report" 2>"$errors" || status=$?
    judged=$("$tools/judge.py" "${may[@]/#/--may=}" --core "$core" --claims "$work/claims" "$report" 2>&1)
    if [[ -s $work/claims ]] && read -r one two <"$work/claims"; then checked=$((checked + one)) unchecked=$((unchecked + two)); fi
  else
    judged=$("$tools/judge.py" "${may[@]/#/--may=}" "$report" 2>&1)
  fi
  ((++looked))
  if ((status == 125)) && grep -q '^lockjaw: ' "$errors"; then
    local excuse=''
    is_really_there "$pid" || excuse=gone
    # gdb's own program: the kernel allows one tracer.
    ! grep -q 'is being traced by' "$errors" || excuse=refused
    # In the middle of an exec, on a busy machine.
    ! grep -q '^lockjaw: No thread of process .* could be stopped' "$errors" || excuse=unstoppable
    if [[ -n $excuse ]]; then
      verdicts[$excuse]=$((${verdicts[$excuse]:-0} + 1))
      return 0
    fi
  fi
  if [[ -n $says && $judged =~ ^ok\ ($says)$ ]] &&
    { [[ $judged == 'ok healthy' ]] || grep -q "$tells" "$report"; }; then
    # (A thread may run at the moment of a look; a healthy report has no stacks.)
    status=0
  elif ((status != 0)) || [[ $judged != ok\ * || -n $says ]]; then
    ((++bad))
    wrong "$kind of $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)): status $status; $judged" "$errors" "$report" "$core"
    return 0
  fi
  verdicts[${judged#ok }]=$((${verdicts[${judged#ok }]:-0} + 1))
}

# A zombie is not there any more: it has neither memory nor threads to look at.
is_really_there() { [[ -e /proc/$1/stat ]] && ! grep -qs '^State:\s*[ZX]' "/proc/$1/status"; }

look_round() { # PID
  local kind
  for kind in attach all-stacks no-stop dump; do one_look "$1" "$kind"; done
}

tally() {
  local kind text=''
  for kind in "${!verdicts[@]}"; do text+="${text:+, }${verdicts[$kind]} $kind"; done
  echo "$text"
}

begin_looks() { looked=0 bad=0 slowest=0 checked=0 unchecked=0; declare -gA verdicts=(); }

report_looks() { # HOW WORK
  local claims="$checked claims held against the lock's word"
  ((unchecked == 0)) || claims+=", $unchecked not checkable"
  row "$1" "$( ((bad)) && echo "WRONG: $bad of $looked looks" || echo "$looked looks")" "$(tally); $claims" "$slowest ms" "$2"
}

look_at_server() {
  local pid loading rate i target all
  "${environment[@]}" "${command[@]}" >"$work/server.log" 2>&1 &
  pid=$!
  wait_until 60 answers || { wrong "it does not answer" "$work/server.log"; row look "WRONG: does not start" "" "" ""; stop "$pid"; return 0; }
  load "$seconds" >"$work/rate.bare" 2>"$work/load.log" || { wrong "the load fails without lockjaw" "$work/load.log"; bad=1; }

  begin_looks
  mapfile -t all < <(targets "$pid")
  for ((i = 0; i < looks; i++)); do
    for target in "${all[@]}"; do look_round "$target"; done
  done
  answers || { ((++bad)); wrong "it does not answer after the idle looks" "$work/server.log"; }
  for target in "${all[@]}"; do is_free "$target" || { ((++bad)); wrong "$target was left stopped"; }; done
  report_looks "looks, idle" ""

  begin_looks
  load "$seconds" >"$work/rate" 2>"$work/load.log" &
  loading=$!
  for ((i = 0; i < looks; i++)); do
    if is_gone "$loading"; then
      wait "$loading" || { ((++bad)); wrong "the load failed while lockjaw looked" "$work/load.log" "$work/server.log"; }
      load "$seconds" >"$work/rate" 2>"$work/load.log" &
      loading=$!
    fi
    mapfile -t all < <(targets "$pid")
    for target in "${all[@]}"; do look_round "$target"; done
  done
  wait "$loading" || { ((++bad)); wrong "the load failed while lockjaw looked" "$work/load.log" "$work/server.log"; }
  answers || { ((++bad)); wrong "it does not answer after the looks under load" "$work/server.log"; }
  is_free "$pid" || { ((++bad)); wrong "$pid was left stopped"; }
  rate=$(tail -n 1 "$work/rate")
  report_looks "looks, loaded" "$rate (without looks $(tail -n 1 "$work/rate.bare"))"
  stop "$pid" || { wrong "it does not end" "$work/server.log"; row stop "WRONG: does not end" "" "" ""; }
}

# Every process of a job, also those that live for a moment only.
processes_below() { # PID
  local pid
  echo "$1"
  # shellcheck disable=SC2013  # words are what the file has
  for pid in $(cat /proc/"$1"/task/*/children 2>/dev/null); do processes_below "$pid"; done
}

look_at_job() {
  local job status=0 target began
  "${environment[@]}" "${command[@]}" >"$work/out.bare" 2>"$work/err.bare" </dev/null || { wrong "it fails without lockjaw" "$work/out.bare" "$work/err.bare"; row look "WRONG: fails without lockjaw" "" "" ""; return 0; }
  result "$work/out.bare" >"$work/result.bare"
  begin_looks
  # Again and again until there were enough looks.
  while ((looked < looks * 4)); do
    status=0
    # bash ignores SIGINT for what it starts in the background, and programs inherit that.
    env --default-signal=INT,QUIT "${environment[@]}" "${command[@]}" >"$work/out" 2>"$work/err" </dev/null &
    job=$!
    began=$looked
    while is_really_there "$job"; do
      for target in $(processes_below "$job"); do
        if ((RANDOM % 2)); then one_look "$target" all-stacks; else one_look "$target" dump; fi
      done
    done
    wait "$job" || status=$?
    result "$work/out" >"$work/result"
    if ((status != 0)) || ! cmp -s "$work/result.bare" "$work/result"; then
      ((++bad))
      wrong "status $status, or another result, while lockjaw looked" "$work/err" "$work/out"
    fi
    ((looked > began)) || break
  done
  report_looks "looks" ""
}
