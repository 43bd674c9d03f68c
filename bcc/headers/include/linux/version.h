/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BCC's own headers need these macros; NeTracker's programs do not depend on the kernel's version. */
#ifndef LINUX_VERSION_CODE
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 10, 0)
#endif
#define KERNEL_VERSION(major, minor, patch) (((major) << 16) + ((minor) << 8) + (patch))
