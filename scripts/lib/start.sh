# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# The steps from a checkout to a running stack, which up and restore share.

# preflight SCRIPT [PORT]
preflight() {
  heading "Checking this host"
  host_checks may-install "${2:-}"
  print_checks skip-pass
  if [ "$(count_status fail)" -gt 0 ]; then
    say "Nothing was changed. After the cures above: ./scripts/$1"
    exit 1
  fi
  say "$(count_status pass) checks passed"
  check_status=() check_code=() check_summary=() check_cure=()
  if ! have_compose || ! have_buildx; then install_plugins; fi
}

# Compose's verdict on the files comes before anything is built.
validate_files() {
  check_config
  if [ "$(count_status fail)" -gt 0 ]; then
    print_checks
    exit 1
  fi
}

# prepare_images [again]
prepare_images() {
  heading "Images ($mode host)"
  ensure_bases "${1:-}"
  validate_files
  ensure_images "${1:-}"
}

print_summary() {
  local url service
  url="http://127.0.0.1:$(host_port bossman)"
  heading "Ready in $SECONDS s"
  if [ -n "$own_bossman" ]; then
    row "Bossman" "$url, your own image $own_bossman, answers at $(own_route)"
  else
    row "Bossman" "$url"
    row "page" "$url/bossman/ (sign in with the demo login)"
    row "all tenants" "$url/bossman/onboarding"
    row "API docs" "$url/docs"
    row "health" "$url/healthz"
  fi
  for service in $(expected_services); do
    if [ "$service" != bossman ] && ! is_job "$service"; then row "$service" "http://127.0.0.1:$(host_port "$service")"; fi
  done
  row "events go to" "$(sink_in_use)"
  row "Firestore is" "$(firestore_standin)"
  row "demo login" "$demo_email, password in .kit/demo-login.json"
  row "demo tenant" "$tenant_id"
  print_restored "$(state_restored "")"
  print_unproven
}

# What an image of one's own leaves open: no failure, and no proof either.
print_unproven() {
  local lines line
  if [ -z "$own_bossman" ]; then return; fi
  lines=$(unproven)
  if [ -z "$lines" ]; then return; fi
  heading "Unproven, since Bossman is an image of your own (docs/CARRY_OVER.md)"
  while IFS= read -r line; do say "$line"; done <<<"$lines"
}

# The last lines, so that nobody misses them.
print_restored() {
  if [ -z "$1" ]; then return; fi
  problem "The state store $1"
  say "store it again where you can; once you know: ./scripts/verify acknowledge --state"
}
