/* `netracker attach`: programs that stay on an interface without a process. */
#include "src/cli/options.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/kernel/bpf_object.h"
#include "src/attach/attach_hooks.h"
#include "src/attach/attach_pins.h"
#include "src/kernel/interfaces.h"
#include "src/kernel/loader.h"
#include "src/util/message.h"
#include "src/attach/mounts.h"
#include "src/kernel/net_namespace.h"

#define CONNECTIONS_PER_GIGABYTE 8192
#define CONNECTIONS_SMALLEST 4096
#define CONNECTIONS_LARGEST 65536

static const char *const map_names[] = {"attached_by", "books", "connections"};
#define MAPS (sizeof(map_names) / sizeof(*map_names))

/* A small file's first word; "": it cannot be read. */
static void read_word(const char *path, char *word, size_t size)
{
	FILE *file = fopen(path, "re");

	word[0] = '\0';
	if (!file)
		return;
	if (fgets(word, size, file))
		word[strcspn(word, "\n")] = '\0';
	fclose(file);
}

static void describe_parent(struct classic_attachment *attachment)
{
	char path[64];

	attachment->parent_pid = getppid();
	snprintf(path, sizeof(path), "/proc/%u/comm", attachment->parent_pid);
	read_word(path, attachment->parent_comm, sizeof(attachment->parent_comm));
}

static void describe_attacher(struct classic_attachment *attachment)
{
	char login[16];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	attachment->when_ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	attachment->uid = getuid();
	read_word("/proc/self/loginuid", login, sizeof(login));
	attachment->login_uid = *login ? strtoul(login, NULL, 10) : ~0U;
	attachment->pid = getpid();
	read_word("/proc/self/comm", attachment->comm, sizeof(attachment->comm));
	describe_parent(attachment);
	snprintf(attachment->version, sizeof(attachment->version), "%s", NETRACKER_VERSION);
}

static void describe(struct classic_attachment *attachment, const char *interface, unsigned int ifindex)
{
	memset(attachment, 0, sizeof(*attachment));
	attachment->layout = CLASSIC_LAYOUT;
	attachment->ifindex = ifindex;
	attachment->netns = net_namespace_own();
	attachment->only_egress = interface_is_loopback(interface);
	snprintf(attachment->interface, sizeof(attachment->interface), "%s", interface);
	describe_attacher(attachment);
}

/* Loads a copy of the programs with tables of their own. */
static int load(struct bpf_object **object)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "classic");
	int error;

	*object = bpf_object__open_mem(attach_bpf_object, attach_bpf_object_end - attach_bpf_object, &options);
	if (!*object)
		return loader_explain_failure(-errno, "");
	bpf_map__set_max_entries(bpf_object__find_map_by_name(*object, "connections"),
				 sized_for_machine(CONNECTIONS_PER_GIGABYTE, CONNECTIONS_SMALLEST, CONNECTIONS_LARGEST));
	error = bpf_object__load(*object);
	return error ? loader_explain_failure(error, "") : EXIT_STATUS_DONE;
}

static int pin(const char *directory, const char *name, int fd)
{
	char path[512];

	classic_pin_path(path, sizeof(path), directory, name);
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

static int pin_maps(const struct bpf_object *object, const char *directory)
{
	int error = 0;
	size_t i;

	for (i = 0; i < MAPS && !error; i++)
		error = pin(directory, map_names[i], bpf_object__find_map_fd_by_name(object, map_names[i]));
	return error;
}

static int write_attachment(const struct bpf_object *object, const struct classic_attachment *attachment)
{
	__u32 zero = 0;
	int map = bpf_object__find_map_fd_by_name(object, "attached_by");

	return bpf_map_update_elem(map, &zero, attachment, BPF_ANY) ? -errno : 0;
}

/* All that is needed to show and to remove is pinned before anything stays attached. */
static int pin_all(const struct bpf_object *object, const char *directory, const struct classic_attachment *attachment,
		   const int holders[CLASSIC_WAYS])
{
	int error = write_attachment(object, attachment), way;

	if (!error)
		error = pin_maps(object, directory);
	for (way = attachment->only_egress; way < CLASSIC_WAYS && !error; way++)
		error = pin(directory, classic_way_names[way], holders[way]);
	return error;
}

static int attach_by_tcx(const struct bpf_object *object, const char *directory, struct classic_attachment *attachment,
			 const int programs[CLASSIC_WAYS])
{
	int links[CLASSIC_WAYS], error, way;

	attachment->hook = CLASSIC_TCX;
	error = classic_tcx_attach(attachment, programs, links);
	if (error)
		return error;
	error = pin_all(object, directory, attachment, links);
	for (way = 0; way < CLASSIC_WAYS; way++)
		if (links[way] >= 0)
			close(links[way]);
	return error;
}

static void take_off_filters(const struct classic_attachment *attachment, const int programs[CLASSIC_WAYS])
{
	int way;

	for (way = 0; way < CLASSIC_WAYS; way++)
		classic_hook_detach(attachment, way, programs[way]);
	classic_qdisc_let_go(attachment);
}

static int attach_by_clsact(const struct bpf_object *object, const char *directory,
			    struct classic_attachment *attachment, const int programs[CLASSIC_WAYS])
{
	int made = classic_clsact_prepare(attachment->ifindex), error;

	if (made < 0)
		return made;
	attachment->hook = CLASSIC_CLSACT;
	attachment->made_qdisc = made;
	error = pin_all(object, directory, attachment, programs);
	if (!error)
		error = classic_clsact_attach(attachment, programs);
	if (error)
		take_off_filters(attachment, programs);
	return error;
}

static int explain_attach_failure(const char *interface, int error)
{
	if (error == -ENODEV) {
		message_error("interface %s: it vanished; ip link shows those there are", interface);
		return EXIT_STATUS_INTERFACE;
	}
	if (error == -ENOENT) {
		message_error("cannot attach to interface %s: the kernel lacks the clsact qdisc or the bpf classifier; "
			      "modprobe sch_ingress cls_bpf", interface);
		return EXIT_STATUS_KERNEL;
	}
	if (error == -EEXIST) {
		message_error("cannot attach to interface %s: an ingress qdisc is in the way of clsact, or a filter of the "
			      "same priority; tc qdisc show dev %s shows it", interface, interface);
		return EXIT_STATUS_KERNEL;
	}
	message_error("cannot attach to interface %s: %s; see docs/kernels.md for what it needs", interface,
		      strerror(-error));
	return error == -EPERM ? EXIT_STATUS_PRIVILEGES : EXIT_STATUS_KERNEL;
}

static int attach_loaded(const struct bpf_object *object, const char *directory,
			 struct classic_attachment *attachment)
{
	const int programs[CLASSIC_WAYS] = {
		bpf_program__fd(bpf_object__find_program_by_name(object, "classic_in")),
		bpf_program__fd(bpf_object__find_program_by_name(object, "classic_out")),
	};
	int error = attach_by_tcx(object, directory, attachment, programs);

	if (error == -EINVAL) /* before Linux 6.6 */
		error = attach_by_clsact(object, directory, attachment, programs);
	if (!error)
		return EXIT_STATUS_DONE;
	classic_unpin(directory);
	return explain_attach_failure(attachment->interface, error);
}

static int make_directory(const char *directory, const char *interface)
{
	char path[512];

	mkdir(CLASSIC_PINS, 0700);
	snprintf(path, sizeof(path), CLASSIC_PINS "/%s", directory);
	if (!mkdir(path, 0700))
		return EXIT_STATUS_DONE;
	if (errno == EEXIST) {
		message_error("interface %s: %s is taken by what an earlier attach left; netracker status shows it, "
			      "netracker detach -i %s removes it", interface, path, interface);
		return EXIT_STATUS_INTERFACE;
	}
	message_error("cannot make %s: %s; bpffs must be writable", path, strerror(errno));
	return errno == EPERM || errno == EACCES ? EXIT_STATUS_PRIVILEGES : EXIT_STATUS_BROKEN;
}

/* A second copy would print each line twice. */
static int refuse_second(const char *interface, unsigned int ifindex)
{
	struct classic_entries entries;
	const struct classic_entry *found;
	int status = EXIT_STATUS_DONE;

	classic_entries_read(&entries);
	found = classic_find(&entries, ifindex);
	if (found) {
		message_error("interface %s: netracker is attached to it already, by pid %u (%.16s); netracker status "
			      "shows it, netracker detach -i %s removes it", interface, found->attachment.pid,
			      found->attachment.parent_comm, interface);
		status = EXIT_STATUS_INTERFACE;
	}
	classic_entries_free(&entries);
	return status;
}

static int attach_to(const char *interface)
{
	unsigned int ifindex = if_nametoindex(interface);
	struct classic_attachment attachment;
	struct bpf_object *object = NULL;
	char directory[128];
	int status;

	if (!ifindex) {
		message_error("interface %s: there is none of this name; ip link shows those there are", interface);
		return EXIT_STATUS_INTERFACE;
	}
	status = refuse_second(interface, ifindex);
	if (status == EXIT_STATUS_DONE)
		status = load(&object);
	if (status == EXIT_STATUS_DONE) {
		describe(&attachment, interface, ifindex);
		classic_pins_name(directory, sizeof(directory), interface, attachment.netns);
		status = make_directory(directory, interface);
	}
	if (status == EXIT_STATUS_DONE)
		status = attach_loaded(object, directory, &attachment);
	bpf_object__close(object);
	rmdir(CLASSIC_PINS); /* where it is empty */
	if (status == EXIT_STATUS_DONE)
		message_note("attached to %s; bpftool prog tracelog shows its lines, netracker detach -i %s removes it",
			     interface, interface);
	return status;
}

int attach_run(const struct options *options)
{
	int status = classic_may("attach"), lock = -1;
	unsigned int i;

	if (status == EXIT_STATUS_DONE)
		status = mounts_need_bpffs();
	if (status == EXIT_STATUS_DONE)
		status = classic_lock(&lock);
	if (status != EXIT_STATUS_DONE)
		return status;
	mounts_want_tracefs();
	for (i = 0; i < options->interfaces.count && status == EXIT_STATUS_DONE; i++)
		status = attach_to(options->interfaces.names[i]);
	classic_unlock(lock);
	return status;
}
