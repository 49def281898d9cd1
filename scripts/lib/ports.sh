# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# Host ports: the default where it is free, else the next free one, remembered in .kit/ports.yaml. Loopback only.

# service:container port, which is also the default host port.
published_services="bossman:8000 firestore:8080 bigquery:9050 objectstore:4443 s3:8333"
# The ports this run settles on, "service:host port …".
chosen_ports=""

container_port() { printf '%s\n' "$published_services" | tr ' ' '\n' | sed -n "s/^$1://p"; }

# remembered_port SERVICE: from an earlier run.
remembered_port() {
  if [ -f "$ports_file" ]; then
    sed -n "s/^ *- \"127\.0\.0\.1:\([0-9]*\):$(container_port "$1")\" *# $1\$/\1/p" "$ports_file"
  fi
}

# host_port SERVICE: what this checkout uses.
host_port() {
  local port
  port=$(remembered_port "$1")
  printf '%s' "${port:-$(container_port "$1")}"
}

docker_publishes() { docker ps --filter "publish=$1" --format '{{.Names}}' 2>/dev/null | sed -n 1p || true; }

# A container between two restarts still holds its port, but Docker doesn't list it: the remembered port is then ours.
ours_restarting() {
  [ -f "$ports_file" ] && grep -q "127\.0\.0\.1:$1:" "$ports_file" &&
    [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter status=restarting 2>/dev/null)" ]
}

ours_publishes() {
  if ours_restarting "$1"; then return; fi
  [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter "publish=$1" 2>/dev/null)" ]
}

# Nobody listens means free: a refused connection returns at once, so no time limit is needed on loopback.
something_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port_is_free() { ours_publishes "$1" || { [ -z "$(docker_publishes "$1")" ] && ! something_listens "$1"; }; }

# Who holds a port, as far as it can be told without rights.
port_holder() {
  local holder
  holder=$(docker_publishes "$1")
  if [ -n "$holder" ]; then
    printf 'container %s' "$holder"
    return
  fi
  if has ss; then
    holder=$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1, process \2/p' | sed -n 1p || true)
  elif has lsof; then
    holder=$(lsof -nP -iTCP:"$1" -sTCP:LISTEN 2>/dev/null | awk 'NR == 2 { print $1 ", process " $2 }' || true)
  fi
  printf '%s' "${holder:-another program}"
}

already_chosen() { case "$chosen_ports " in *":$1 "*) true ;; *) false ;; esac; }

next_free_port() {
  local port=$1 last=$(($1 + 200))
  while [ "$port" -lt "$last" ] && [ "$port" -le 65535 ]; do
    if ! already_chosen "$port" && port_is_free "$port"; then
      printf '%s' "$port"
      return
    fi
    port=$((port + 1))
  done
  return 1
}

valid_port() {
  case $1 in '' | *[!0-9]* | ??????*) return 1 ;; esac
  [ "$1" -ge 1 ] && [ "$1" -le 65535 ]
}

# s3 runs only under its profile: its port is settled on the day it is switched on.
uses_service() { [ "$1" != s3 ] || case ",$profiles," in *,s3,*) true ;; *) false ;; esac; }

# check_ports [WANTED]: settles chosen_ports. Only a port that was asked for by name can fail; others move aside.
check_ports() {
  local wanted=${1:-} entry service port moved="" before
  if [ -z "$engine_answers" ]; then return; fi
  chosen_ports=""
  if [ -n "$wanted" ]; then
    if ! port_is_free "$wanted"; then
      report fail PORTS "port $wanted is in use by $(port_holder "$wanted")" \
        "stop it, choose another port (./scripts/up --port N), or leave --port out to get a free one"
      return
    fi
    chosen_ports="bossman:$wanted"
  fi
  for entry in $published_services; do
    service=${entry%%:*}
    if ! uses_service "$service" || { [ -n "$wanted" ] && [ "$service" = bossman ]; }; then continue; fi
    before=$(host_port "$service")
    if ! port=$(next_free_port "$before"); then
      report fail PORTS "no free port from $before on for $service" "stop what listens there"
      return
    fi
    if [ "$port" != "$before" ]; then
      moved="$moved, $service $port ($before: $(port_holder "$before"))"
    fi
    chosen_ports="$chosen_ports $service:$port"
  done
  if [ -n "$moved" ]; then
    report warn PORTS "default or earlier ports are taken; ./scripts/up uses ${moved#, }" \
      "nothing to do: the new ports are printed, and remembered in .kit/ports.yaml"
  else
    report pass PORTS "free or ours: $(printf '%s' "$chosen_ports" | sed 's/^ *//; s/:/ /g; s/  */ /g')"
  fi
}

save_ports() {
  local entry service
  {
    printf '# Written by ./scripts/up: the host ports of this checkout. ./scripts/up --port N changes that of bossman.\n'
    printf 'services:\n'
    for entry in $chosen_ports; do
      service=${entry%%:*}
      printf '  %s:\n    ports: !override\n      - "127.0.0.1:%s:%s" # %s\n' \
        "$service" "${entry#*:}" "$(container_port "$service")" "$service"
    done
  } | write_private "$ports_file"
}
