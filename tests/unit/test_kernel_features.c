// SPDX-License-Identifier: GPL-2.0-or-later
/* The preemption model of a kernel, by its configuration and its command line. */
#include "src/kernel/kernel_features.h"

#include <stdio.h>

#include "tests/unit/check.h"

/* Lines of Debian's configurations, and of kernels built with the other models. */
#define NONE "# CONFIG_PREEMPT is not set\nCONFIG_PREEMPT_NONE=y\n"
#define VOLUNTARY "CONFIG_PREEMPT_VOLUNTARY=y\n# CONFIG_PREEMPT is not set\nCONFIG_PREEMPTION=y\n"
#define FULL "CONFIG_HZ=250\nCONFIG_PREEMPT=y\n"
#define LAZY "CONFIG_ARCH_HAS_PREEMPT_LAZY=y\nCONFIG_PREEMPT_LAZY=y\n"
#define RT "CONFIG_PREEMPT_RT=y\n"
#define DYNAMIC "CONFIG_PREEMPT_DYNAMIC=y\n"

static void test_model(void)
{
	CHECK(!kernel_features_preempts(NONE, "quiet"));
	CHECK(!kernel_features_preempts(VOLUNTARY DYNAMIC, "quiet"));
	CHECK(kernel_features_preempts(FULL, ""));
	CHECK(kernel_features_preempts(LAZY DYNAMIC, ""));
	CHECK(kernel_features_preempts(RT, ""));
	CHECK(!kernel_features_preempts("", ""));
	CHECK(!kernel_features_preempts("CONFIG_ARCH_HAS_PREEMPT_LAZY=y\n" NONE, ""));
}

/* Documentation/admin-guide/kernel-parameters.txt: preempt= selects the model of a CONFIG_PREEMPT_DYNAMIC kernel. */
static void test_command_line(void)
{
	CHECK(kernel_features_preempts(VOLUNTARY DYNAMIC, "root=/dev/vda preempt=full quiet"));
	CHECK(kernel_features_preempts(NONE DYNAMIC, "preempt=lazy"));
	CHECK(!kernel_features_preempts(LAZY DYNAMIC, "preempt=none"));
	CHECK(!kernel_features_preempts(FULL DYNAMIC, "preempt=full preempt=voluntary"));
	CHECK(!kernel_features_preempts(NONE, "preempt=full"));
	CHECK(!kernel_features_preempts(NONE DYNAMIC, "nopreempt=full"));
}

/* Holds on every kernel that the tests run on. */
static void test_probe(void)
{
	struct kernel_features features;
	FILE *types = fopen("/sys/kernel/btf/vmlinux", "re");

	kernel_features_probe(&features);
	if (types) /* tables grow since 6.1, errors are reported since 5.14: the first implies the second */
		CHECK(!features.tables_may_grow || features.reports_socket_errors);
	else
		CHECK(!features.tables_may_grow && !features.reports_socket_errors);
	if (types)
		fclose(types);
}

int main(void)
{
	test_model();
	test_command_line();
	test_probe();
	return check_finish();
}
