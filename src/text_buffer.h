/* Text that grows. After an allocation failed, `failed` is set and what is appended is dropped. */
#ifndef NETRACKER_TEXT_BUFFER_H
#define NETRACKER_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct text_buffer {
	char *bytes; /* not NUL-terminated */
	size_t used, capacity;
	bool failed;
};

void text_append(struct text_buffer *text, const char *bytes, size_t size);
void text_string(struct text_buffer *text, const char *string);
void text_char(struct text_buffer *text, char byte);
void text_spaces(struct text_buffer *text, size_t count);

/* At most 255 bytes. */
void text_format(struct text_buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void text_free(struct text_buffer *text);

#endif
