# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# Whether the state store keeps what it takes, what its starts lost, and whether clocks agree: as the Firestore stand-in
# and Bossman say it.

# stand_in_status: what the stand-in says of itself, in one line of JSON; nothing when it is another program.
stand_in_status() {
  local answer
  answer=$(http GET "$(host_port firestore)" /kit/status)
  if [ "$(http_status "$answer")" = 200 ]; then http_json "$answer"; fi
}

# status_field NAME JSON: its value; nothing for null.
status_field() {
  printf '%s\n' "$2" | sed -nE "s/.*\"$1\": *(\"[^\"]*\"|[^,} ]+).*/\1/p" | tr -d '"' | sed 's/^null$//'
}

# said_by_health NAME: the output of Bossman's check, the newest of several; nothing when it passes or is not there.
said_by_health() {
  http_json "$(http GET "$(host_port bossman)" /healthz)" |
    sed -nE "s/.*\"$1\":\[\{[^]]*\"output\":\"([^\"]*)\".*/\1/p"
}

# has_healthz: whether Bossman says itself how its parts are; one of one's own may not.
has_healthz() { [ "$(bossman_status /healthz)" != 404 ]; }

# state_restored [STATUS]: what the state store lost at a start, until it is acknowledged. Without Bossman, or one that says
# how it is, the stand-in alone is asked, which does not know of that.
state_restored() {
  local as_of
  if bossman_runs && has_healthz; then
    said_by_health document-store:restored
  elif [ "$(status_field orderly "${1:-}")" = false ] || [ "$(status_field fell_back "${1:-}")" = true ]; then
    as_of=$(status_field restored_as_of "$1")
    printf 'came back as of %s, what was stored after it until %s is gone' "${as_of:-its beginning, empty}" "$(status_field stopped_at "$1")"
  fi
}

check_restored() {
  local came
  came=$(state_restored "$1")
  if [ -n "$came" ]; then
    report warn STATE-RESTORED "the state store $came" \
      "store it again where you can (runbook, \"The state store came back older\"); then ./scripts/verify acknowledge --state"
  elif [ -n "$1" ]; then
    report pass STATE-RESTORED "the state store lost nothing at its start, or it was acknowledged"
  fi
}

# memory_cure: the exact line that doubles the stand-in's memory.
memory_cure() {
  local bytes
  bytes=$(docker inspect -f '{{.HostConfig.Memory}}' "$(state_field "$(state_of firestore "$(container_states)")" 2)" 2>/dev/null || printf 0)
  printf 'in compose/compose.yaml, at firestore, set mem_limit: %sm; then ./scripts/up' "$((${bytes:-0} / 524288))"
}

# volume_cure: gives the volume back to the stand-in's user. No restart: what is not saved would be gone with it.
volume_cure() {
  printf 'docker run --rm --user 0 --network none -v %s_firestore:/data --entrypoint chown %s -R %s /data; then it continues by itself' \
    "$project" "$(image_of firestore)" "$volume_user"
}

# why_unsaved STATUS: why the state store cannot save; nothing when it can.
why_unsaved() {
  local why
  why=$(status_field refused_because "$1")
  if [ -z "$why" ] && [ "$(status_field saving "$1")" = failing ]; then why="volume: saving fails: $(status_field save_error "$1")"; fi
  printf '%s' "$why"
}

# refuse_unsaved SCRIPT ...: nothing is stopped whose last save would fail. memory: is no hindrance to a save.
refuse_unsaved() {
  local status why since
  # What answers on its port while it is down is another stack's.
  if [ "$(state_field "$(state_of firestore "$(container_states)")" 3)" != running ]; then return; fi
  status=$(stand_in_status)
  why=$(why_unsaved "$status")
  case $why in '' | memory:*) return ;; esac
  since=$(status_field saved_at "$status")
  die UNSAVED "the state store cannot save ($why): stopped now, what was stored since ${since:-its start} would be gone. Nothing was stopped" \
    "make it able to save, see above, then $1; to stop and lose it: ./scripts/down --discard"
}

check_saving() {
  local status=$1 why
  why=$(why_unsaved "$status")
  case $why in
    '') ;;
    disk:* | *'No space left'*)
      report fail DISK "the state store: $why" "docker system df shows what Docker holds: make room, then it continues by itself" ;;
    memory:*) report fail MEMORY "the state store: $why" "$(memory_cure)" ;;
    *) report fail VOLUME "the state store: $why" "$(volume_cure)" ;;
  esac
  case $why in memory:*) ;; *) check_store_memory "$(status_field memory_used_bytes "$status")" "$(status_field memory_limit_bytes "$status")" ;; esac
}

# check_store_memory USED LIMIT, in bytes: a warning from three quarters on, as Bossman's.
check_store_memory() {
  if [ -n "$1" ] && [ "${2:-0}" -gt 0 ] && [ $(($1 * 4)) -ge $(($2 * 3)) ]; then
    report warn MEMORY "the state store uses $(($1 * 100 / $2)) % of its $(($2 / 1048576)) MB; at the limit it refuses writes" "$(memory_cure)"
  fi
}

check_clocks_apart() {
  local said
  said=$(said_by_health clock:skew)
  if [ -n "$said" ]; then report warn CLOCK "$said" "compare date -u on the hosts; each Bossman's own /metrics has its northstar_clock_skew_seconds"; fi
}

check_state() {
  local status
  status=$(stand_in_status)
  if [ -n "$status" ]; then check_saving "$status"; fi
  check_restored "$status"
  if bossman_runs; then check_clocks_apart; fi
}
