/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners: reads the process that is running now, and describes each process to user space once. */
#ifndef NETRACKER_BPF_OWNER_H
#define NETRACKER_BPF_OWNER_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_process_id);
	__type(value, __u8);
} described_processes SEC(".maps");

static __always_inline struct kernfs_node *read_kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___rcu *newer = (void *)node;

	if (bpf_core_field_exists(newer->__parent))
		return BPF_CORE_READ(newer, __parent);
	return BPF_CORE_READ(node, parent);
}

/* The number of control group hierarchies that a process can be in: the unified one, and those of version 1. */
#define HIERARCHIES 16
/* A container's id has 64 digits. */
#define NAME_WITH_ID 64
#define LEVELS_TO_ID 8

/* A buffer for names of which only the length is used. It is not on the stack, whose 512 bytes serve all functions in a
 * chain of calls. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[NAME_WITH_ID + 8]);
} names_for_length SEC(".maps");

static __always_inline bool has_memory_controller(struct cgroup_root *root)
{
	__u32 memory;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id___any, memory_cgrp_id___any))
		return false;
	memory = bpf_core_enum_value(enum cgroup_subsys_id___any, memory_cgrp_id___any);
	return BPF_CORE_READ(root, subsys_mask) >> memory & 1;
}

static __always_inline bool is_systemd_hierarchy(struct cgroup_root *root)
{
	__u64 name = 0, systemd;

	__builtin_memcpy(&systemd, "systemd", sizeof(systemd));
	bpf_probe_read_kernel(&name, sizeof(name), (void *)root + bpf_core_field_offset(root->name));
	return name == systemd;
}

/* Ranks a process's cgroup in one hierarchy by how well it identifies the service or container. Returns 0 for the root.
 * systemd's tree is complete, but container managers may not use it, or not the unified one; so a name that is long
 * enough for a container's id ranks higher. A global function with pointers as numbers, so that the verifier checks it
 * only once. */
__noinline int rank_cgroup(__u64 cgroup_address, __u64 unified)
{
	struct cgroup *cgroup = (void *)cgroup_address;
	struct cgroup_root *root = BPF_CORE_READ(cgroup, root);
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);
	__u32 i, zero = 0;
	char *name = bpf_map_lookup_elem(&names_for_length, &zero);
	int rank = 1;

	if (!name || !read_kernfs_parent(node))
		return 0;
	if (is_systemd_hierarchy(root))
		rank = 4;
	else if (cgroup_address == unified)
		rank = 3;
	else if (has_memory_controller(root))
		rank = 2;
	for (i = 0; i < LEVELS_TO_ID && node; i++) {
		if (bpf_probe_read_kernel_str(name, NAME_WITH_ID + 2, BPF_CORE_READ(node, name)) > NAME_WITH_ID)
			return rank + 4;
		node = read_kernfs_parent(node);
	}
	return rank;
}

/* Returns the address of the cgroup with the highest rank. A css_set has one cgroup in each hierarchy. */
__noinline __u64 select_cgroup(__u64 set_address)
{
	struct css_set *set = (void *)set_address;
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp), *best = unified;
	struct list_head *link = BPF_CORE_READ(set, cgrp_links.next);
	__u64 links = set_address + bpf_core_field_offset(set->cgrp_links);
	int i, most = 0;

	for (i = 0; i < HIERARCHIES && (__u64)link != links; i++) {
		struct cgrp_cset_link *whole = (void *)link - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
		struct cgroup *cgroup = BPF_CORE_READ(whole, cgrp);
		int rank = rank_cgroup((__u64)cgroup, (__u64)unified);

		if (rank > most) {
			most = rank;
			best = cgroup;
		}
		link = BPF_CORE_READ(link, next);
	}
	return (__u64)best;
}

static __always_inline struct cgroup *find_cgroup(struct task_struct *task)
{
	if (!config.cgroup_v1)
		return BPF_CORE_READ(task, cgroups, dfl_cgrp);
	return (struct cgroup *)select_cgroup((__u64)BPF_CORE_READ(task, cgroups));
}

/* The path that a walk writes: one of the two is NULL, as is known when this is compiled. */
struct path_output {
	struct nt_path *path;
	struct nt_compact_path *compact;
	__u32 length; /* of the compact path's text */
};

/* Returns false if the name does not fit into the compact path. */
static __always_inline bool append_name(struct path_output *output, __u32 i, const void *name)
{
	long length;

	if (output->path) {
		bpf_probe_read_kernel_str(output->path->component[i], NT_PATH_COMPONENT_SIZE, name);
		return true;
	}
	if (output->length > NT_COMPACT_TEXT_SIZE - NT_COMPACT_NAME_SIZE)
		return false;
	length = bpf_probe_read_kernel_str(output->compact->text + output->length, NT_COMPACT_NAME_SIZE, name);
	if (length <= 0 || length >= NT_COMPACT_NAME_SIZE)
		return false;
	output->length += length;
	return true;
}

static __always_inline void finish_path(struct path_output *output, __u32 count, bool known)
{
	if (output->path) {
		output->path->count = count;
		output->path->known = known;
	} else {
		output->compact->count = count;
		output->compact->known = known;
	}
}

/* Returns false if the path does not fit. */
static __always_inline bool walk_cgroup(struct path_output *output, struct cgroup *cgroup)
{
	struct kernfs_node *node = BPF_CORE_READ(cgroup, kn);
	bool known = false;
	__u32 i;

	for (i = 0; i < NT_PATH_COMPONENTS; i++) {
		struct kernfs_node *parent = read_kernfs_parent(node);

		if (!parent) {
			known = node;
			break;
		}
		if (!append_name(output, i, BPF_CORE_READ(node, name)))
			return false;
		node = parent;
	}
	finish_path(output, i, known);
	return true;
}

/* Steps from the root of a mount to its mount point. Crosses one mount only: an executable whose path has one mount
 * directly on another is rare. */
static __always_inline struct dentry *cross_mount_point(struct dentry *dentry, struct mount **mount)
{
	struct mount *above;

	if (dentry != BPF_CORE_READ(*mount, mnt.mnt_root))
		return dentry;
	above = BPF_CORE_READ(*mount, mnt_parent);
	if (above == *mount)
		return dentry;
	dentry = BPF_CORE_READ(*mount, mnt_mountpoint);
	*mount = above;
	return dentry;
}

/* Walks from the executable's directory entry to the root across mount points, like the kernel's prepend_path(). Returns
 * false if the path does not fit. */
static __always_inline bool walk_executable(struct path_output *output, struct task_struct *task)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *vfsmount = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	bool known = false;
	__u32 i;

	for (i = 0; i < NT_PATH_COMPONENTS; i++) {
		struct dentry *parent;

		dentry = cross_mount_point(dentry, &mount);
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry || !parent) {
			known = file && parent;
			break;
		}
		if (!append_name(output, i, BPF_CORE_READ(dentry, d_name.name)))
			return false;
		dentry = parent;
	}
	finish_path(output, i, known);
	return true;
}

/* Executables of processes that are ending. A process that ends gives up its memory, and with it its executable, before
 * its descriptors, whose closing may make it an owner. */
#define EXITING_PROCESSES 256

struct exiting_process {
	__u64 start_ns; /* 0: being written */
	__u32 pid;
	__u32 padding;
	struct nt_compact_path executable;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EXITING_PROCESSES);
	__type(key, __u32);
	__type(value, struct exiting_process);
} exiting_processes SEC(".maps");

static __always_inline struct exiting_process *find_exiting_slot(__u32 pid)
{
	__u32 slot = pid % EXITING_PROCESSES;

	return bpf_map_lookup_elem(&exiting_processes, &slot);
}

static __always_inline bool is_exiting_process(const volatile struct exiting_process *slot, __u64 start_ns, __u32 pid)
{
	return slot->start_ns == start_ns && slot->pid == pid;
}

/* Another CPU may write the slot meanwhile, for another process, so its owner is checked after the copy as well. */
static __always_inline void copy_exiting_executable(struct nt_compact_path *path, const struct nt_process_id *process)
{
	struct exiting_process *slot = find_exiting_slot(process->pid);

	if (!slot || !is_exiting_process(slot, process->start_ns, process->pid))
		return;
	bpf_probe_read_kernel(path, sizeof(*path), &slot->executable);
	if (!is_exiting_process(slot, process->start_ns, process->pid))
		path->known = 0;
}

static __always_inline void store_exiting_executable(struct task_struct *task, __u32 pid)
{
	volatile struct exiting_process *slot = find_exiting_slot(pid);
	struct path_output output = {};

	if (!slot || !BPF_CORE_READ(task, mm))
		return;
	slot->start_ns = 0;
	slot->executable.known = 0;
	output.compact = (struct nt_compact_path *)&slot->executable;
	walk_executable(&output, task);
	slot->pid = pid;
	slot->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
}

/* Processes that called listen(). A listener's owner stands in for that of its connections only as long as it lives. */
struct listening_process {
	__u64 start_ns;
	__u32 has_exited;
	__u32 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct listening_process);
} listening_processes SEC(".maps");

static __always_inline void follow_listening_process(const struct nt_process_id *process)
{
	struct listening_process listening = { .start_ns = process->start_ns };

	check_details(bpf_map_update_elem(&listening_processes, &process->pid, &listening, BPF_ANY));
}

/* A process that is still closing its descriptors counts as alive: it ends the connections of its listeners. */
static __always_inline bool has_exited(const struct nt_process_id *process)
{
	const struct listening_process *listening = bpf_map_lookup_elem(&listening_processes, &process->pid);

	return listening && listening->start_ns == process->start_ns && listening->has_exited &&
	       process->pid != bpf_get_current_pid_tgid() >> 32;
}

/* Before Linux 6.16 this runs after the process has given up its memory. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exits, struct task_struct *task)
{
	__u32 pid = BPF_CORE_READ(task, tgid);
	struct listening_process *listening;

	if (BPF_CORE_READ(task, signal, live.counter)) /* other threads go on */
		return 0;
	listening = bpf_map_lookup_elem(&listening_processes, &pid);
	if (listening)
		listening->has_exited = 1;
	store_exiting_executable(task, pid);
	return 0;
}

/* Both functions return 0, or -1 if the ring buffer took no event. The first one returns 1 if the paths do not fit. */
static __always_inline int emit_compact_process(const struct nt_process_id *process, struct task_struct *task,
						struct cgroup *cgroup)
{
	struct nt_compact_process_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	struct path_output executable = {}, path = {};

	if (!event)
		return -1;
	executable.compact = &event->executable;
	path.compact = &event->cgroup;
	if (!walk_executable(&executable, task) || !walk_cgroup(&path, cgroup)) {
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return 1;
	}
	if (!event->executable.known)
		copy_exiting_executable(&event->executable, process);
	event->header.type = NT_EVENT_TYPE_PROCESS;
	event->header.padding = 0;
	event->header.now = bpf_ktime_get_boot_ns();
	event->process = *process;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

static __always_inline int emit_long_process(const struct nt_process_id *process, struct task_struct *task,
					     struct cgroup *cgroup)
{
	struct nt_process_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	struct path_output executable = {}, path = {};

	if (!event)
		return -1;
	executable.path = &event->executable;
	path.path = &event->cgroup;
	walk_executable(&executable, task);
	walk_cgroup(&path, cgroup);
	event->header.type = NT_EVENT_TYPE_LONG_PROCESS;
	event->header.padding = 0;
	event->header.now = bpf_ktime_get_boot_ns();
	event->process = *process;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

/* Returns 0, or -1 if the ring buffer took no event. */
static __noinline int describe_process(const struct nt_process_id *process, struct task_struct *task,
				       struct cgroup *cgroup)
{
	int result = emit_compact_process(process, task, cgroup);
	__u8 described = 1;

	if (result > 0)
		result = emit_long_process(process, task, cgroup);
	if (result < 0) {
		count(NT_COUNT_PROCESS_RING_FAILED);
		return -1;
	}
	check_details(bpf_map_update_elem(&described_processes, process, &described, BPF_ANY));
	return 0;
}

/* The latest owners on each CPU: most consecutive connections have the same few owners. */
#define RECENT_PROCESSES 4

struct recent_processes {
	struct nt_process_id process[RECENT_PROCESSES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct recent_processes);
} recent_processes SEC(".maps");

static __always_inline void describe_unless_recent(const struct nt_process_id *process, struct task_struct *task)
{
	__u32 zero = 0;
	struct recent_processes *recent = bpf_map_lookup_elem(&recent_processes, &zero);
	struct nt_process_id *slot;

	if (!recent)
		return;
	slot = &recent->process[process->pid % RECENT_PROCESSES];
	if (slot->pid == process->pid && slot->exec_id == process->exec_id && slot->start_ns == process->start_ns &&
	    slot->cgroup_id == process->cgroup_id)
		return;
	if (bpf_map_lookup_elem(&described_processes, process) || !describe_process(process, task, find_cgroup(task)))
		*slot = *process;
}

/* Counts of moves between cgroups, used where there are hierarchies of version 1. A process that moves in any hierarchy
 * gets another css_set, which may reuse the memory of an earlier one; so its address is combined with the number of
 * moves. Processes that share an element of the array are counted together. */
#define MOVE_COUNTS 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MOVE_COUNTS);
	__type(key, __u32);
	__type(value, __u32);
} cgroup_moves SEC(".maps");

static __always_inline __u32 *find_move_count(struct task_struct *task)
{
	__u32 index = (__u32)BPF_CORE_READ(task, tgid) % MOVE_COUNTS;

	return bpf_map_lookup_elem(&cgroup_moves, &index);
}

static __always_inline __u64 read_cgroups_identity(struct task_struct *task)
{
	__u64 identity = (__u64)BPF_CORE_READ(task, cgroups);
	__u32 *moves = find_move_count(task);

	return moves ? identity + *moves * 0x9e3779b97f4a7c15ULL : identity;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(process_moves, struct cgroup *to, const char *path, struct task_struct *task)
{
	__u32 *moves = find_move_count(task);

	if (moves)
		__sync_fetch_and_add(moves, 1);
	return 0;
}

/* A task is read in place through a pointer whose type the verifier knows, or by copies: 5.10 has no
 * bpf_get_current_task_btf(), and pointers reached through a struct file have no type. Both functions return false for
 * a kernel thread, which owns no connection. */
static __always_inline bool read_task_in_place(struct nt_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	if (task->flags & PF_KTHREAD)
		return false;
	owner->process.pid = task->tgid;
	owner->process.start_ns = leader->start_boottime;
	owner->process.exec_id = leader->self_exec_id;
	owner->process.cgroup_id = config.cgroup_v1 ? read_cgroups_identity(task) : task->cgroups->dfl_cgrp->kn->id;
	owner->uid = task->cred->uid.val;
	bpf_probe_read_kernel(owner->comm, sizeof(owner->comm), leader->comm);
	return true;
}

static __always_inline bool read_task_by_copy(struct nt_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return false;
	owner->process.pid = BPF_CORE_READ(task, tgid);
	owner->process.start_ns = BPF_CORE_READ(leader, start_boottime);
	owner->process.exec_id = BPF_CORE_READ(leader, self_exec_id);
	if (config.cgroup_v1)
		owner->process.cgroup_id = read_cgroups_identity(task);
	else
		owner->process.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	owner->uid = BPF_CORE_READ(task, cred, uid.val);
	BPF_CORE_READ_INTO(&owner->comm, leader, comm);
	return true;
}

/* Completes an owner that was read from the task. Returns 1, which the callers return in turn. */
static __always_inline int complete_owner(struct nt_owner *owner, struct task_struct *task, __u8 by)
{
	owner->by = by;
	describe_unless_recent(&owner->process, task);
	return 1;
}

/* Makes the running process the owner. Returns 1, or 0 if it is a kernel thread. */
static __noinline int owner_from_current(struct nt_owner *owner, __u8 by)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id___since_5_11, BPF_FUNC_get_current_task_btf___since_5_11)) {
		task = bpf_get_current_task_btf();
		return read_task_in_place(owner, task) ? complete_owner(owner, task, by) : 0;
	}
	task = (struct task_struct *)bpf_get_current_task();
	return read_task_by_copy(owner, task) ? complete_owner(owner, task, by) : 0;
}

/* Returns whether the running process is this owner and still runs the same program, as the same user, under the same
 * name. Runs at every read of data, so it reads no more than it compares. */
static __always_inline bool is_unchanged_in_place(const struct nt_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	const __u64 *known = (const __u64 *)owner->comm, *comm = (const __u64 *)leader->comm;

	return owner->process.start_ns == leader->start_boottime &&
	       owner->process.exec_id == (__u32)leader->self_exec_id && owner->uid == task->cred->uid.val &&
	       known[0] == comm[0] && known[1] == comm[1];
}

static __always_inline bool is_unchanged_by_copy(const struct nt_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	const __u64 *known = (const __u64 *)owner->comm;
	__u64 comm[2];

	if (owner->process.start_ns != BPF_CORE_READ(leader, start_boottime) ||
	    owner->process.exec_id != (__u32)BPF_CORE_READ(leader, self_exec_id) ||
	    owner->uid != BPF_CORE_READ(task, cred, uid.val))
		return false;
	BPF_CORE_READ_INTO(&comm, leader, comm);
	return known[0] == comm[0] && known[1] == comm[1];
}

static __always_inline bool is_owner_unchanged(const struct nt_owner *owner)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___since_5_11, BPF_FUNC_get_current_task_btf___since_5_11))
		return is_unchanged_in_place(owner, bpf_get_current_task_btf());
	return is_unchanged_by_copy(owner, (struct task_struct *)bpf_get_current_task());
}

static __noinline int owner_from_task(struct nt_owner *owner, struct task_struct *task, __u8 by)
{
	return read_task_by_copy(owner, task) ? complete_owner(owner, task, by) : 0;
}

#endif
