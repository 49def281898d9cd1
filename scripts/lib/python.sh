# shellcheck shell=bash
# shellcheck disable=SC2154  # the topic files share variables; kit.sh loads them all
# Python on the host: an interpreter that is new enough, and environments made from a lock.

python_minimum=3.11

host_python() {
  local candidate
  for candidate in python3.13 python3.12 python3.11 python3; do
    # A version manager's shim may exist for a Python that does not: it says so on stderr, and has no version.
    if has "$candidate" && version_ge "$("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null)" "$python_minimum"; then
      printf '%s' "$candidate"
      return
    fi
  done
  die PYTHON "no Python $python_minimum or newer on this host" "install python3 (Debian 12 or newer has it)"
}

# ensure_venv FOLDER LOCK: an environment with exactly what the lock says, made anew when that changes.
ensure_venv() {
  local folder=$1 lock=$2 wanted python
  wanted=$(digest <"$lock")
  if [ "$(cat "$folder/requirements.hash" 2>/dev/null || true)" = "$wanted" ]; then return; fi
  python=$(host_python)
  say "making ${folder#"$root/"} from $lock"
  if ! "$python" -m venv --clear "$folder"; then
    die VENV "$python cannot make a virtual environment" "on Debian: apt-get install python3-venv"
  fi
  # The lock is complete. Resolving it again would make a pip before 23.3 take name[extra] for a package of its own, of
  # which it wants the newest, and that has no hash here: a fresh host failed as soon as one was released.
  "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
  "$folder/bin/pip" check --disable-pip-version-check >/dev/null || die VENV "$lock is not complete" "lock it again, see CONTRIBUTING.md"
  printf '%s\n' "$wanted" >"$folder/requirements.hash"
}
