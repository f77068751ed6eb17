/* SPDX-License-Identifier: Apache-2.0
 * A keyword spotter for a stream: frames to a ring buffer, the network on the ring, a mean of posteriors, a decision. */
#include "kernels.h"

/* a / b with 14 bits after the point, rounded down, for 0 <= a <= b: long division, for a Cortex-M0+ has no other. */
static int32_t ratio(int32_t a, int32_t b)
{
    int32_t quotient = 0;
    for (int32_t bit = 14; bit >= 0; bit--, a *= 2)
        if (a >= b) {
            a -= b;
            quotient |= INT32_C(1) << bit;
        }
    return quotient;
}

static void softmax(const tc_listener_params *p, const int8_t *scores, int16_t *posteriors)
{
    int32_t largest = -128, sum = 0;
    for (int32_t c = 0; c < p->classes; c++)
        largest = scores[c] > largest ? scores[c] : largest;
    for (int32_t c = 0; c < p->classes; c++)
        sum += p->exponential[largest - scores[c]];
    for (int32_t c = 0; c < p->classes; c++)
        posteriors[c] = (int16_t)ratio(p->exponential[largest - scores[c]], sum);
}

/* The best keyword fires where its mean posterior reaches the threshold, unless one fired a short while ago. */
static void decide(const tc_listener_params *p, tc_listener *s)
{
    int32_t best = 0, score = -1;
    for (int32_t c = 0; c < p->classes; c++) {
        int32_t sum = 0;
        for (int32_t w = 0; w < s->runs; w++)
            sum += p->recent[w * p->classes + c];
        p->mean[c] = (int16_t)ratio(sum, s->runs * 16384);
        if (p->keywords[c] && p->mean[c] > score) {
            best = c;
            score = p->mean[c];
        }
    }
    if (s->deaf > 0)
        s->deaf--;
    else if (score >= p->threshold) {
        s->deaf = p->refractory > 0 ? p->refractory - 1 : 0;
        if (s->found[0] < 0) {
            s->found[0] = (int16_t)best;
            s->found[1] = (int16_t)score;
        }
    }
}

/* Run the network on the frames of the ring, the oldest first. */
static void judge(const tc_listener_params *p, tc_listener *s)
{
    const int32_t bands = p->bands, old = (p->history - s->row) * bands;
    tc_copy(p->ring, s->row * bands, tc_copy(p->ring + s->row * bands, old, p->input()));
    p->run();
    softmax(p, p->output(), p->recent + s->run_row * p->classes);
    s->run_row = s->run_row + 1 < p->windows ? s->run_row + 1 : 0;
    s->runs = s->runs < p->windows ? s->runs + 1 : p->windows;
    decide(p, s);
}

void tc_listen(const tc_listener_params *p, tc_listener *s)
{
    s->found[0] = -1;
    s->found[1] = 0;
    tc_ears_hear(p->ears, &s->ears);
    while (tc_ears_frame(p->ears, &s->ears, p->ring + s->row * p->bands)) {
        s->row = s->row + 1 < p->history ? s->row + 1 : 0;
        s->frames = s->frames < p->history ? s->frames + 1 : p->history;
        if (s->frames == p->history && s->wait-- == 0) {
            s->wait = p->stride - 1;
            judge(p, s);
        }
    }
}
