/* The BPF object, embedded by src/bpf_object.S. */
#ifndef NETRACKER_BPF_OBJECT_H
#define NETRACKER_BPF_OBJECT_H

extern const unsigned char netracker_bpf_object[], netracker_bpf_object_end[];

#endif
