/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Empty: BCC's headers include it and use nothing of it. */
