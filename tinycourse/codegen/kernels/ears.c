/* SPDX-License-Identifier: Apache-2.0
 * Samples as they come: frames of features out of a stream. Defined bit for bit by tinycourse/program/streaming_frontend.py. */
#include "kernels.h"

int16_t *tc_ears_input(const tc_ears_params *p, const tc_ears *s) { return p->kept + s->count; }

void tc_ears_hear(const tc_ears_params *p, tc_ears *s)
{
    const int32_t lead = p->features->lead;
    s->count += p->chunk;
    if (!s->begun && s->count > lead) { /* sound before the first sample: the mirror image of what follows it */
        for (int32_t i = s->count - 1; i >= 0; i--)
            p->kept[i + lead] = p->kept[i];
        for (int32_t i = 0; i < lead; i++)
            p->kept[i] = p->kept[2 * lead - i];
        s->count += lead;
        s->begun = 1;
    }
}

int32_t tc_ears_frame(const tc_ears_params *p, tc_ears *s, int8_t *output)
{
    const int16_t *next = p->kept + s->next;
    if (s->begun && s->count - s->next >= p->features->window_size) {
        tc_frame(p->features, next, output, p->scratch);
        s->next += p->features->hop;
        return 1;
    }
    if (s->next > 0) {
        s->count -= s->next;
        s->next = 0;
        tc_copy((const int8_t *)next, s->count * 2, (int8_t *)p->kept);
    }
    return 0;
}
