/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_CLICKHOUSE_H
#define NETRACKER_SHIP_CLICKHOUSE_H

/* ClickHouse's HTTP interface: rows of JSON into one table. */
extern const struct ship_destination ship_clickhouse;

#endif
