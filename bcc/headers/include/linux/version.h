/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For BCC's own headers; NeTracker's programs ask for no version of the kernel. */
#ifndef LINUX_VERSION_CODE
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 10, 0)
#endif
#define KERNEL_VERSION(major, minor, patch) (((major) << 16) + ((minor) << 8) + (patch))
