#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The answers in golden/ against those of now."""
import golden

if __name__ == "__main__":
    golden.main([])
