/* The BPF objects, embedded by src/kernel/bpf_object.S. */
#ifndef NETRACKER_BPF_OBJECT_H
#define NETRACKER_BPF_OBJECT_H

extern const unsigned char netracker_bpf_object[], netracker_bpf_object_end[]; /* live tracking */
extern const unsigned char attach_bpf_object[], attach_bpf_object_end[];     /* the classic mode */

#endif
