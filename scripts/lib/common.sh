# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# What every script and topic file leans on: where things lie, bounded commands, versions, interruption.

# The checkout's root. Scripts set it before they source this file.
: "${root:?source scripts/lib/kit.sh, which sets root}"
kit_dir="$root/.kit"
env_file="$root/.env"
ports_file="$kit_dir/ports.yaml"
login_file="$kit_dir/demo-login.json"
build_log="$kit_dir/build.log"
start_log="$kit_dir/start.log"
restore_marker="$kit_dir/restore-unfinished"

# Own background processes, ended on interruption; never anything else.
background_pids=""
resume_hint=""

has() { command -v "$1" >/dev/null 2>&1; }

# bounded SECONDS COMMAND...: status 124 when the time is over. macOS has no `timeout`.
bounded() {
  local limit=$1
  shift
  if has timeout; then
    timeout "$limit" "$@"
    return $? # a bare return inside a trap gives the status from before the trap
  fi
  "$@" &
  local pid=$! waited=0
  while kill -0 "$pid" 2>/dev/null; do
    if [ "$waited" -ge "$((limit * 5))" ]; then
      kill "$pid" 2>/dev/null || true
      wait "$pid" 2>/dev/null || true
      return 124
    fi
    sleep 0.2
    waited=$((waited + 1))
  done
  wait "$pid"
}

# version_ge HAVE WANT: compares up to three numeric parts; "v2.26.1+ds1" counts as 2.26.1.
version_ge() {
  local have want i h w
  have=$(version_number "$1")
  want=$(version_number "$2")
  for i in 1 2 3; do
    h=$(printf '%s.0.0' "$have" | cut -d. -f"$i")
    w=$(printf '%s.0.0' "$want" | cut -d. -f"$i")
    [ "$h" -gt "$w" ] && return 0
    [ "$h" -lt "$w" ] && return 1
  done
  return 0
}

version_number() {
  local number
  number=$(printf '%s' "${1#v}" | sed -E 's/^([0-9]+(\.[0-9]+){0,2}).*/\1/')
  case $number in
    '' | *[!0-9.]*) printf '0' ;;
    *) printf '%s' "$number" ;;
  esac
}

# First line without control characters: what a one-line message can carry.
first_line() {
  tr -d '\r' | awk 'NF && !found { print substr($0, 1, 300); found = 1 }'
}

digest() {
  if has sha256sum; then
    sha256sum
  elif has shasum; then
    shasum -a 256
  else
    cksum
  fi | cut -d' ' -f1
}

# write_private FILE: stdin to FILE, readable by its owner alone, whole or not at all.
write_private() {
  local target=$1 draft
  draft=$(mktemp "$target.new.XXXXXX")
  cat >"$draft"
  mv -f "$draft" "$target"
}

# as_called FILE: what the caller means by it, wherever she stands; scripts work in the checkout's root.
as_called() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "${called_from%/}" "${1#./}" ;;
  esac
}

# refuse_tracked CODE FILE: a file with secrets never lands where git would take it.
refuse_tracked() {
  local folder
  folder=$(dirname "$2")
  if [ "$(git -C "$folder" rev-parse --is-inside-work-tree 2>/dev/null || true)" = true ] &&
    ! git -C "$folder" check-ignore -q "$2" 2>/dev/null; then
    die "$1" "$2 would hold secrets where git takes it for a file of the project" "leave FILE out (backups/ is ignored), or choose a folder outside"
  fi
}

run_in_background() {
  "$@" &
  background_pid=$!
  background_pids="$background_pids $background_pid"
}

end_background() {
  local pid
  for pid in $background_pids; do
    kill "$pid" 2>/dev/null || true
  done
  background_pids=""
}

on_interrupt() {
  trap - INT TERM
  end_background
  printf '\nInterrupted. %s\n' "${resume_hint:-Nothing is broken: run the same command again.}" >&2
  exit 130
}
