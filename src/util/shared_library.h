/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Libraries that few runs need are loaded by those: each brings others, which would take memory and time of every run. */
#ifndef NETRACKER_SHARED_LIBRARY_H
#define NETRACKER_SHARED_LIBRARY_H

#include <stdbool.h>

struct shared_library {
	const char *file;   /* the name that the linker would note */
	const char *needed; /* for people: what needs it, and its package */
	void *handle;
};

/* Returns false after reporting that the library is missing. It stays loaded. */
bool shared_library_load(struct shared_library *library);

/* Sets a pointer to a function. Returns false after reporting that the library does not have it. */
bool shared_library_find(const struct shared_library *library, const char *name, void *function);

#endif
