/* Who is running: the owner of what happens now, and a description of each process once. */
#ifndef NETRACKER_BPF_OWNER_H
#define NETRACKER_BPF_OWNER_H

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_process_id);
	__type(value, __u8);
} described_processes SEC(".maps");

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___rcu *newer = (void *)node;

	if (bpf_core_field_exists(newer->__parent))
		return BPF_CORE_READ(newer, __parent);
	return BPF_CORE_READ(node, parent);
}

static __always_inline void walk_cgroup(struct nt_path *path, struct task_struct *task)
{
	struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
	__u32 i;

	for (i = 0; i < NT_PATH_COMPONENTS; i++) {
		struct kernfs_node *parent = kernfs_parent(node);

		if (!parent) {
			path->known = !!node;
			break;
		}
		bpf_probe_read_kernel_str(path->component[i], NT_PATH_COMPONENT_SIZE, BPF_CORE_READ(node, name));
		node = parent;
	}
	path->count = i;
}

/* One mount is passed where the path has it: an executable under a mount within a mount is rare. */
static __always_inline struct dentry *over_mount_point(struct dentry *dentry, struct mount **mount)
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

/* From the file's directory entry to the root, over mount points, as the kernel's prepend_path() walks. */
static __always_inline void walk_executable(struct nt_path *path, struct task_struct *task)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *vfsmount = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	__u32 i;

	for (i = 0; i < NT_PATH_COMPONENTS; i++) {
		struct dentry *parent;

		dentry = over_mount_point(dentry, &mount);
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry || !parent) {
			path->known = file && parent;
			break;
		}
		bpf_probe_read_kernel_str(path->component[i], NT_PATH_COMPONENT_SIZE, BPF_CORE_READ(dentry, d_name.name));
		dentry = parent;
	}
	path->count = i;
}

/* 0 where it is described now, or was before. */
static __noinline int describe_process(const struct nt_process_id *process, struct task_struct *task)
{
	struct nt_process_event *event;
	__u8 described = 1;

	if (bpf_map_lookup_elem(&described_processes, process))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(NT_COUNT_PROCESS_RING_FULL);
		return -1;
	}
	event->header.type = NT_EVENT_TYPE_PROCESS;
	event->header.padding = 0;
	event->header.now = bpf_ktime_get_boot_ns();
	event->process = *process;
	event->executable.known = event->cgroup.known = 0;
	walk_executable(&event->executable, task);
	walk_cgroup(&event->cgroup, task);
	bpf_ringbuf_submit(event, ring_flags());
	bpf_map_update_elem(&described_processes, process, &described, BPF_ANY);
	return 0;
}

/* The processes that were owners last on each CPU: most connections in a row have the same few. */
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
	if (!describe_process(process, task))
		*slot = *process;
}

/* Two ways to read a task: in place, through a pointer that the verifier knows, or by copies (5.10 has no
 * bpf_get_current_task_btf(), and what hangs on a struct file has no type). A kernel thread is nobody's owner: false. */
static __always_inline bool read_task_in_place(struct nt_owner *owner, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	if (task->flags & PF_KTHREAD)
		return false;
	owner->process.pid = task->tgid;
	owner->process.start_ns = leader->start_boottime;
	owner->process.exec_id = leader->self_exec_id;
	owner->process.cgroup_id = task->cgroups->dfl_cgrp->kn->id;
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
	owner->process.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	owner->uid = BPF_CORE_READ(task, cred, uid.val);
	BPF_CORE_READ_INTO(&owner->comm, leader, comm);
	return true;
}

/* What both have in common once the task is read. Returns 1 for the callers that return it. */
static __always_inline int owner_is(struct nt_owner *owner, struct task_struct *task, __u8 by)
{
	owner->by = by;
	describe_unless_recent(&owner->process, task);
	return 1;
}

/* Makes the running process the owner, unless it is a kernel thread: then 0. */
static __noinline int owner_from_current(struct nt_owner *owner, __u8 by)
{
	struct task_struct *task;

	if (bpf_core_enum_value_exists(enum bpf_func_id___since_5_11, BPF_FUNC_get_current_task_btf___since_5_11)) {
		task = bpf_get_current_task_btf();
		return read_task_in_place(owner, task) ? owner_is(owner, task, by) : 0;
	}
	task = (struct task_struct *)bpf_get_current_task();
	return read_task_by_copy(owner, task) ? owner_is(owner, task, by) : 0;
}

static __noinline int owner_from_task(struct nt_owner *owner, struct task_struct *task, __u8 by)
{
	return read_task_by_copy(owner, task) ? owner_is(owner, task, by) : 0;
}

#endif
