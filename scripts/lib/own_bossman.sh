# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# An image of one's own as bossman: remembered in .kit, found by any route that answers, and what it cannot show is said.

own_file="$kit_dir/bossman.yaml"
own_secrets="$kit_dir/bossman.env"
# What tells that something serves; the first that is there counts.
own_routes="/readyz /healthz /health /ready /openapi.json /bossman/tenant-dashboard"

remembered_bossman() {
  if [ -f "$own_file" ]; then sed -n 's/^    image: "\(.*\)"$/\1/p' "$own_file"; fi
}

# choose_bossman IMAGE|kit: from now on.
choose_bossman() {
  case $1 in
    kit) own_bossman="" ;;
    '' | -* | *[!A-Za-z0-9._/:@-]*) bad_usage "--bossman takes the name of an image, or kit for the kit's own, not '$1'" ;;
    *) own_bossman=$1 ;;
  esac
}

# save_bossman: before Compose reads the files. An image that is nowhere leaves the choice as it was.
save_bossman() {
  if [ -z "$own_bossman" ]; then
    rm -f "$own_file" "$own_secrets"
    return
  fi
  if ! image_exists "$own_bossman" && ! bounded 600 docker pull -q "$own_bossman" >/dev/null 2>&1; then
    die BOSSMAN-IMAGE "the image $own_bossman is not here, and cannot be pulled" "docker image ls; build it, then ./scripts/up --bossman IMAGE; ./scripts/up --bossman kit goes back"
  fi
  printf '# Written by ./scripts/up --bossman: goes on top of compose/own-bossman.yaml.\nservices:\n  bossman:\n    image: "%s"\n' "$own_bossman" |
    write_private "$own_file"
  if [ ! -f "$own_secrets" ]; then write_private "$own_secrets" </dev/null; fi
}

# give_secrets: the generated ones, as variables; they may have changed by a restore.
give_secrets() {
  if [ -z "$own_bossman" ]; then return; fi
  # shellcheck disable=SC2016  # the container's shell expands it
  if ! compose --progress quiet run --rm -T secrets sh -c 'python -m engines.config.secret_files /run/secrets >&2 &&
      cd /run/secrets && for name in *; do printf "%s=%s\n" "$name" "$(cat "$name")"; done' </dev/null 2>"$start_log" | write_private "$own_secrets"; then
    tail -n 15 "$start_log" >&2
    die START "the secrets could not be read for $own_bossman" "the lines above name the cause; then ./scripts/up"
  fi
}

# own_route: "PATH STATUS" of the first route that is there; nothing when none is.
own_route() {
  local path status
  for path in $own_routes; do
    status=$(bossman_status "$path")
    case $status in '' | 404) ;; *) printf '%s %s' "$path" "$status" && return ;; esac
  done
}

# own_answers: whether that route is no failure; one that wants a sign-in serves.
own_answers() { case $(own_route) in *' '[234]*) true ;; *) false ;; esac; }

# demo_dashboard: the demo tenant's, in one line of JSON; nothing when it is not served.
demo_dashboard() {
  local port token answer headers
  port=$(host_port bossman)
  token=$(http_json "$(http POST "$port" /auth/login "$login_file")" | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
  if [ -z "$token" ]; then return; fi
  headers=$(mktemp "${TMPDIR:-/tmp}/kit-headers.XXXXXX")
  printf 'Authorization: Bearer %s\r\nX-Env: dev\r\n' "$token" >"$headers"
  answer=$(http GET "$port" /bossman/tenant-dashboard "" "$headers")
  rm -f "$headers"
  if [ "$(http_status "$answer")" = 200 ]; then http_json "$answer"; fi
}

# unproven: a line for each thing that this Bossman does not show: what stays unknown, and why.
unproven() {
  local path what key shown
  while IFS='|' read -r path what; do
    if [ "$(bossman_status "$path")" = 404 ]; then printf '%s: %s is not there\n' "$what" "$path"; fi
  done <<'ROUTES'
/readyz|whether its stores answer and take writes
/healthz|its sink's probe, missing events, clocks, which commit runs
/metrics|numbers for Prometheus
/bossman/onboarding|how far each tenant has come
ROUTES
  shown=$(demo_dashboard)
  if [ -z "$shown" ]; then
    printf 'all of the dashboard: it is not served to the demo login\n'
    return
  fi
  while IFS='|' read -r key what; do
    case $shown in *"\"$key\":"*) ;; *) printf '%s: the dashboard has no %s\n' "$what" "$key" ;; esac
  done <<'KEYS'
freshness|how old each section is
health|whether the tenant is well
backlog|whether events wait for the sink
KEYS
}
