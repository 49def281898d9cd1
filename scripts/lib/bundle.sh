# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# doctor --bundle: what a colleague needs to help, with everything secret taken out before it reaches the disk.

# A case-blind pattern for one word; sed's own flag for that is GNU-only.
any_case() {
  printf '%s' "$1" | awk '{
    for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); printf "%s", (toupper(c) != tolower(c)) ? "[" toupper(c) tolower(c) "]" : c }
  }'
}

# Names whose value is a secret, wherever they stand within a longer name.
secret_names() {
  local word list=""
  for word in password passwd passphrase secret token credential signing cookie authorization session key; do
    list="$list|$(any_case "$word")"
  done
  printf '%s' "${list#|}"
}

# A value: quoted, also with escaped quotes (JSON within a log line), or up to a blank or separator.
redaction_script() {
  local names name value
  names=$(secret_names)
  name="[A-Za-z0-9_.-]*($names)[A-Za-z0-9_.-]*"
  value='(\\"([^"\\]|\\[^"])*\\"|"([^"\\]|\\.)*"|'"'[^']*'"'|[^[:space:],;&"'"'"']+)'
  cat <<SED
/-----BEGIN [A-Z ]*PRIVATE KEY-----/,/-----END [A-Z ]*PRIVATE KEY-----/s/.*/[redacted key]/
s/eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)?/[redacted-token]/g
s/($(any_case bearer)|$(any_case basic))[[:space:]]+[A-Za-z0-9._~+\/=-]{4,}/\1 [redacted]/g
s/(AKIA|ASIA)[0-9A-Z]{12,}/[redacted]/g
s/([a-z][a-z0-9+.-]*:\/\/)[^\/@[:space:]"']+@/\1[redacted]@/g
s/((\\\\?["'])?$name(\\\\?["'])?[[:space:]]*[:=][[:space:]]*)$value/\1[redacted]/g
s/[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+/[redacted-email]/g
SED
}

# redact: stdin to stdout. The demo password goes by its value too, whatever stands around it.
redact() {
  local password=""
  if [ -z "${redaction:-}" ]; then redaction=$(redaction_script); fi
  if [ -r "$login_file" ]; then password=$(sed -n 's/.*"password":"\([A-Za-z0-9]*\)".*/\1/p' "$login_file"); fi
  LC_ALL=C tr -d '\000\033' | LC_ALL=C sed -E -e "s/${password:-a password that is not there}/[redacted]/g" -e "$redaction"
}

# keep FILE COMMAND...: the command's redacted output; a failing command leaves its message.
keep() {
  local file=$1
  shift
  { "$@" 2>&1 || printf '(exit code %s)\n' "$?"; } | redact >"$bundle_dir/$file"
}

disk_and_memory() {
  df -Pk . 2>&1
  if has free; then free -m; fi
  bounded 10 docker system df 2>&1
}

health_histories() {
  local id
  for id in $(project_containers); do
    docker inspect -f '===== {{index .Config.Labels "com.docker.compose.service"}}: {{json .State}}' "$id"
  done
}

service_logs() {
  local line service
  container_states | while IFS= read -r line; do
    service=$(state_field "$line" 1)
    keep "logs/$service.log" docker logs --timestamps --tail 300 "$(state_field "$line" 2)" </dev/null
  done
}

own_images() {
  docker image ls --filter "label=com.docker.compose.project=$project"
  docker image ls 'northstar-kit/*'
}

collect_bundle() {
  mkdir -p "$bundle_dir/logs"
  keep doctor.json print_checks_json
  keep system.txt uname -a
  keep disk-memory.txt disk_and_memory
  if [ -f "$build_log" ]; then keep build.log tail -n 2000 "$build_log"; fi
  if [ -f "$start_log" ]; then keep start.log cat "$start_log"; fi
  if has docker; then
    keep docker-version.txt docker version
    keep docker-info.txt docker info
  fi
  if [ -z "$engine_answers" ]; then return; fi
  if have_compose; then
    keep compose-config.yaml compose config
    keep ps.txt compose ps -a
  fi
  keep health.txt health_histories
  keep images.txt own_images
  service_logs
}

# write_bundle: prints the file's name. The checks must have run.
write_bundle() {
  local name stage bundle_dir
  name="doctor-bundle-$(date -u +%Y%m%dT%H%M%SZ)"
  stage=$(mktemp -d "${TMPDIR:-/tmp}/kit-bundle.XXXXXX")
  bundle_dir="$stage/$name"
  mkdir -p "$bundle_dir"
  collect_bundle
  (umask 077 && tar -C "$stage" -czf "$root/$name.tar.gz" "$name")
  rm -rf "$stage"
  printf '%s.tar.gz' "$name"
}
