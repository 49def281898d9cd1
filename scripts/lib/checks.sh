# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# Checks that need no running stack. `up` runs them before it changes anything, `doctor` reports them: one implementation.
# Each reports exactly once, under a stable code that the runbook refers to.

disk_first_gb=6
disk_later_gb=1
memory_minimum_mb=2048
clock_skew_seconds=5

# 0 as soon as the engine answers; later checks need it.
engine_answers=""

check_docker_cli() {
  if has docker; then
    report pass DOCKER-CLI "docker $(docker --version 2>/dev/null | sed -n 's/.*version \([^,]*\).*/\1/p')"
  else
    report fail DOCKER-CLI "docker is not installed, or not in PATH" "install it: $engine_install_page"
  fi
}

engine_address() { printf '%s' "${DOCKER_HOST:-$(docker context inspect -f '{{.Endpoints.docker.Host}}' 2>/dev/null || true)}"; }

check_docker_engine() {
  local answer status=0
  if ! has docker; then return; fi
  answer=$(bounded 20 docker version --format '{{.Server.Version}} {{.Server.Os}}' 2>&1) || status=$?
  case $answer in
    *'permission denied'*)
      report fail DOCKER-ENGINE "this user may not use Docker's socket" \
        "sudo usermod -aG docker \"\$USER\", then sign in again" ;;
    *'Cannot connect'* | *'error during connect'* | *'connection refused'* | *'no such host'*)
      report fail DOCKER-ENGINE "no Docker engine answers at $(engine_address)" "$(engine_cure)" ;;
    *)
      if [ "$status" = 124 ]; then
        report fail DOCKER-ENGINE "the Docker engine did not answer within 20 s" "restart it, then try again"
      elif [ "$status" != 0 ]; then
        report fail DOCKER-ENGINE "docker version failed: $(printf '%s' "$answer" | first_line)" "see $engine_install_page"
      else
        check_engine_version "${answer% *}" "${answer##* }"
      fi ;;
  esac
}

engine_cure() {
  if [ -n "${DOCKER_HOST:-}" ]; then
    printf 'DOCKER_HOST is set: correct or unset it, or start the engine there'
  else
    printf 'start Docker Desktop, or on Linux: sudo systemctl start docker'
  fi
}

check_engine_version() {
  if [ "$2" != linux ]; then
    report fail DOCKER-ENGINE "the engine runs $2 containers; this stack needs Linux ones" "Docker Desktop: switch to Linux containers"
  elif version_ge "$1" "$engine_minimum"; then
    engine_answers=yes
    report pass DOCKER-ENGINE "engine $1"
  else
    report fail DOCKER-ENGINE "engine $1 is older than $engine_minimum" "update it: $engine_install_page"
  fi
}

# check_compose [may-install]: with it, a host where `up` can fetch the plugins itself only gets a warning.
check_compose() {
  local have hint="install Compose $compose_minimum or newer: $compose_install_page"
  if ! has docker; then return; fi
  have=$(compose_version)
  if have_compose; then
    report pass COMPOSE-VERSION "Compose $have"
  elif can_install_plugins; then
    report "$(installable_status "${1:-}")" COMPOSE-VERSION "Compose ${have:-v2} is $(missing_or_old "$have")" \
      "./scripts/up takes Debian's $debian_suite package into $(plugin_dir)"
  else
    if [ "$(os_release ID)" = ubuntu ]; then hint="sudo apt-get install docker-compose-v2 docker-buildx, or $compose_install_page"; fi
    report fail COMPOSE-VERSION "Compose ${have:-v2} is $(missing_or_old "$have"); needed is $compose_minimum" "$hint"
  fi
}

missing_or_old() { if [ -n "$1" ]; then printf 'too old'; else printf 'missing'; fi; }
installable_status() { if [ "$1" = may-install ]; then printf warn; else printf fail; fi; }

check_buildx() {
  if ! has docker; then return; fi
  if have_buildx; then
    report pass BUILDX "buildx $(buildx_version)"
  elif can_install_plugins; then
    report "$(installable_status "${1:-}")" BUILDX "buildx, which builds the images, is missing" \
      "./scripts/up takes Debian's $debian_suite package into $(plugin_dir)"
  else
    report fail BUILDX "buildx, which builds the images, is missing" "install Docker's buildx plugin: $engine_install_page"
  fi
}

# Free MiB below a folder; -P keeps one line per file system.
free_mb() { df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }' || true; }

check_disk() {
  local folder where free need=$((disk_first_gb * 1024))
  if [ -f "$build_hash_file" ]; then need=$((disk_later_gb * 1024)); fi
  folder=$(docker info -f '{{.DockerRootDir}}' 2>/dev/null || true)
  where="Docker's folder"
  # Docker Desktop and remote engines keep their data elsewhere: then the checkout's disk is all that can be seen.
  if [ -z "$folder" ] || [ ! -d "$folder" ]; then folder=$root where="this checkout's disk (Docker's is not visible from here)"; fi
  free=$(free_mb "$folder")
  if [ "${free:-0}" -lt "$need" ]; then
    report fail DISK "$((${free:-0} / 1024)) GB free in $where, $((need / 1024)) GB needed" \
      "free space; docker system df shows what Docker holds"
  else
    report pass DISK "$((free / 1024)) GB free in $where"
  fi
}

check_memory() {
  local bytes megabytes
  if [ -z "$engine_answers" ]; then return; fi
  bytes=$(docker info -f '{{.MemTotal}}' 2>/dev/null || printf 0)
  megabytes=$((${bytes:-0} / 1048576))
  # A machine sold with 2 GB shows a little less than 2048 MB.
  if [ "$megabytes" -ge $((memory_minimum_mb * 95 / 100)) ]; then
    report pass MEMORY "Docker has $((megabytes / 1024)) GB"
  else
    report fail MEMORY "Docker has $megabytes MB, $memory_minimum_mb MB needed" \
      "Docker Desktop: Settings, Resources, Memory; else a larger machine"
  fi
}

check_crlf() {
  local found
  found=$(find scripts compose engines -type f \( -name '*.sh' -o -name '*.yaml' -o -name Dockerfile -o -path 'scripts/*' \
    -o -path 'compose/images/*' \) -exec grep -lI "$(printf '\r')" {} + 2>/dev/null | sed -n 1,3p | tr '\n' ' ' || true)
  if [ -n "$found" ]; then
    report fail CRLF "Windows line ends in $found" "git config core.autocrlf false, then: git checkout-index --force --all"
  else
    report pass CRLF "line ends are LF"
  fi
}

# mode_of FILE: its rights as ls shows them; stat's options differ between systems.
# shellcheck disable=SC2012  # the two names are fixed
mode_of() { ls -ldn "$1" 2>/dev/null | cut -c1-10; }

check_secrets_mode() {
  local loose=""
  if [ ! -e "$kit_dir" ] && [ ! -e "$env_file" ]; then
    report pass SECRETS-MODE "nothing generated yet"
    return
  fi
  if [ -e "$login_file" ] && [ "$(mode_of "$login_file")" != "-rw-------" ]; then loose="$loose .kit/demo-login.json"; fi
  if [ -e "$env_file" ] && [ "$(mode_of "$env_file")" != "-rw-------" ]; then loose="$loose .env"; fi
  if [ -e "$own_secrets" ] && [ "$(mode_of "$own_secrets")" != "-rw-------" ]; then loose="$loose .kit/bossman.env"; fi
  if [ -e "$kit_dir" ] && [ "$(mode_of "$kit_dir")" != "drwx------" ]; then loose="$loose .kit"; fi
  if [ -n "$loose" ]; then
    report warn SECRETS-MODE "others on this machine may read:$loose" "chmod -R go-rwx$loose"
  else
    report pass SECRETS-MODE ".env and .kit are readable by you alone"
  fi
}

check_stale_volume() {
  local volumes other
  # A restore replaces the data, so it is the cure.
  if [ -z "$engine_answers" ] || [ -n "${restoring:-}" ]; then return; fi
  volumes=$(stack_volumes | tr '\n' ' ')
  if [ -f "$restore_marker" ]; then
    report fail STALE-VOLUME "a restore was interrupted: the data of project $project is partly the old, partly the new" \
      "./scripts/restore FILE once more, or wipe it: ./scripts/reset"
  elif [ -n "$volumes" ] && [ -n "$adopted" ]; then
    report pass STALE-VOLUME "a plain docker compose made project $project here: ./scripts/up goes on with it"
  elif [ -n "$volumes" ] && [ ! -s "$login_file" ]; then
    report fail STALE-VOLUME "data of project $project exists (${volumes% }), but its demo login .kit/demo-login.json is gone" "$stale_cure"
  elif [ -n "$volumes" ]; then
    report pass STALE-VOLUME "data and demo login are both there"
  else
    other=$(compose_default_name)
    volumes=$(volumes_of "$other" | tr '\n' ' ')
    if [ -n "$volumes" ] && [ "$other" != "$project" ]; then
      report warn STALE-VOLUME "no data yet; a plain docker compose in a folder of this name left ${volumes% }" \
        "if it was here and you want that data: COMPOSE_PROJECT_NAME=$other ./scripts/up; else nothing"
    else
      report pass STALE-VOLUME "no data yet"
    fi
  fi
}

# Names that Compose itself reads, and those that the stack's files take from the shell.
known_env_names() {
  sed -n 's/.*\${\{0,1\}\([A-Z][A-Z0-9_]*\).*/\1/p' compose.yaml compose/*.yaml 2>/dev/null | sort -u || true
}

check_env_drift() {
  local name unknown="" known missing="" file files
  if [ ! -f "$env_file" ]; then
    report pass ENV-DRIFT "no .env yet"
    return
  fi
  known=" $(known_env_names | tr '\n' ' ') "
  # shellcheck disable=SC2013  # names have no blanks
  for name in $(sed -n 's/^ *\(export \)\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\) *=.*/\2/p' "$env_file"); do
    case $name in COMPOSE_*) continue ;; esac
    case $known in *" $name "*) ;; *) unknown="$unknown $name" ;; esac
  done
  files=$(env_value COMPOSE_FILE)
  for file in $(printf '%s' "$files" | tr ':' ' '); do
    if [ ! -f "$file" ]; then missing="$missing $file"; fi
  done
  report_env_drift "$unknown" "$missing"
}

report_env_drift() {
  if [ -n "$2" ]; then
    report warn ENV-DRIFT ".env names files that are gone:$2" "./scripts/up writes them again"
  elif [ -n "$1" ]; then
    report warn ENV-DRIFT "names in .env that nothing reads:$1" "remove them; docs/infra/ENVIRONMENT.md lists what exists"
  elif [ -n "${COMPOSE_PROJECT_NAME:-}" ] && [ "$COMPOSE_PROJECT_NAME" != "$project" ]; then
    report warn ENV-DRIFT "the shell's COMPOSE_PROJECT_NAME differs from .env: plain docker compose acts on another stack" \
      "unset COMPOSE_PROJECT_NAME"
  elif [ -n "${COMPOSE_FILE:-}" ] && [ "$COMPOSE_FILE" != "$(env_value COMPOSE_FILE)" ]; then
    report warn ENV-DRIFT "the shell's COMPOSE_FILE differs from .env: plain docker compose acts on other files" "unset COMPOSE_FILE"
  else
    report pass ENV-DRIFT ".env holds only what is read"
  fi
}

check_config() {
  local errors
  if ! has docker || ! have_compose; then return; fi
  if errors=$(compose config -q 2>&1); then
    report pass CONFIG "the Compose files are valid"
  else
    report fail CONFIG "Compose refuses its files: $(printf '%s' "$errors" | first_line)" \
      "docker compose config shows where; git status shows what was changed"
  fi
}

check_proxy_ca() {
  local proxy=${HTTPS_PROXY:-${https_proxy:-${HTTP_PROXY:-${http_proxy:-}}}}
  if [ -n "${PIP_CERT:-}" ] && [ ! -r "$PIP_CERT" ]; then
    report fail PROXY-CA "PIP_CERT (or SSL_CERT_FILE) names a file that cannot be read" "point it to your CA certificates (PEM), or unset it"
  elif [ -n "$proxy" ] && [ -z "${PIP_CERT:-}" ]; then
    report warn PROXY-CA "a proxy is set, but no CA for it" \
      "if builds fail on certificates: set PIP_CERT to the file with the proxy's CA"
  elif [ -n "${PIP_CERT:-}" ]; then
    report pass PROXY-CA "builds trust the CA file of PIP_CERT or SSL_CERT_FILE"
  else
    report pass PROXY-CA "no proxy and no own CA"
  fi
}

# Seconds since 1970 of 2026-01-02T03:04:05…; +01:00 style zones too. `date -d` is GNU only.
epoch_of() {
  printf '%s\n' "$1" | sed -n -E 's/^([0-9]+)-([0-9]+)-([0-9]+)T([0-9]+):([0-9]+):([0-9]+)(\.[0-9]+)?(Z|[+-][0-9:]+).*/\1 \2 \3 \4 \5 \6 \8/p' |
    awk '{
      y = $1; m = $2; if (m <= 2) { y--; m += 12 }
      days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + $3 - 1 - 719468
      offset = 0
      if ($7 != "Z") { split(substr($7, 2), z, ":"); offset = (z[1] * 60 + z[2]) * 60; if (substr($7, 1, 1) == "-") offset = -offset }
      print days * 86400 + $4 * 3600 + $5 * 60 + $6 - offset
    }'
}

check_clock() {
  local engine host skew
  if [ -z "$engine_answers" ]; then return; fi
  engine=$(epoch_of "$(docker info -f '{{.SystemTime}}' 2>/dev/null || true)")
  host=$(date +%s)
  if [ -z "$engine" ]; then
    report warn CLOCK "the engine's clock could not be read" "docker info shows what is wrong"
    return
  fi
  skew=$((engine - host))
  if [ "${skew#-}" -gt "$clock_skew_seconds" ]; then
    report warn CLOCK "Docker's clock is ${skew#-} s off this machine's: tokens and freshness would be wrong" \
      "restart Docker Desktop (its clock stops while the machine sleeps), or sync the engine's host"
  else
    report pass CLOCK "Docker's clock agrees with this machine's"
  fi
}

# What `up` runs before it changes anything, and doctor's first part. $1: may-install; $2: a wanted port.
host_checks() {
  check_docker_cli
  check_docker_engine
  check_compose "${1:-}"
  check_buildx "${1:-}"
  check_disk
  check_memory
  check_ports "${2:-}"
  check_crlf
  check_stale_volume
  check_proxy_ca
  check_clock
}

# What a script needs that builds and starts nothing.
require_engine() {
  check_docker_cli
  check_docker_engine
  check_compose
  print_checks skip-pass
  if [ "$(count_status fail)" -gt 0 ]; then exit 1; fi
}
