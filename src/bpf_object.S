/* The BPF object, byte for byte. libelf reads it in place, as ELF structures: hence the alignment. */
	.section .rodata
	.balign 16
	.global netracker_bpf_object
	.global netracker_bpf_object_end
netracker_bpf_object:
	.incbin BPF_OBJECT
netracker_bpf_object_end:
	.byte 0
	.section .note.GNU-stack, "", %progbits
