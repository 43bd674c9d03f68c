/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BCC's headers include it and use nothing of it. */
