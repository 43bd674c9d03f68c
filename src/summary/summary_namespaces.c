// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_namespaces.h"

#include <stdlib.h>

void summary_namespaces_free(struct summary_namespaces *namespaces)
{
	free(namespaces->list);
	*namespaces = (struct summary_namespaces){ 0 };
}

/* Records come in runs of one namespace. */
static struct summary_namespace *find_namespace(struct summary_namespaces *namespaces, __u32 netns)
{
	unsigned int i;

	if (namespaces->last_found < namespaces->count && namespaces->list[namespaces->last_found].now.netns == netns)
		return &namespaces->list[namespaces->last_found];
	for (i = 0; i < namespaces->count; i++) {
		if (namespaces->list[i].now.netns != netns)
			continue;
		namespaces->last_found = i;
		return &namespaces->list[i];
	}
	return NULL;
}

static bool make_namespace_room(struct summary_namespaces *namespaces)
{
	unsigned int capacity = namespaces->capacity ? 2 * namespaces->capacity : 16;
	struct summary_namespace *list;

	if (namespaces->count < namespaces->capacity)
		return true;
	if (capacity > SUMMARY_NAMESPACES)
		return false;
	list = realloc(namespaces->list, capacity * sizeof(*list));
	if (!list)
		return false;
	namespaces->list = list;
	namespaces->capacity = capacity;
	return true;
}

void summary_namespaces_set(struct summary_namespaces *namespaces, const struct namespace_counts *counts, bool begins)
{
	struct summary_namespace *found = find_namespace(namespaces, counts->netns);

	if (!found) {
		if (!make_namespace_room(namespaces))
			return;
		found = &namespaces->list[namespaces->count++];
		*found = (struct summary_namespace){ .overflows_before = begins ? counts->overflows : 0,
						     .drops_before = begins ? counts->drops : 0 };
	}
	/* The inode number of a namespace that is gone may be used again: the counts of the new one begin with 0. */
	if (counts->overflows < found->overflows_before || counts->drops < found->drops_before)
		found->overflows_before = found->drops_before = 0;
	found->now = *counts;
	found->is_seen = true;
}

void summary_namespaces_begin_next(struct summary_namespaces *namespaces)
{
	unsigned int kept = 0, i;

	for (i = 0; i < namespaces->count; i++) {
		struct summary_namespace *namespace = &namespaces->list[i];

		if (!namespace->is_seen)
			continue;
		namespace->is_seen = false;
		namespace->overflows_before = namespace->now.overflows;
		namespace->drops_before = namespace->now.drops;
		namespaces->list[kept++] = *namespace;
	}
	namespaces->count = kept;
}

const struct summary_namespace *summary_namespaces_find(struct summary_namespaces *namespaces, __u32 netns)
{
	return find_namespace(namespaces, netns);
}
