# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the topic files share variables; kit.sh loads them all
# Images: pulled bases on a connected host, bases from packages on a closed one, and a build only when something changed.

pullable_base="debian:$debian_suite-slim"
closed_base="northstar-kit/base:$debian_suite"
emulator_version=528.0.0
closed_emulator="northstar-kit/firestore-emulator:$emulator_version"
emulator_folder="google-cloud-sdk/platform/cloud-firestore-emulator"
standin_label="northstar.firestore"
hidane_version=0.6.0
cargo_minimum=1.88
build_hash_file="$kit_dir/build.hash"

image_exists() { docker image inspect "$1" >/dev/null 2>&1; }
image_id() { docker image inspect -f '{{.Id}}' "$1" 2>/dev/null || true; }

# decide_mode [again]: connected where the base image is there or can be pulled, closed elsewhere. Remembered in .env.
decide_mode() {
  if [ -n "$mode" ] && [ "${1:-}" != again ]; then return; fi
  if image_exists "$pullable_base" || bounded 20 docker pull -q "$pullable_base" >/dev/null 2>&1; then
    mode=connected
  else
    mode=closed
  fi
}

# --- bases of a closed host ------------------------------------------------------------------------------------------

make_base_image() {
  local started=$SECONDS
  ensure_mmdebstrap
  note "no registry answers: making $closed_base from Debian packages (about 20 s)"
  if ! make_root_file_system 2>>"$build_log" |
    docker import -c "LABEL org.opencontainers.image.title=debian-$debian_suite" - "$closed_base" >>"$build_log" 2>&1; then
    docker image rm "$closed_base" >/dev/null 2>&1 || true
    explain_build_failure "the base image" "$build_log"
  fi
  row "base image" "made in $((SECONDS - started)) s"
}

# import_emulator FOLDER LABEL: FOLDER becomes the emulator folder of an image that one Dockerfile serves from.
import_emulator() {
  local stage
  stage=$(mktemp -d "${TMPDIR:-/tmp}/kit-emulator.XXXXXX")
  mkdir -p "$stage/$emulator_folder"
  cp "$1"/* "$stage/$emulator_folder/"
  chmod -R a+rX "$stage"
  if ! tar -C "$stage" -cf - google-cloud-sdk | docker import -c "LABEL $standin_label=$2" - "$closed_emulator" >>"$build_log" 2>&1; then
    rm -rf "$stage"
    explain_build_failure "the Firestore emulator's image" "$build_log"
  fi
  rm -rf "$stage"
}

can_build_hidane() {
  [ "$(uname -s)" = Linux ] && has cargo && version_ge "$(cargo --version 2>/dev/null | cut -d' ' -f2)" "$cargo_minimum"
}

make_hidane_image() {
  local dir started=$SECONDS
  dir=$(mktemp -d "${TMPDIR:-/tmp}/kit-hidane.XXXXXX")
  note "no Cloud SDK here: building the second Firestore stand-in, hidane $hidane_version, with cargo (about 2 min)"
  run_in_background cargo install --quiet --locked --version "$hidane_version" --root "$dir" --target-dir "$dir/target" \
    hidane >>"$build_log" 2>&1
  if ! wait "$background_pid"; then
    rm -rf "$dir"
    explain_build_failure "hidane" "$build_log"
  fi
  import_emulator "$dir/bin" "hidane-$hidane_version"
  rm -rf "$dir"
  row "firestore base" "hidane $hidane_version built in $((SECONDS - started)) s"
}

make_emulator_image() {
  local sdk version
  sdk=$(cloud_sdk_root)
  if [ -n "$sdk" ]; then
    version=$(head -n 1 "$sdk/VERSION" 2>/dev/null || true)
    import_emulator "$sdk/platform/cloud-firestore-emulator" "google-${version:-unknown}"
    row "firestore base" "Google's emulator of the installed Cloud SDK ${version:-(unknown version)}"
    if [ "$version" != "$emulator_version" ]; then note "measured and tested with $emulator_version"; fi
  elif can_build_hidane; then
    make_hidane_image
  else
    die FIRESTORE-BASE "no registry answers, no Cloud SDK with the Firestore emulator is installed, and no cargo $cargo_minimum or newer" \
      "install the Cloud SDK component cloud-firestore-emulator, or Rust's cargo $cargo_minimum, or give Docker a registry it can reach"
  fi
}

# ensure_bases [again]
ensure_bases() {
  if [ "$mode" != closed ]; then return; fi
  if [ "${1:-}" = again ] || ! image_exists "$closed_base"; then make_base_image; fi
  if [ "${1:-}" = again ] || ! image_exists "$closed_emulator"; then make_emulator_image; fi
}

# emulator_in_use: google or hidane, from the running container; nothing when it doesn't run. The firestore image's
# supervisor chooses by the same two files.
emulator_in_use() {
  local id
  id=$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=firestore 2>/dev/null |
    sed -n 1p || true)
  if [ -z "$id" ]; then return; fi
  bounded 10 docker exec "$id" sh -c \
    'if [ -x /emulator/hidane ]; then echo hidane; elif [ -f /emulator/cloud-firestore-emulator.jar ]; then echo google; fi' 2>/dev/null || true
}

# firestore_standin: one phrase for people. The running container knows which; the base image's label knows the version.
firestore_standin() {
  local label="" kind
  kind=$(emulator_in_use)
  if [ "$mode" = closed ]; then
    label=$(docker image inspect -f "{{index .Config.Labels \"$standin_label\"}}" "$closed_emulator" 2>/dev/null || true)
  else
    label="google-$emulator_version"
  fi
  case ${kind:-${label%%-*}} in
    google)
      if [ "$label" = "${label#google-}" ]; then label="google-$emulator_version"; fi
      printf "Google's emulator, Cloud SDK %s" "${label#google-}" ;;
    hidane) printf 'hidane %s, the second stand-in (no Cloud SDK on this host)' "$hidane_version" ;;
    *) printf unknown ;;
  esac
}

# --- build -----------------------------------------------------------------------------------------------------------

# "service image" of every service that is built, once per image, from Compose's normalized view.
built_images() {
  compose config 2>/dev/null | awk -v project="$project" '
    function flush() {
      if (service != "" && build) {
        if (image == "") image = project "-" service
        if (!(image in seen)) print service, image
        seen[image] = 1
      }
      service = image = ""; build = 0
    }
    /^[a-z]/ { flush(); inside = ($1 == "services:"); next }
    inside && /^  [^ ]/ { flush(); service = $1; sub(/:$/, "", service); next }
    inside && /^    build:/ { build = 1 }
    inside && /^    image:/ { image = $2 }
    END { flush() }
  ' || true
}

# The services that have an image; compose.yaml may be broken where this is asked.
image_services="bossman secrets firestore bigquery bigquery-init objectstore s3"

# project_images: "name|id|size" a line. By label and by name: images from a bundle carry the label of the project that saved them, and
# may have other names besides. A name is ours as a whole only: another project's may begin with this one's.
project_images() {
  local filter
  for filter in "label=com.docker.compose.project=$project" "reference=$project-*"; do
    docker image ls --filter "$filter" --format '{{.Repository}}:{{.Tag}}|{{.ID}}|{{.Size}}'
  done | sort -u | awk -F: -v project="$project" -v services="$image_services" '
    BEGIN { count = split(services, names, " "); for (i = 1; i <= count; i++) ours[project "-" names[i]] = 1 }
    $1 == "<none>" || $1 in ours'
}

images_exist() {
  local _service image
  while read -r _service image; do
    if ! image_exists "$image"; then return 1; fi
  done <<<"$(built_images)"
}

# What a build depends on: the files that reach it, the bases, the mode and the profiles.
build_inputs() {
  printf '%s %s %s %s\n' "$mode" "$profiles" "$(image_id "$closed_base")" "$(image_id "$closed_emulator")"
  build_files
}

# Tests don't reach an image.
build_files() {
  (cd "$root" && find engines requirements compose pyproject.toml compose.yaml .dockerignore \
    \( -name __pycache__ -o -name tests -o -name '*.md' \) -prune -o -type f -print 2>/dev/null |
    LC_ALL=C sort | while IFS= read -r file; do cksum "$file"; done)
}

# One line after a build; one for each profile that has its images after a load of them.
build_is_current() { grep -qxF "$1" "$build_hash_file" 2>/dev/null && images_exist; }

# Proxies of the shell reach a build only by name; BuildKit keeps these arguments out of the image's history.
proxy_arguments() {
  local name
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    if [ -n "${!name:-}" ]; then printf -- '--build-arg %s ' "$name"; fi
  done
}

# A custom CA: pip's own variable, else the bundle that OpenSSL uses. Compose mounts it as a build secret.
export_ca() {
  local ca=${PIP_CERT:-${SSL_CERT_FILE:-}}
  case $ca in
    '') return ;;
    /*) ;;
    *) ca="$PWD/$ca" ;;
  esac
  export PIP_CERT=$ca
}

# The commit that /healthz names, with -dirty where files differ from it; empty outside of git.
commit_argument() {
  local commit
  case $1 in bossman | secrets) ;; *) return ;; esac
  commit=$(git -C "$root" describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || true)
  printf -- '--build-arg COMMIT=%s' "$commit"
}

build_one() {
  local extra=""
  if [ "$mode" = connected ] && [ -n "${fresh:-}" ]; then extra=--pull; fi
  # shellcheck disable=SC2046,SC2086  # both are lists of words without blanks
  DOCKER_BUILDKIT=1 BUILDKIT_PROGRESS=plain compose build $extra $(proxy_arguments) $(commit_argument "$1") "$1"
}

# Prints a line per image as it is ready. Fails with the log of the first image that fails.
build_images() {
  local services="" service image pids="" pid rest started=$SECONDS
  while read -r service image; do
    if [ -z "$service" ]; then continue; fi
    run_in_background build_one "$service" >"$kit_dir/build-$service.log" 2>&1
    pids="$pids $service:$background_pid"
    services="$services $service"
  done <<<"$(built_images)"
  say "building$services: log in .kit/build.log"
  while [ -n "$pids" ]; do
    rest=""
    for pid in $pids; do
      service=${pid%%:*}
      if kill -0 "${pid#*:}" 2>/dev/null; then
        rest="$rest $pid"
      elif wait "${pid#*:}"; then
        row "built" "$service ($((SECONDS - started)) s)"
      else
        end_background
        collect_build_logs "$services"
        explain_build_failure "$service" "$kit_dir/build-$service.log"
      fi
    done
    pids=$rest
    sleep 0.5
  done
  collect_build_logs "$services"
}

collect_build_logs() {
  local service
  for service in $1; do
    printf '\n===== %s =====\n' "$service"
    cat "$kit_dir/build-$service.log" 2>/dev/null || true
  done >>"$build_log"
}

# ensure_images [again]
ensure_images() {
  local wanted
  wanted=$(build_inputs | digest)
  if [ "${1:-}" != again ] && build_is_current "$wanted"; then
    row "images" "up to date"
    return
  fi
  fresh=${1:-}
  build_images
  printf '%s\n' "$wanted" >"$build_hash_file"
}

# explain_build_failure WHAT LOG: the end of the log, and the cause where it is a known one.
explain_build_failure() {
  local what=$1 log=$2
  problem "--- last 30 lines of ${log#"$root/"} ---"
  tail -n 30 "$log" >&2
  die BUILD "building $what failed: $(known_cause "$log")" "$(known_cure "$log")"
}

# The first pattern that matches names the cause; the order goes from specific to general.
known_cause_code() {
  local recent
  recent=$(tail -n 200 "$1" 2>/dev/null | tr -d '\000')
  matches() { printf '%s' "$recent" | grep -Eqi "$1"; }
  if matches 'no space left on device'; then printf disk
  elif matches 'certificate verify failed|x509:|SSLError|self.signed certificate|certificate verification failed'; then printf ca
  elif matches 'exec format error'; then printf arch
  elif matches 'bad interpreter|\^M|\\r'"'"': (command )?not found'; then printf crlf
  elif matches 'DO NOT MATCH THE HASHES'; then printf hashes
  elif matches 'No matching distribution|Unable to locate package|Version .* for .* was not found'; then printf missing
  elif matches 'pull access denied|failed to resolve source metadata|manifest unknown|toomanyrequests|failed to do request'; then printf pull
  elif matches 'failure resolving|not resolve|no such host|not known|connect:|timed out|unreachable|ProxyError|407 Proxy'; then printf network
  elif matches 'exit code: 137|signal: killed|Killed'; then printf memory
  else printf unknown; fi
}

known_cause() {
  case $(known_cause_code "$1") in
    disk) printf 'the disk is full' ;;
    ca) printf "a package server's certificate is not trusted inside the build" ;;
    arch) printf "an image is made for another processor type than this engine's" ;;
    crlf) printf 'a script has Windows line ends (CRLF)' ;;
    hashes) printf 'a downloaded package differs from the locked one' ;;
    missing) printf 'the package mirror does not have a package in the locked version' ;;
    pull) printf 'an image cannot be pulled' ;;
    network) printf 'the build has no way to the package servers' ;;
    memory) printf 'a build step was killed, most likely for lack of memory' ;;
    *) printf 'see the lines above' ;;
  esac
}

known_cure() {
  case $(known_cause_code "$1") in
    disk) printf 'free space (docker system df shows what Docker holds), then ./scripts/up' ;;
    ca) printf 'set PIP_CERT to the file with your CA certificates (PEM), then ./scripts/up' ;;
    arch) printf './scripts/up --rebuild' ;;
    crlf) printf 'git config core.autocrlf false, then check the files out again' ;;
    hashes) printf 'ask who runs the package mirror; do not take the hashes out' ;;
    missing) printf 'let the mirror sync, or lock a version that it has (CONTRIBUTING.md)' ;;
    pull) printf 'docker login, or wait when the registry limits pulls; when no registry is reachable any more: ./scripts/up --rebuild' ;;
    network) printf 'behind a proxy, set HTTP_PROXY and HTTPS_PROXY (and PIP_CERT for its CA); then ./scripts/up' ;;
    memory) printf 'give Docker more memory, or close other programs, then ./scripts/up' ;;
    *) printf 'full log: .kit/build.log; then ./scripts/up continues where it stopped' ;;
  esac
}
