# Completion of netracker's commands, options and values in bash; needs nothing beside bash 4.4.
#
# Names of processes, interfaces and namespaces may hold any byte: they never go through `compgen -W`, which would
# expand them as a shell does, and they are quoted before they reach the command line.

# Adds those of the words that begin as what was typed.
_netracker_offer() {
	local typed=$1 word quoted
	shift
	for word; do
		printf -v quoted %q "$word"
		[[ $quoted != "$typed"* ]] || COMPREPLY+=("$quoted")
	done
}

# The same for the last item of a list with commas; those that stand before it are not offered again.
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

# The names in a folder.
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

# Kernel threads, which have no command line, own no connection. The x: `@` is no key.
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

# Control groups below the root of the unified hierarchy, or of systemd's.
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

_netracker_options_of() {
	local all='-h --help -V --version -q --quiet' notes='-v --verbose' output='-f --format -o --output --host -n --count'
	local packets='-4 --ipv4 -6 --ipv6 --net -L --local-port -D --remote-port --min-duration'
	local owners='-p --pid -c --comm -u --user --cgroup --container --netns --role'
	local ends='--outcome -x --failed --events --summary --interval'

	case $1 in
	list) echo "$all $notes $output $packets $owners" ;;
	replay) echo "$all $notes $output $packets $ends --tunnels --like -C --no-checksums" ;;
	explain) echo "$all --id" ;;
	attach | detach) echo "$all $notes -i --interface" ;;
	status) echo "$all $notes -f --format" ;;
	*) echo "$all $notes $output $packets $owners $ends -i --interface -t --time --context --packets --forwarded" ;;
	esac
}

_netracker_offer_formats() {
	case $2 in
	status) _netracker_offer "$1" text json ;;
	list) _netracker_offer "$1" text json csv tsv ;;
	*) _netracker_offer "$1" text json csv tsv trace zeek ;;
	esac
}

_netracker_offer_interfaces() {
	_netracker_offer_entries "$1" /sys/class/net
	[[ $2 ]] || _netracker_offer "$1" none
}

_netracker_offer_events() {
	local events=(open close exit)
	[[ $2 == replay ]] || events+=(update)
	_netracker_offer_list "$1" "${events[@]}"
}

_netracker_offer_roles() {
	local roles=(client server)
	[[ $2 == list ]] || roles+=(observer)
	_netracker_offer_list "$1" "${roles[@]}"
}

# The values of an option; status 1: it takes none.
_netracker_offer_values() {
	local option=$1 typed=$2 command=$3
	case $option in
	-f | --format) _netracker_offer_formats "$typed" "$command" ;;
	-i | --interface) _netracker_offer_interfaces "$typed" "$command" ;;
	-p | --pid) _netracker_offer_processes "$typed" ;;
	-c | --comm) _netracker_offer_process_names "$typed" ;;
	-u | --user) _netracker_offer_users "$typed" ;;
	-o | --output) _netracker_offer_files ;;
	--cgroup) _netracker_offer_cgroups "$typed" ;;
	--netns) _netracker_offer_entries "$typed" /run/netns ;;
	--role) _netracker_offer_roles "$typed" "$command" ;;
	--outcome) _netracker_offer_list "$typed" closed reset refused timeout unreachable expired open ;;
	--events) _netracker_offer_events "$typed" "$command" ;;
	--context) _netracker_offer_list "$typed" socket wire ;;
	--like) _netracker_offer "$typed" zeek ;;
	-L | --local-port | -D | --remote-port | -n | --count | -t | --time) ;;
	--container | --net | --min-duration | --interval | --host | --id) ;;
	*) return 1 ;;
	esac
	return 0
}

# What a value is for: the option before it, its last letter where there are several in one word; with `=` in between.
_netracker_option_before() {
	local before=${COMP_WORDS[COMP_CWORD - 1]}
	[[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
	[[ ${COMP_WORDS[COMP_CWORD]} == = ]] && before=${COMP_WORDS[COMP_CWORD - 1]}
	[[ $before =~ ^-[46CVhqvx]+(.)$ ]] && before=-${BASH_REMATCH[1]}
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
		_netracker_offer "$typed" list replay explain attach status detach
	elif [[ $command == replay || $command == explain ]]; then
		_netracker_offer_files
	fi
}

complete -F _netracker netracker
