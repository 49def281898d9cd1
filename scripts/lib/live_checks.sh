# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# Checks of the running stack: container states, a live probe of every service, and Bossman as the host reaches it.

# What a probe found, per service, in the words of the runbook.
probe_code() {
  case $1 in
    firestore | bigquery | objectstore | s3) printf '%s' "$1" | tr '[:lower:]' '[:upper:]' ;;
    *) return 1 ;;
  esac
}

check_services() {
  local states service
  states=$(container_states)
  if [ -z "$states" ] || ! stack_is_running; then
    report warn STACK "the stack is not running" "./scripts/up"
    return
  fi
  for service in $(expected_services); do
    check_service "$service" "$(state_of "$service" "$states")"
  done
}

check_service() {
  local service=$1 line=$2 restarts
  if [ -z "$line" ]; then
    report fail "STACK-$service" "has no container" "./scripts/up"
    return
  fi
  restarts=$(state_field "$line" 7)
  case $(readiness "$service" "$line") in
    ready | restarted) report_running "$service" "$line" "$restarts" ;;
    waiting) report warn "STACK-$service" "$(if is_job "$service"; then printf 'is at work, not done yet'; else printf 'is starting'; fi)$(health_cause "$line")" "wait a few seconds, then ./scripts/doctor" ;;
    unhealthy) report fail "STACK-$service" "is unhealthy$(health_cause "$line")" "docker compose logs $service; then docker compose restart $service" ;;
    paused) report fail "STACK-$service" "is paused" "docker compose unpause $service" ;;
    *) report_dead "$service" "$line" ;;
  esac
}

report_running() {
  local health
  health=$(state_field "$2" 6)
  if is_job "$1"; then
    report pass "STACK-$1" "done"
  elif [ "$health" = unhealthy ]; then
    report fail "STACK-$1" "is unhealthy after $3 restarts$(health_cause "$2")" "docker compose logs $1"
  elif [ "$3" -gt 0 ]; then
    report warn "STACK-$1" "runs, but was restarted $3 times" "docker compose logs $1 shows why it ended"
  else
    report pass "STACK-$1" "$(if [ "$health" = none ]; then printf running; else printf '%s' "$health"; fi)"
  fi
}

report_dead() {
  local cause
  cause="$(state_field "$2" 3) with exit code $(state_field "$2" 4)"
  if [ "$(state_field "$2" 5)" = true ]; then cause="$cause, killed for memory"; fi
  report fail "STACK-$1" "$cause: $(docker logs --tail 3 "$(state_field "$2" 2)" 2>&1 | redact | tr '\n' ' ' | first_line)" "$(death_cure "$1" "$2")"
}

health_cause() {
  local output
  output=$(last_health_output "$(state_field "$1" 2)" 1 | redact | first_line)
  if [ -n "$output" ]; then printf ': %s' "$output"; fi
}

# run_healthcheck ID: the container's own health check, now, from inside; its output and status.
run_healthcheck() {
  local word words=() separator=$'\037'
  while IFS= read -r -d "$separator" word; do words+=("$word"); done < \
    <(docker inspect -f '{{if .Config.Healthcheck}}{{range .Config.Healthcheck.Test}}{{.}}{{"\x1f"}}{{end}}{{end}}' "$1")
  if [ "${#words[@]}" -lt 2 ]; then return 3; fi
  case ${words[0]} in
    CMD) bounded 15 docker exec "$1" "${words[@]:1}" 2>&1 ;;
    CMD-SHELL) bounded 15 docker exec "$1" /bin/sh -c "${words[1]}" 2>&1 ;;
    *) return 3 ;;
  esac
}

# A healthcheck's verdict is up to one interval old; the same operation run now is not.
check_stores() {
  local states service line output status code
  states=$(container_states)
  for service in $(expected_services); do
    code=$(probe_code "$service") || continue
    line=$(state_of "$service" "$states")
    # What starts or restarts has its own line above; a probe would only say the same again.
    case $(readiness "$service" "$line") in ready | restarted | unhealthy) ;; *) continue ;; esac
    status=0
    output=$(run_healthcheck "$(state_field "$line" 2)") || status=$?
    case $status in
      0) report pass "$code" "answers a real operation now" ;;
      3) report warn "$code" "has no health check to run" "compare compose/compose.yaml with the repository's" ;;
      124) report fail "$code" "a real operation hangs (15 s)" "docker compose restart $service" ;;
      *) report fail "$code" "a real operation fails: $(printf '%s' "$output" | redact | tail -n 1 | first_line)" \
        "docker compose logs $service; then docker compose restart $service" ;;
    esac
  done
}

bossman_runs() { [ "$(state_field "$(state_of bossman "$(container_states)")" 3)" = running ]; }

# The outputs of failing checks in a health answer; else the answer's beginning.
health_outputs() {
  local outputs
  outputs=$(http_json "$1" | grep -o '"output":"[^"]*"' | sed 's/^"output":"//; s/"$//' | sort -u | tr '\n' ' ' || true)
  printf '%s' "${outputs:-$(http_body "$1" | cut -c1-120)}" | redact
}

# From the host, so that a broken port publication shows.
check_bossman() {
  local port path answer status slow=""
  if ! bossman_runs; then return; fi
  if [ -n "$own_bossman" ] && ! own_answers; then
    report fail BOSSMAN-READY "your image $own_bossman answers on none of $own_routes, or with a failure: $(own_route)" \
      "docker compose logs bossman; it has to serve on port 8000"
    return
  fi
  port=$(host_port bossman)
  for path in /readyz /healthz; do
    answer=$(http GET "$port" "$path")
    status=$(http_status "$answer")
    if [ -z "$status" ]; then
      report fail BOSSMAN-READY "http://127.0.0.1:$port$path does not answer from this host" \
        "docker compose ps bossman shows its port; ./scripts/up publishes it again"
      return
    fi
    if [ -n "$own_bossman" ] && [ "$status" = 404 ]; then continue; fi
    if [ "$status" != 200 ]; then slow="$slow $path $status ($(health_outputs "$answer" | sed 's/ *$//'))"; fi
  done
  if [ -n "$slow" ]; then
    report fail BOSSMAN-READY "not ready:$slow" "the store it names is down or refuses writes: see the lines above"
  elif [ -n "$own_bossman" ]; then
    report pass BOSSMAN-READY "your image $own_bossman answers at http://127.0.0.1:$port: $(own_route)"
  else
    report pass BOSSMAN-READY "http://127.0.0.1:$port/readyz and /healthz answer 200"
  fi
}

# Nothing is wrong where an image of one's own has no such route or key; nothing is known either.
check_unproven() {
  local line
  if [ -z "$own_bossman" ] || ! bossman_runs || [ -z "$(own_route)" ]; then return; fi
  while IFS= read -r line; do
    if [ -n "$line" ]; then report warn UNPROVEN "$line" "docs/CARRY_OVER.md; the kit's own: ./scripts/up --bossman kit"; fi
  done <<<"$(unproven)"
}

# Public health holds the number in all alone; the dashboard says whose they are.
check_missing() {
  local check
  if ! bossman_runs; then return; fi
  check=$(http_body "$(http GET "$(host_port bossman)" /healthz)" | grep -o '"event-sink:missingEvents":\[{[^]]*' || true)
  case $check in
    *'"status":"warn"'*'"output":"acknowledged'*)
      report fail EVENTS-MISSING "$(printf '%s' "$check" | sed 's/.*"output":"\([^"]*\)".*/\1/') events, in all tenants" \
        "./scripts/verify events --tenant T names the hours; restore, or accept the loss: ./scripts/verify acknowledge --tenant T" ;;
    *'"status":"warn"'*) report warn EVENTS-MISSING "$(printf '%s' "$check" | sed 's/.*"output":"\([^"]*\)".*/\1/' | redact)" \
      "the sink cannot be counted: docker compose logs --since 10m bossman" ;;
    *'"status":"pass"'*) report pass EVENTS-MISSING "no accepted event is known to be missing" ;;
  esac
}

check_demo_login() {
  local status
  if ! bossman_runs || [ ! -s "$login_file" ]; then return; fi
  status=$(http_status "$(http POST "$(host_port bossman)" /auth/login "$login_file")")
  case $status in
    200) report pass DEMO-LOGIN "$demo_email signs in" ;;
    401 | 403 | 422) report warn DEMO-LOGIN "sign-in as $demo_email is refused ($status): $stale_cause" "$stale_cure" ;;
    *) report warn DEMO-LOGIN "sign-in as $demo_email got ${status:-no answer}" "see BOSSMAN-READY" ;;
  esac
}

check_standin() {
  local phrase
  if [ -z "$mode" ]; then return; fi
  phrase=$(firestore_standin)
  case $phrase in
    hidane*) report warn STANDIN "Firestore: $phrase" "fine for development; the reference is Google's: install the Cloud SDK's emulator, ./scripts/up --rebuild" ;;
    unknown) report warn STANDIN "Firestore: it does not run, and its base image is gone" "./scripts/up" ;;
    *) report pass STANDIN "Firestore: $phrase" ;;
  esac
}

# A container keeps the image that it was made from, whatever was built or edited since.
check_code() {
  local line service image old=""
  if ! stack_is_running; then return; fi
  while read -r service image; do
    line=$(state_of "$service" "$(container_states)")
    if [ -z "$line" ]; then continue; fi
    if [ "$(docker inspect -f '{{.Image}}' "$(state_field "$line" 2)" 2>/dev/null || true)" != "$(image_id "$image")" ]; then old="$old $service"; fi
  done <<<"$(built_images)"
  if [ -n "$old" ]; then
    report warn CODE "made from an image that has been built anew since:$old" "./scripts/up"
  elif ! build_is_current "$(build_inputs | digest)"; then
    report warn CODE "files of this checkout were changed since ./scripts/up built the images: older code runs" "./scripts/up builds what changed"
  else
    report pass CODE "what runs was built from this checkout as it is"
  fi
}

# An image for another processor type runs emulated, slowly, or not at all.
check_arch() {
  local engine id image_arch name foreign=""
  engine=$(docker version --format '{{.Server.Arch}}' 2>/dev/null || true)
  for id in $(project_containers); do
    image_arch=$(docker image inspect -f '{{.Architecture}}' "$(docker inspect -f '{{.Image}}' "$id" 2>/dev/null)" 2>/dev/null || true)
    name=$(docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}' "$id" 2>/dev/null || true)
    if [ -n "$image_arch" ] && [ "$image_arch" != "$engine" ]; then foreign="$foreign $name ($image_arch)"; fi
  done
  if [ -n "$foreign" ]; then
    report warn ARCH "emulated on this $engine engine:$foreign" "./scripts/up --rebuild makes images for $engine"
  else
    report pass ARCH "engine and images are $engine"
  fi
}

# The stack's own services are asked directly, never through a proxy, whatever Docker's configuration gives to containers.
check_proxy() {
  local id found=""
  for id in $(project_containers); do
    if docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' "$id" 2>/dev/null | grep -Eiq '^[a-z]+_proxy=.'; then
      found="$found $(docker inspect -f '{{index .Config.Labels "com.docker.compose.service"}}' "$id" 2>/dev/null || true)"
    fi
  done
  if [ -n "$found" ]; then
    report fail PROXY "a proxy is set in the containers of:$found; they would ask it for each other" \
      "take HTTP_PROXY and its like out of your overrides (compose.yaml empties what Docker's configuration gives), then ./scripts/up"
  else
    report pass PROXY "no container goes through a proxy"
  fi
}

live_checks() {
  if [ -z "$engine_answers" ] || ! have_compose; then return; fi
  check_arch
  check_code
  check_proxy
  check_services
  check_stores
  if stack_is_running; then check_state; fi
  check_bossman
  check_unproven
  check_missing
  check_demo_login
  check_standin
}
