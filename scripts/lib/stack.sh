# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# The running stack: Compose calls, container states, start with a line per service, and a diagnosis when one dies.

start_limit=180
# One-shot services: finished with exit code 0 is their healthy state.
job_services=" secrets bigquery-init "

# compose ARGUMENTS...: always this checkout's stack, whatever the shell's own COMPOSE_ variables say.
compose() {
  COMPOSE_PROJECT_NAME=$project COMPOSE_FILE=$(compose_files) COMPOSE_PROFILES=$profiles docker compose "$@"
}

# The same for background use: the process that is ended on interruption is docker's own.
compose_exec() {
  export COMPOSE_PROJECT_NAME=$project COMPOSE_PROFILES=$profiles
  COMPOSE_FILE=$(compose_files)
  export COMPOSE_FILE
  exec docker compose "$@"
}

expected_services() { compose config --services 2>/dev/null | LC_ALL=C sort || true; }

# in_kit ARGUMENT...: Python of the kit's image inside the stack: Bossman's container, or one beside an image of one's own.
in_kit() {
  if [ -n "$own_bossman" ]; then
    compose --progress quiet run --rm --no-deps -T tools python "$@"
  else
    compose exec -T bossman python "$@"
  fi
}

# The same container's way to Bossman.
inside_url() { if [ -n "$own_bossman" ]; then printf 'http://bossman:8000'; else printf 'http://127.0.0.1:8000'; fi; }

is_job() { case $job_services in *" $1 "*) true ;; *) false ;; esac; }

project_containers() { docker ps -aq --filter "label=com.docker.compose.project=$project" 2>/dev/null || true; }

# A line per container: service|id|status|exit code|OOM killed|health|restarts|started at
# ID, not Id: the latter makes the client fall back to raw JSON, where a missing health is an error.
container_states() {
  local ids
  ids=$(project_containers)
  if [ -z "$ids" ]; then return; fi
  # shellcheck disable=SC2086  # a list of ids
  docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}|{{.ID}}|{{.State.Status}}|{{.State.ExitCode}}|{{.State.OOMKilled}}|{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}|{{.RestartCount}}|{{.State.StartedAt}}{{if index .Config.Labels "com.docker.compose.oneoff"}}|{{index .Config.Labels "com.docker.compose.oneoff"}}{{end}}' $ids 2>/dev/null |
    sed -e '/^$/d' -e '/|True$/d' -e 's/|False$//' || true
}

# state_of SERVICE STATES: its line.
state_of() { printf '%s\n' "$2" | sed -n "/^$1|/p" | sed -n 1p; }
state_field() { printf '%s' "$1" | cut -d'|' -f"$2"; }

# sink_in_use: of the Bossman that runs, whatever .env says by now.
sink_in_use() {
  docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' "$(state_field "$(state_of bossman "$(container_states)")" 2)" |
    awk -F= '$1 == "NEXUS_BACKEND" { sink = $2 } $1 == "DATASETS_BUCKET" { bucket = $2 }
      END { print sink == "object_store" ? sink " (" bucket ")" : sink }'
}

stack_is_running() { case $(container_states) in *'|running|'*) true ;; *) false ;; esac; }

# readiness SERVICE LINE: ready, waiting, or a word for what killed it.
readiness() {
  local status exit_code health restarts
  status=$(state_field "$2" 3) exit_code=$(state_field "$2" 4) health=$(state_field "$2" 6) restarts=$(state_field "$2" 7)
  case $status in
    running)
      if is_job "$1"; then
        printf waiting
      elif [ "${restarts:-0}" -gt 0 ] && ! was_there_before "$2"; then
        printf restarted
      else
        case $health in healthy | none) printf ready ;; unhealthy) printf unhealthy ;; *) printf waiting ;; esac
      fi ;;
    exited)
      if is_job "$1" && [ "$exit_code" = 0 ]; then printf ready; else printf exited; fi ;;
    restarting | dead | paused) printf '%s' "$status" ;;
    *) printf waiting ;;
  esac
}

# Containers as they were before the start: an old dead one is history, not a failure of this start.
states_before=""
was_there_before() {
  local before
  before=$(printf '%s\n' "$states_before" | grep -F "|$(state_field "$1" 2)|" || true)
  case $before in
    '') false ;;
    *"|$(state_field "$1" 7)|$(state_field "$1" 8)") true ;;
    *) false ;;
  esac
}

announce_ready() {
  case $1 in
    *" $2 "*) return ;;
  esac
  if is_job "$2"; then row "$2" "done    $3 s"; else row "$2" "healthy $3 s"; fi
}

# scan_services STATES ENDED: sets announced, all_ready and failed_service from one look at the containers.
scan_services() {
  local states=$1 ended=$2 service line state
  all_ready=yes failed_service=""
  for service in $services; do
    line=$(state_of "$service" "$states")
    state=$(readiness "$service" "$line")
    if [ "$service" = bossman ] && [ "$state" = waiting ] && answers_ahead "$line"; then state=ready; fi
    if [ "$service" = bossman ] && [ -n "$own_bossman" ] && [ "$state" = ready ] && ! own_answers; then state=waiting; fi
    if [ -z "$ended" ] && { [ -z "$line" ] || was_there_before "$line"; }; then state=waiting; fi
    # Unhealthy since before this start, as Bossman is while its store is stopped: it gets the time to recover.
    if [ "$state" = unhealthy ] && was_there_before "$line"; then state=waiting; fi
    case $state in
      ready)
        announce_ready "$announced" "$service" "$((SECONDS - start_began))"
        announced="$announced$service " ;;
      waiting) all_ready="" ;;
      *) if [ -z "$failed_service" ]; then failed_service=$service; fi ;;
    esac
  done
}

# answers_ahead LINE: asked from here, what the health check asks. Docker looks only every 5 s, too slow for a switch of sinks.
answers_ahead() {
  [ -n "$switching" ] && [ "$(state_field "$1" 3)" = running ] &&
    [ "$(http_status "$(http GET "$(host_port bossman)" /readyz)")" = 200 ]
}

# start_stack: returns when every service is ready; ends with a diagnosis when one is dead or time is over.
start_stack() {
  local pid services ended="" announced=" " all_ready failed_service start_began=$SECONDS tries=1
  give_secrets
  services=$(expected_services)
  states_before=$(container_states)
  run_in_background compose_exec --ansi never up -d --no-build >"$start_log" 2>&1
  pid=$background_pid
  while :; do
    if [ -z "$ended" ] && ! kill -0 "$pid" 2>/dev/null; then
      if wait "$pid"; then ended=ok; else ended=failed; fi
    fi
    scan_services "$(container_states)" "$ended"
    if [ -n "$failed_service" ]; then end_background; diagnose "$failed_service"; fi
    if [ "$ended" = failed ] && [ "$tries" -lt 3 ] && lost_a_port && choose_ports_again; then
      tries=$((tries + 1)) ended=""
      run_in_background compose_exec --ansi never up -d --no-build >"$start_log" 2>&1
      pid=$background_pid
    fi
    if [ "$ended" = failed ]; then diagnose_compose; fi
    if [ -n "$ended" ] && [ -n "$all_ready" ]; then return; fi
    if [ $((SECONDS - start_began)) -ge "$start_limit" ]; then end_background; diagnose_timeout "$announced"; fi
    sleep 0.5
  done
}

# stop_stack COMMAND: removes containers and network, keeps the volumes. Every profile, or a container started with one
# would stay behind. COMMAND is what to run after the cure. Sets lost to how the state store ended, when not in order.
stop_stack() {
  local log line
  lost=""
  log=$(mktemp "${TMPDIR:-/tmp}/kit-down.XXXXXX")
  line=$(state_of firestore "$(container_states)")
  if [ "$(state_field "$line" 3)" = running ] && compose --profile '*' --ansi never stop >"$log" 2>&1; then
    line=$(state_of firestore "$(container_states)")
    if [ "$(state_field "$line" 4)" != 0 ]; then
      lost="exit code $(state_field "$line" 4): $(docker logs --tail 1 "$(state_field "$line" 2)" 2>&1 | first_line)"
    fi
  fi
  if ! compose --profile '*' --ansi never down --remove-orphans >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die DOWN "docker compose could not stop the stack" "the lines above name the cause; then $1"
  fi
  rm -f "$log"
}

# --- diagnosis -------------------------------------------------------------------------------------------------------

last_health_output() {
  docker inspect -f '{{if .State.Health}}{{range .State.Health.Log}}{{println .Output}}{{end}}{{end}}' "$1" 2>/dev/null |
    sed '/^[[:space:]]*$/d' | tail -n "${2:-5}" || true
}

print_evidence() {
  local service=$1 line=$2 id
  id=$(state_field "$line" 2)
  problem "$service: $(state_field "$line" 3), exit code $(state_field "$line" 4), OOM-killed $(state_field "$line" 5), health $(state_field "$line" 6), restarts $(state_field "$line" 7)"
  problem "--- last 20 log lines of $service ---"
  docker logs --tail 20 "$id" >&2 2>&1 || true
  if [ "$(state_field "$line" 6)" != none ]; then
    problem "--- last health check of $service ---"
    last_health_output "$id" >&2
  fi
}

death_cure() {
  local service=$1 line=$2 log
  log=$(docker logs --tail 50 "$(state_field "$line" 2)" 2>&1 || true)
  if [ "$(state_field "$line" 5)" = true ]; then
    printf 'it ran out of memory: raise its mem_limit in compose/compose.yaml, or the memory that Docker has'
  elif [ "$(state_field "$line" 3)" = exited ] && [ "$(state_field "$line" 4)" = 137 ]; then
    printf 'it was killed, by hand or for lack of memory: ./scripts/up starts it again; if it repeats, give Docker more memory'
  elif [ "$(state_field "$line" 3)" = exited ] && [ "$(state_field "$line" 4)" = 0 ]; then
    printf 'it was stopped: ./scripts/up starts it again'
  elif [ "$(state_field "$line" 3)" = paused ]; then
    printf 'docker compose unpause %s' "$service"
  elif printf '%s' "$log" | grep -qi 'exec format error'; then
    printf 'the image is for another processor type: ./scripts/up --rebuild'
  elif printf '%s' "$log" | grep -qiE 'no such file or directory|bad interpreter|\\r'; then
    printf 'if a script named above has Windows line ends: git config core.autocrlf false, check the files out again, ./scripts/up'
  elif printf '%s' "$log" | grep -qi 'no space left'; then
    printf 'the disk is full: docker system df shows what Docker holds'
  else
    printf 'docker compose logs %s shows more; after the fix ./scripts/up (./scripts/down stops what runs)' "$service"
  fi
}

diagnose() {
  local line
  line=$(state_of "$1" "$(container_states)")
  print_evidence "$1" "$line"
  die "STACK-$1" "$1 did not start" "$(death_cure "$1" "$line")"
}

# Between the choice of a port and its use another program, or another checkout's ./scripts/up, may take it.
lost_a_port() { grep -Eqi 'port is already allocated|address already in use|ports are not available|failed to bind' "$start_log"; }

choose_ports_again() {
  check_status=() check_code=() check_summary=() check_cure=()
  check_ports "${port:-}"
  if [ "$(count_status fail)" -gt 0 ]; then return 1; fi
  note "a port was taken meanwhile: trying with ${chosen_ports# }"
  save_ports
}

# Compose itself gave up: a port, a volume, a name. Its own words come first.
diagnose_compose() {
  local service
  service=$(sed -n 's/.*dependency failed to start: container [^ ]*-\([a-z0-9-]*\)-[0-9]* .*/\1/p' "$start_log" | sed -n 1p)
  if [ -n "$service" ] && [ -n "$(state_of "$service" "$(container_states)")" ]; then diagnose "$service"; fi
  problem "--- docker compose ---"
  tail -n 15 "$start_log" >&2
  if lost_a_port; then
    die PORTS "a port was taken while the stack started" "./scripts/up again: it chooses the next free one"
  fi
  die START "docker compose could not start the stack" "the lines above name the cause; then ./scripts/up"
}

diagnose_timeout() {
  local service
  for service in $services; do
    case $1 in
      *" $service "*) ;;
      *) print_evidence "$service" "$(state_of "$service" "$(container_states)")" ;;
    esac
  done
  case $1 in
    *" bossman "*) ;;
    *) if [ -n "$own_bossman" ]; then
      die BOSSMAN-READY "your image $own_bossman answers on none of $own_routes within $start_limit s, or with a failure: $(own_route)" \
        "it has to serve on port 8000, on all interfaces; ./scripts/up --bossman kit goes back"
    fi ;;
  esac
  die START "not healthy within $start_limit s" \
    "a slow or busy machine may need longer: ./scripts/up continues; else ./scripts/doctor"
}

# --- talking to Bossman from the host, without curl ------------------------------------------------------------------

# http METHOD PORT PATH [BODY_FILE [HEADERS_FILE]]: the whole answer; nothing when there is none within 8 s.
http() {
  # shellcheck disable=SC2016  # the inner bash expands them
  bounded 8 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$2" || exit 1
    length=0
    if [ -n "$4" ]; then length=$(($(wc -c <"$4"))); fi
    printf "%s %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n" "$1" "$3" "$2" "$length" >&3
    if [ -n "$5" ]; then cat "$5" >&3; fi
    printf "\r\n" >&3
    if [ -n "$4" ]; then cat "$4" >&3; fi
    cat <&3
  ' http "$1" "$2" "$3" "${4:-}" "${5:-}" 2>/dev/null || true
}

http_status() { printf '%s' "$1" | sed -n '1s/^HTTP\/[0-9.]* \([0-9]*\).*/\1/p' | sed -n 1p; }
# http_json ANSWER: the whole body in one line.
http_json() { printf '%s\n' "$1" | tr -d '\r' | sed '1,/^$/d' | tr '\n' ' '; }
http_body() { printf '%s\n' "$1" | tr -d '\r' | sed '1,/^$/d' | first_line; }

# bossman_status PATH: as this host sees it; nothing without an answer.
bossman_status() { http_status "$(http GET "$(host_port bossman)" "$1")"; }

# --- demo tenant -----------------------------------------------------------------------------------------------------

stale_cause="the data volumes of this project are older than its demo login"
stale_cure="restore .kit/demo-login.json from where it was saved, or wipe the data: ./scripts/reset, then ./scripts/up"

# ensure_demo_tenant: sets tenant_id.
ensure_demo_tenant() {
  local output status=0 errors="$kit_dir/demo.log"
  output=$(in_kit -m engines.rehearsal.demo "$(inside_url)" <"$login_file" 2>"$errors") || status=$?
  tenant_id=$(printf '%s\n' "$output" | sed -n 's/^tenant_id=//p' | tr -d '\r' | sed -n 1p)
  if [ "$status" != 0 ] && [ -n "$own_bossman" ]; then
    tenant_id="none: your image did not make it ($(first_line <"$errors"))"
    return
  fi
  case $status in
    0) ;;
    3) die STALE-VOLUME "$stale_cause (sign-in as $demo_email was refused)" "$stale_cure" ;;
    *)
      tail -n 20 "$errors" >&2
      die DEMO-TENANT "the demo tenant could not be made (exit code $status)" "./scripts/doctor, then ./scripts/up" ;;
  esac
}
