# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# Lines for people: short, aligned, colour only on a terminal. And the list of check results, for people or as JSON.

green="" yellow="" red="" bold="" dim="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ -z "${CI:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  green=$'\033[32m' yellow=$'\033[33m' red=$'\033[31m' bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
fi

heading() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
say() { printf '  %s\n' "$*"; }
# row LABEL TEXT: two aligned columns.
row() { printf '  %-14s %s\n' "$1" "$2"; }
note() { printf '  %s%s%s\n' "$dim" "$*" "$plain"; }
problem() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; }

# die CODE CAUSE CURE: the one form of a fatal message.
die() {
  problem "[fail] $1  $2"
  printf '       cure: %s\n' "$3" >&2
  exit 1
}

bad_usage() {
  printf '%s\n\n' "$1" >&2
  usage >&2
  exit 2
}

# --- check results: parallel arrays, since bash 3.2 has no maps ---
check_status=() check_code=() check_summary=() check_cure=()

# report pass|warn|fail CODE SUMMARY [CURE]
report() {
  check_status+=("$1")
  check_code+=("$2")
  check_summary+=("$3")
  check_cure+=("${4:-}")
}

count_status() {
  local i total=0
  for ((i = 0; i < ${#check_status[@]}; i++)); do
    if [ "${check_status[i]}" = "$1" ]; then total=$((total + 1)); fi
  done
  printf '%s' "$total"
}

overall_status() {
  if [ "$(count_status fail)" -gt 0 ]; then
    printf 'fail'
  elif [ "$(count_status warn)" -gt 0 ]; then
    printf 'warn'
  else
    printf 'pass'
  fi
}

print_check() {
  local i=$1 colour=$green
  case ${check_status[i]} in
    warn) colour=$yellow ;;
    fail) colour=$red ;;
  esac
  printf '%s[%s]%s %-18s %s\n' "$colour" "${check_status[i]}" "$plain" "${check_code[i]}" "${check_summary[i]}"
  if [ "${check_status[i]}" != pass ] && [ -n "${check_cure[i]}" ]; then
    printf '                          cure: %s\n' "${check_cure[i]}"
  fi
}

# print_checks [skip-pass]
print_checks() {
  local i
  for ((i = 0; i < ${#check_status[@]}; i++)); do
    if [ "${1:-}" = skip-pass ] && [ "${check_status[i]}" = pass ]; then continue; fi
    print_check "$i"
  done
}

# json_string TEXT: quoted and escaped; other control characters are dropped.
json_string() {
  printf '%s' "$1" | LC_ALL=C tr '\n\t\r' '   ' | LC_ALL=C tr -d '\000-\037\177' |
    LC_ALL=C sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/"/'
  if [ -z "$1" ]; then printf '""'; fi
}

print_checks_json() {
  local i comma=""
  printf '{"status":"%s","checks":[' "$(overall_status)"
  for ((i = 0; i < ${#check_status[@]}; i++)); do
    printf '%s\n{"code":%s,"status":"%s","summary":%s,"cure":%s}' "$comma" \
      "$(json_string "${check_code[i]}")" "${check_status[i]}" \
      "$(json_string "${check_summary[i]}")" "$(json_string "${check_cure[i]}")"
    comma=","
  done
  printf '\n]}\n'
}
