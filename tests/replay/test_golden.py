#!/usr/bin/python3
"""The answers in golden/ against those of now."""
import golden

if __name__ == "__main__":
    golden.main([])
