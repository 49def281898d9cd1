# shellcheck shell=bash
# shellcheck disable=SC2154  # the topic files share variables; kit.sh loads them all
# One script at a time changes a checkout. The lock is a link in .kit, made in one step, that names its holder.

lock_limit=900
lock=""

# started_at PID: when it started, so that another process of the same number is told apart; nothing where ps is missing.
started_at() { ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' || true; }

# holder_lives "PID NAME STARTED"
holder_lives() {
  local pid=${1%% *} rest=${1#* } now
  if ! kill -0 "$pid" 2>/dev/null && [ ! -d "/proc/$pid" ] && ! ps -p "$pid" >/dev/null 2>&1; then return 1; fi
  now=$(started_at "$pid")
  [ -z "$now" ] || [ "${rest#* }" = "$now" ]
}

# break_lock LOCK HOLDER: takes the lock of a script that was killed away; two who try it do not meet.
break_lock() {
  if ! ln -s "$$" "$1.break" 2>/dev/null; then return; fi
  if [ "$(readlink "$1" || true)" = "$2" ]; then rm -f "$1"; fi
  rm -f "$1.break"
}

# take_lock NAME ARGUMENT...: NAME is what it protects. Waits for the script that holds it; what was read of the checkout
# before is old then, so the calling script begins again with its arguments, still holding the lock.
take_lock() {
  local file="$kit_dir/$1.lock" me holder waited=""
  shift
  me="$$ $(basename "$0") $(started_at $$)"
  until [ "$(readlink "$file" 2>/dev/null || true)" = "$me" ] || try_lock "$file" "$me"; do
    holder=$(readlink "$file" 2>/dev/null || true)
    if [ -z "$holder" ]; then
      :
    elif ! holder_lives "$holder"; then
      break_lock "$file" "$holder"
    elif [ -z "$waited" ]; then
      say "waiting for another script on this checkout: $(holder_name "$holder")"
      waited=yes
    fi
    if [ "$SECONDS" -ge "$lock_limit" ]; then
      die LOCK "another script still works on this checkout: $(holder_name "$holder")" "let it finish or end it, then the same command again"
    fi
    sleep 0.2
  done
  lock=$file
  trap release_lock EXIT
  if [ -n "$waited" ]; then
    cd "$called_from" || exit 1
    exec "$0" "$@"
  fi
}

holder_name() { printf '%s' "$1" | awk '{ printf "./scripts/%s, process %s", $2, $1 }'; }

# .kit may be gone by now: a reset deletes it.
try_lock() {
  (umask 077 && mkdir -p "$kit_dir")
  ln -s "$2" "$1" 2>/dev/null
}

# release_lock: also a .kit that was made for the lock alone goes.
release_lock() {
  if [ -z "$lock" ]; then return; fi
  rm -f "$lock"
  rmdir "$kit_dir" 2>/dev/null || true
  lock=""
}
