# SPDX-License-Identifier: GPL-2.0-or-later
# Completes netracker's commands, options and values in bash. Needs bash 4.4 and nothing else.
#
# Names of processes, interfaces and namespaces may hold any byte. They are never passed to `compgen -W`, which would
# expand them like a shell, and are quoted before they are put into the command line.

# Offers the words that begin with the typed text.
_netracker_offer() {
	local typed=$1 word quoted
	shift
	for word; do
		printf -v quoted %q "$word"
		[[ $quoted != "$typed"* ]] || COMPREPLY+=("$quoted")
	done
}

# Offers words for the last item of a comma-separated list, without those that are already in the list.
_netracker_offer_list() {
	local typed=$1 before='' word
	shift
	[[ $typed == *,* ]] && before=${typed%,*},
	for word; do
		[[ ,$before == *",$word,"* || $before$word != "$typed"* ]] || COMPREPLY+=("$before$word")
	done
	compopt -o nospace
}

_netracker_offer_files() {
	compopt -o default
}

# Offers the names in a folder.
_netracker_offer_entries() {
	local typed=$1 folder=$2 path
	for path in "$folder"/*; do
		[[ ! -e $path ]] || _netracker_offer "$typed" "${path##*/}"
	done
}

_netracker_offer_processes() {
	local typed=$1 path
	for path in /proc/[0-9]*; do
		_netracker_offer "$typed" "${path#/proc/}"
	done
}

# Kernel threads own no connections; they are those without a command line. The x before a key: bash cannot use `@`.
_netracker_offer_process_names() {
	local typed=$1 path program name
	local -A names=()
	for path in /proc/[0-9]*; do
		{ IFS= read -rd '' program <"$path/cmdline" && IFS= read -r name <"$path/comm"; } 2>/dev/null || continue
		[[ $program && $name ]] && names[x$name]=1
	done
	for name in "${!names[@]}"; do
		_netracker_offer "$typed" "${name#x}"
	done
}

_netracker_offer_users() {
	local names
	mapfile -t names < <(compgen -u)
	_netracker_offer "$1" "${names[@]}"
}

# Offers the control groups of the unified hierarchy, or else of systemd's.
_netracker_offer_cgroups() {
	local typed=$1 root path
	for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
		[[ -e $root/cgroup.procs ]] && break
	done
	for path in "$root/${typed#/}"*/; do
		path=${path%/}
		[[ -d $path ]] && _netracker_offer "$typed" "${path#"$root"}"
	done
	compopt -o nospace
}

_netracker_offer_interfaces() {
	_netracker_offer_entries "$1" /sys/class/net
	[[ $2 ]] || _netracker_offer "$1" none
}

# from src/cli/option_table.c: begin
_netracker_options_of() {
	case $1 in
	detach) echo '-i --interface -q --quiet -v --verbose -h --help -V --version' ;;
	status) echo '-f --format --json -q --quiet -v --verbose -h --help -V --version' ;;
	attach) echo '-i --interface -q --quiet -v --verbose -h --help -V --version' ;;
	explain) echo '-p --pid -c --comm -u --user --cgroup --container --netns --net -L --local-port -D --remote-port -4 --ipv4 -6 --ipv6 --role --outcome -x --failed --min-duration --where --id --resolve -q --quiet -h --help -V --version' ;;
	ship) echo '--from --to --setup --once --password-file --token-file --ca-file --cert-file --key-file --biflow --kafka-config --cursors --compress --batch --timeout --host --redact --interval -t --time -q --quiet -v --verbose -h --help -V --version' ;;
	query) echo '-p --pid -c --comm -u --user --cgroup --container --netns --net -L --local-port -D --remote-port -4 --ipv4 -6 --ipv6 --role --outcome -x --failed --min-duration --where --id -S --since -U --until --at --from --password-file --token-file --ca-file --cert-file --key-file --timeout --threads -f --format --json -o --output --redact --columns --no-header --width --resolve --follow --by --print-sql --new --sort -r --reverse --summary --top -n --count --fail-if-any -q --quiet -h --help -V --version' ;;
	replay) echo '-p --pid -c --comm -u --user --cgroup --container --netns --net -L --local-port -D --remote-port -4 --ipv4 -6 --ipv6 --role --outcome -x --failed --min-duration --where --tunnels --memory --like -C --no-checksums -f --format --json -o --output --history --keep --host --redact --columns --no-header --width --resolve --events --summary --top --interval -n --count --fail-if-any -q --quiet -v --verbose -h --help -V --version' ;;
	list) echo '-p --pid -c --comm -u --user --cgroup --container --netns --net -L --local-port -D --remote-port -4 --ipv4 -6 --ipv6 --role --min-duration --state -l --listening --where -f --format --json -o --output --host --redact --columns --no-header --width --resolve --sort -r --reverse --watch --top -n --count --fail-if-any -q --quiet -v --verbose -h --help -V --version' ;;
	record) echo '-p --pid -c --comm -u --user --cgroup --container --netns --net -L --local-port -D --remote-port -4 --ipv4 -6 --ipv6 --role --outcome -x --failed --min-duration --where -i --interface --context --packets --forwarded --history --keep --metrics --metrics-programs --host --redact --resolve --events --interval -n --count -t --time --fail-if-any -q --quiet -v --verbose -h --help -V --version' ;;
	*) echo '-p --pid -c --comm -u --user --cgroup --container --netns --net -L --local-port -D --remote-port -4 --ipv4 -6 --ipv6 --role --outcome -x --failed --min-duration --where -i --interface --context --packets --forwarded -f --format --json -o --output --history --keep --metrics --metrics-programs --host --redact --columns --no-header --width --resolve --events --summary --top --interval -n --count -t --time --fail-if-any -q --quiet -v --verbose -h --help -V --version' ;;
	esac
}

# Offers the values of an option. Status 1: the option takes none.
_netracker_offer_values() {
	local option=$1 typed=$2 command=$3
	case $option in
	-p | --pid) _netracker_offer_processes "$typed" ;;
	-c | --comm) _netracker_offer_process_names "$typed" ;;
	-u | --user) _netracker_offer_users "$typed" ;;
	--cgroup) _netracker_offer_cgroups "$typed" ;;
	--container) ;;
	--netns) _netracker_offer_entries "$typed" /run/netns ;;
	--net) ;;
	-L | --local-port) ;;
	-D | --remote-port) ;;
	--role)
		case $command in
		explain) _netracker_offer_list "$typed" client server observer ;;
		query) _netracker_offer_list "$typed" client server observer ;;
		replay) _netracker_offer_list "$typed" client server observer ;;
		list) _netracker_offer_list "$typed" client server ;;
		record) _netracker_offer_list "$typed" client server observer ;;
		*) _netracker_offer_list "$typed" client server observer ;;
		esac ;;
	--outcome)
		case $command in
		explain) _netracker_offer_list "$typed" closed reset refused timeout unreachable expired open ;;
		query) _netracker_offer_list "$typed" closed reset refused timeout unreachable expired open ;;
		replay) _netracker_offer_list "$typed" closed reset refused timeout unreachable expired open ;;
		record) _netracker_offer_list "$typed" closed reset refused timeout unreachable expired open ;;
		*) _netracker_offer_list "$typed" closed reset refused timeout unreachable expired open ;;
		esac ;;
	--min-duration) ;;
	--state)
		case $command in
		list) _netracker_offer_list "$typed" established syn_sent syn_recv fin_wait1 fin_wait2 close_wait last_ack closing ;;
		esac ;;
	--where) ;;
	--id) ;;
	-S | --since) ;;
	-U | --until) ;;
	--at) ;;
	--from) _netracker_offer_files ;;
	--to) ;;
	--password-file) _netracker_offer_files ;;
	--token-file) _netracker_offer_files ;;
	--ca-file) _netracker_offer_files ;;
	--cert-file) _netracker_offer_files ;;
	--key-file) _netracker_offer_files ;;
	--kafka-config) _netracker_offer_files ;;
	--cursors) _netracker_offer_files ;;
	--compress)
		case $command in
		ship) _netracker_offer "$typed" gzip zstd none ;;
		esac ;;
	--batch) ;;
	--timeout) ;;
	--threads) ;;
	-i | --interface) _netracker_offer_interfaces "$typed" "$command" ;;
	--context)
		case $command in
		record) _netracker_offer_list "$typed" socket wire ;;
		*) _netracker_offer_list "$typed" socket wire ;;
		esac ;;
	--memory) ;;
	--like)
		case $command in
		replay) _netracker_offer "$typed" zeek ;;
		esac ;;
	-f | --format)
		case $command in
		status) _netracker_offer "$typed" text json ;;
		query) _netracker_offer "$typed" text json csv tsv ;;
		replay) _netracker_offer "$typed" text json csv tsv trace zeek ;;
		list) _netracker_offer "$typed" text json csv tsv ;;
		*) _netracker_offer "$typed" text json csv tsv trace zeek ;;
		esac ;;
	-o | --output) _netracker_offer_files ;;
	--history) _netracker_offer_files ;;
	--keep) ;;
	--metrics) ;;
	--metrics-programs) ;;
	--host) ;;
	--redact) _netracker_offer_files ;;
	--columns) _netracker_offer_list "$typed" time pid comm role src dst outcome handshake lasted age sent received retrans state rtt limited wait netns container reason gaps state-age recv-q send-q unacked cwnd local backlog max drops uid v id event host family src_ip src_port dst_ip dst_port community_id netns_name wire_src_ip wire_src_port wire_dst_ip wire_dst_port ifname vlan exe owner_by opener_pid cgroup start duration_ns first_fin_ns wire_duration_ns syn_synack_ns synack_ack_ns handshake_ns syn_finack_ns request_ns response_ns accept_wait_ns ended_by state_age_ns recv_queue_bytes send_queue_bytes unacked_bytes last_sent_ns last_received_ns conn_state history src_bytes dst_bytes src_packets dst_packets src_retransmits dst_retransmits rtt_us min_rtt_us limited_by seen complete last_request_ns last_response_ns backlog_max dual_stack ;;
	--width) ;;
	--by) ;;
	--sort) _netracker_offer "$typed" "${_netracker_fields[@]}" ;;
	--watch) ;;
	--events)
		case $command in
		replay) _netracker_offer_list "$typed" open close exit update listed ;;
		record) _netracker_offer_list "$typed" open close exit update ;;
		*) _netracker_offer_list "$typed" open close exit update ;;
		esac ;;
	--top) ;;
	--interval) ;;
	-n | --count) ;;
	-t | --time) ;;
	*) return 1 ;;
	esac
	return 0
}

# The letters of the options without a value.
_netracker_flags=46xlCrqvhV

# The fields of filters.
_netracker_fields=(host net src dst local remote port sport dport lport rport pid comm exe user cgroup container netns role state outcome by reason gap duration age handshake rtt sent recv bytes retrans limited machine interface)
# from src/cli/option_table.c: end

# Prints the option before the value, with or without `=` between them; of several letters in one word, the last.
_netracker_option_before() {
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	[[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
	[[ ${COMP_WORDS[COMP_CWORD]} == = ]] && before=${COMP_WORDS[COMP_CWORD - 1]}
	[[ $before =~ ^-[$_netracker_flags]+(.)$ ]] && before=-${BASH_REMATCH[1]}
	printf '%s\n' "$before"
}

_netracker() {
	local typed=${COMP_WORDS[COMP_CWORD]} command='' options
	[[ $typed == = ]] && typed=''
	((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} != -* ]] && command=${COMP_WORDS[1]}
	COMPREPLY=()
	_netracker_offer_values "$(_netracker_option_before)" "$typed" "$command" && return
	if [[ $typed == -* ]]; then
		read -ra options <<<"$(_netracker_options_of "$command")"
		_netracker_offer "$typed" "${options[@]}"
	elif ((COMP_CWORD == 1)); then
		_netracker_offer "$typed" record list replay query ship explain attach status detach help version
		[[ ! $typed ]] || _netracker_offer "$typed" "${_netracker_fields[@]}"
	elif [[ $command == help ]]; then
		((COMP_CWORD > 2)) || _netracker_offer "$typed" record list replay query ship explain attach status detach
	elif [[ $command == replay || $command == explain ]]; then
		_netracker_offer_files
	elif [[ $command != attach && $command != status && $command != detach && $command != version ]]; then
		_netracker_offer "$typed" and or not "${_netracker_fields[@]}"
	fi
}

complete -F _netracker netracker
