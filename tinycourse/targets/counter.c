/* SPDX-License-Identifier: Apache-2.0
 * Counts the instructions that the emulated chip executes. The emulator calls count_block() before every run of
 * straight-line code. It is compiled for the host, because a call into Python there would take minutes. */
#include <stdint.h>

typedef struct {
    uint64_t base, half_words; /* where the code lies, and how much there is */
    const uint16_t *code;      /* a copy of it */
    const uint16_t *entries;   /* for each half word: 0, or 1 + the counter to switch to when it is executed */
    uint64_t *counters;        /* instructions, one number for each layer */
    uint64_t current;          /* the counter in use */
} tc_profile;

void count_block(void *emulator, uint64_t address, uint32_t size, tc_profile *p);

void count_block(void *emulator, uint64_t address, uint32_t size, tc_profile *p)
{
    const uint64_t first = (address - p->base) / 2, end = first + size / 2;
    uint64_t count = 0;
    (void)emulator;
    if (end > p->half_words) /* a jump out of the code: the emulator reports it */
        return;
    if (p->entries[first])
        p->current = p->entries[first] - 1u;
    for (uint64_t i = first; i < end; count++)
        i += p->code[i] >= 0xe800 ? 2 : 1; /* Thumb: a half word from 0xe800 on begins an instruction of four bytes */
    p->counters[p->current] += count;
}
