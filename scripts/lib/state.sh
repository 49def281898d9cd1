# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# The generated state of a checkout: .env (Compose's own variables) and .kit/ (ports, demo login, logs). Never committed.

block_start="# >>> written by ./scripts/up: Compose's own variables, so that plain docker compose finds this stack >>>"
block_end="# <<< written by ./scripts/up <<<"
demo_email="demo@northstar.localhost"

# Two checkouts never share a project, so never a volume: the name carries a hash of the checkout's path. Images are named
# after it, and an image's name takes no two different separators in a row: the only one here is -.
fresh_project_name() {
  local base
  base=$(basename "$root" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9]+/-/g; s/^-//' | cut -c1-30 | sed 's/-$//')
  printf '%s-%s' "${base:-northstar}" "$(printf '%s' "$root" | digest | cut -c1-6)"
}

# The project that a plain docker compose made from this folder before ./scripts/up was ever run; nothing when there is none.
plain_project() {
  bounded 5 docker ps -a --filter "label=com.docker.compose.project.working_dir=$root" --format '{{.Label "com.docker.compose.project"}}' 2>/dev/null |
    LC_ALL=C sort -u | sed -n 1p || true
}

# How Compose names a project after its folder.
compose_default_name() {
  basename "$root" | LC_ALL=C tr '[:upper:]' '[:lower:]' | LC_ALL=C sed -E 's/[^a-z0-9_-]+//g; s/^[_-]+//'
}

# env_value NAME: its last value in .env, as Compose reads it.
env_value() {
  if [ -r "$env_file" ]; then sed -n "s/^$1=//p" "$env_file" | tail -n 1 | tr -d "\"'\r"; fi
}

written_lines() {
  if [ -f "$env_file" ]; then
    awk -v s="$block_start" -v e="$block_end" '$0 == e { within = 0 } within { print } $0 == s { within = 1 }' "$env_file"
  fi
}

user_env_lines() {
  if [ -f "$env_file" ]; then
    awk -v s="$block_start" -v e="$block_end" '$0 == s { skip = 1 } !skip { print } $0 == e { skip = 0 }' "$env_file"
  fi
}

# A checkout that was copied together with its .env would act on the original's volumes: it gets a name of its own.
is_copied_checkout() {
  local origin
  origin=$(cat "$kit_dir/origin" 2>/dev/null || true)
  [ -n "$origin" ] && [ "$origin" != "$root" ] &&
    grep -q "^COMPOSE_PROJECT_NAME=$(env_value COMPOSE_PROJECT_NAME)\$" "$origin/.env" 2>/dev/null
}

# remembered_sink: what --sink chose in an earlier run; nothing when it never did.
remembered_sink() {
  case $(written_lines) in
    *DATASETS_BUCKET=s3://*) printf s3 ;;
    *) written_lines | sed -n 's/^NEXUS_BACKEND=//p' ;;
  esac
}

# choose_sink NAME: from now on. What the shell exports would beat .env, and so the choice.
choose_sink() {
  case $1 in
    firestore | bigquery | object_store) ;;
    s3) add_profile s3 && unset DATASETS_BUCKET ;;
    *) bad_usage "unknown sink: '$1' (choose firestore, bigquery, object_store or s3)" ;;
  esac
  sink=$1 switching=yes
  unset NEXUS_BACKEND
}

sink_lines() {
  case $sink in
    '') ;;
    s3) printf 'NEXUS_BACKEND=object_store\nDATASETS_BUCKET=s3://datasets\n' ;;
    *) printf 'NEXUS_BACKEND=%s\n' "$sink" ;;
  esac
}

# load_state: project, profiles, mode, sink and Bossman of this checkout, changing nothing.
load_state() {
  sink=$(remembered_sink)
  own_bossman=$(remembered_bossman)
  switching=""
  project=$(env_value COMPOSE_PROJECT_NAME)
  profiles=$(env_value COMPOSE_PROFILES)
  mode=""
  copied=""
  if is_copied_checkout; then
    copied=yes
    project=""
  fi
  adopted=""
  if [ -z "$project" ]; then project=${COMPOSE_PROJECT_NAME:-}; fi
  if [ -z "$project" ] && [ -z "$copied" ]; then adopted=$(plain_project) && project=$adopted; fi
  if [ -z "$project" ]; then project=$(fresh_project_name); fi
  if [ -z "$profiles" ]; then profiles=${COMPOSE_PROFILES:-}; fi
  case $(env_value COMPOSE_FILE) in
    '') ;;
    *closed.yaml*) mode=closed ;;
    *) mode=connected ;;
  esac
}

compose_files() {
  local files=compose.yaml
  if [ "$mode" = closed ]; then files="$files:compose/closed.yaml"; fi
  if [ -f "$own_file" ]; then files="$files:compose/own-bossman.yaml:.kit/bossman.yaml"; fi
  if [ -f "$ports_file" ]; then files="$files:.kit/ports.yaml"; fi
  printf '%s' "$files"
}

make_kit_dir() {
  (umask 077 && mkdir -p "$kit_dir")
  chmod 700 "$kit_dir"
  if [ -n "$copied" ]; then
    say "this checkout is a copy: it gets its own project, ports and demo login"
    rm -f "$ports_file" "$login_file"
    copied=""
  fi
  printf '%s\n' "$root" >"$kit_dir/origin"
}

save_env() {
  {
    user_env_lines
    printf '%s\n' "$block_start"
    printf 'COMPOSE_PROJECT_NAME=%s\nCOMPOSE_FILE=%s\n' "$project" "$(compose_files)"
    if [ -n "$profiles" ]; then printf 'COMPOSE_PROFILES=%s\n' "$profiles"; fi
    sink_lines
    printf '%s\n' "$block_end"
  } | write_private "$env_file"
}

# forget_env: takes the generated lines back out; a file with nothing else in it goes.
forget_env() {
  if [ ! -f "$env_file" ]; then return; fi
  if user_env_lines | grep -q '[^[:space:]]'; then
    user_env_lines | write_private "$env_file"
  else
    rm -f "$env_file"
  fi
}

random_password() { head -c 1024 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c1-40; }

# The demo login is the one secret on the host. It is made once; only reset removes it.
ensure_demo_login() {
  if [ ! -s "$login_file" ]; then
    printf '{"email":"%s","password":"%s"}\n' "$demo_email" "$(random_password)" | write_private "$login_file"
  fi
  chmod 600 "$login_file"
}

volumes_of() { docker volume ls -q --filter "label=com.docker.compose.project=$1" 2>/dev/null || true; }
stack_volumes() { volumes_of "$project"; }
