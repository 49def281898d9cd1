# shellcheck shell=bash
# Source this one: it finds the checkout, loads every topic file and the checkout's state. It changes nothing.
#   . "$(dirname "$0")/lib/kit.sh"
# shellcheck disable=SC2034  # the topic files use these

called_from=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
compose_minimum=2.24.4
engine_minimum=20.10

# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=common.sh
. "$root/scripts/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=output.sh
. "$root/scripts/lib/output.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=lock.sh
. "$root/scripts/lib/lock.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=host.sh
. "$root/scripts/lib/host.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=python.sh
. "$root/scripts/lib/python.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=state.sh
. "$root/scripts/lib/state.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=ports.sh
. "$root/scripts/lib/ports.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=images.sh
. "$root/scripts/lib/images.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=stack.sh
. "$root/scripts/lib/stack.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=checks.sh
. "$root/scripts/lib/checks.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=live_checks.sh
. "$root/scripts/lib/live_checks.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=store_checks.sh
. "$root/scripts/lib/store_checks.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=own_bossman.sh
. "$root/scripts/lib/own_bossman.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=start.sh
. "$root/scripts/lib/start.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=volumes.sh
. "$root/scripts/lib/volumes.sh"
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=bundle.sh
. "$root/scripts/lib/bundle.sh"

export_ca
cd "$root" || exit 1
load_state
trap on_interrupt INT TERM
