# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# ./scripts/rehearse fault: breaks one container, lets the dashboard be watched from inside, and always heals.

# Longer than any call to the far end may take, and as short as a queue of calls needs to keep waiting.
slow_pause=4 slow_answer=0.3
fault_service="" fault_id="" fault_dir="" slow_pid=""

# far_end FAULT: the service that it breaks.
far_end() {
  case $1 in
    store-* | disk-full) printf firestore ;;
    *)
      case $(sink_name) in
        object_store) printf objectstore ;;
        noop) cannot "events are discarded, so there is no sink to break" "docker compose up -d --no-deps --no-build --wait bossman" ;;
        *) sink_name ;;
      esac ;;
  esac
}

# A far end that takes seconds for every answer: it works for a moment, then stands still.
make_slow() {
  while :; do
    docker pause "$1" && sleep "$slow_pause"
    docker unpause "$1" && sleep "$slow_answer"
  done >/dev/null 2>&1
}

break_it() {
  case $1 in
    *-down) docker stop -t 60 "$fault_id" >/dev/null ;;
    crash) docker kill "$fault_id" >/dev/null ;;
    disk-full) docker exec "$fault_id" touch /tmp/rehearse-disk-full ;;
    *-hang) docker pause "$fault_id" >/dev/null ;;
    *-slow)
      make_slow "$fault_id" &
      slow_pid=$! ;;
  esac
}

# revive: again and again, since a stop or a pause that was interrupted may still come.
revive() {
  docker unpause "$fault_id" || true
  docker start "$fault_id" || true
  docker exec "$fault_id" rm -f /tmp/rehearse-disk-full || true
} >/dev/null 2>&1

# heal: whatever state it is in; safe to repeat. Returns when the far end answers its own health check again.
heal() {
  local tries=0
  if [ -z "$fault_id" ]; then return 0; fi
  if [ -n "$slow_pid" ]; then
    kill "$slow_pid" 2>/dev/null || true
    wait "$slow_pid" 2>/dev/null || true
    slow_pid=""
  fi
  until revive && run_healthcheck "$fault_id" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 240 ]; then fault_id="" && cannot "$fault_service does not answer again" "docker compose logs $fault_service; ./scripts/up"; fi
    sleep 0.25
  done
  fault_id=""
}

# until_healthy SERVICE: Docker looks every 5 s, and its last look may be one at the fault. An image of one's own may have no check.
until_healthy() {
  local tries=0
  while [ "$tries" -lt 120 ]; do
    case $(state_field "$(state_of "$1" "$(container_states)")" 6) in healthy | none) return ;; esac
    tries=$((tries + 1))
    sleep 0.25
  done
}

end_fault() {
  heal
  if [ -n "$fault_dir" ]; then rm -rf "$fault_dir"; fi
}

# follow FAULT: what the watch says, and what is done about it.
follow() {
  local word rest began
  while read -r word rest; do
    case $word in
      said) say "  $rest" ;;
      ready)
        say "$1: breaking $fault_service"
        break_it "$1"
        printf 'broken\n' >&3 ;;
      shown)
        say "shown after $rest s; healing $fault_service"
        began=$SECONDS
        heal
        say "$fault_service answers again after $((SECONDS - began)) s"
        printf 'healed\n' >&3 ;;
      cleared) say "cleared after $rest s" ;;
    esac
  done
}

# poison: events that no sink can store, beside one that must arrive. Nothing is broken, so nothing is healed.
poison() {
  local status=0
  rehearsal poison --url "$(inside_url)" <"$login_file" || status=$?
  exit_with "$status"
}

inject() {
  local status=0 watch_pid service
  case ${1:-} in
    sink-down | sink-hang | sink-slow | store-down | store-hang | crash | disk-full | poison) ;;
    *) bad_usage "name a fault: sink-down, sink-hang, sink-slow, store-down, store-hang, crash, disk-full or poison" ;;
  esac
  if [ $# -gt 1 ]; then bad_usage "one fault at a time"; fi
  require_stack
  fault_service=$(far_end "$1") || exit 3
  fault_id=$(state_field "$(state_of "$fault_service" "$(container_states)")" 2)
  if [ -z "$fault_id" ]; then cannot "$fault_service has no container" "./scripts/up"; fi
  if [ ! -s "$login_file" ]; then cannot "the demo login is missing, which the dashboard is watched with" "./scripts/up"; fi
  if [ "$1" = poison ]; then poison; fi
  resume_hint="$fault_service is healed."
  fault_dir=$(mktemp -d)
  trap end_fault EXIT
  mkfifo "$fault_dir/to" "$fault_dir/from"
  # Opened for reading too, so that neither side waits for the other to open it.
  exec 3<>"$fault_dir/to"
  rehearsal watch --url "$(inside_url)" <"$fault_dir/to" >"$fault_dir/from" &
  watch_pid=$!
  background_pids="$background_pids $watch_pid"
  cat "$login_file" >&3
  follow "$1" <"$fault_dir/from"
  wait "$watch_pid" || status=$?
  background_pids=""
  end_fault
  for service in "$fault_service" bossman; do until_healthy "$service"; done
  exit_with "$status"
}
