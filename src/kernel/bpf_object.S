/* A BPF object, byte for byte. libelf reads it in place, as ELF structures: hence the alignment. */
	.section .rodata
	.balign 16
	.global SYMBOL
	.global SYMBOL_END
SYMBOL:
	.incbin BPF_OBJECT
SYMBOL_END:
	.byte 0
	.section .note.GNU-stack, "", %progbits
