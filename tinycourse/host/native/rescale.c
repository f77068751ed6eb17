/* SPDX-License-Identifier: Apache-2.0
 * From floats to int8 before a product, and from int32 sums to floats or int16 after it. */
#include "matvec.h"

/* Adding and taking away 1.5 * 2^23 leaves no bits for a fraction: rounds to nearest, ties to even, for |x| < 2^22. */
static inline float round_even(float x) { return (x + 12582912.0f) - 12582912.0f; }

float tn_quantize(const float *x, int32_t count, int8_t *q)
{
    float largest = 0.0f;
    for (int32_t i = 0; i < count; i++) {
        const float size = x[i] < 0.0f ? -x[i] : x[i];
        largest = size > largest ? size : largest;
    }
    const float step = largest / 127.0f > 0.0f ? largest / 127.0f : 1.0f; /* the smallest numbers divide to 0 */
    for (int32_t i = 0; i < count; i++)
        q[i] = (int8_t)round_even(x[i] / step);
    return step;
}

void tn_hybrid(const tn_matrix *m, const float *scale, const float *x, int32_t count, int8_t *q, int32_t *sums, float *y)
{
    const float step = tn_quantize(x, count, q);
    tn_sums(m, q, sums);
    for (int32_t r = 0; r < m->panels * TN_PANEL; r++)
        y[r] = (float)sums[r] * (scale[r] * step);
}

static inline int32_t rescaled(const tn_rescale *r, int32_t i, int32_t sum)
{
    const int64_t product = (int64_t)((sum + r->bias[i]) * (1 << r->left)) * r->multiplier[i];
    return (((int32_t)(product >> 32) >> r->right[i]) + 1) >> 1; /* keep one bit more, add it, drop it */
}

static inline int16_t within(const tn_rescale *r, int32_t value)
{
    return (int16_t)(value < r->minimum ? r->minimum : value > r->maximum ? r->maximum : value);
}

void tn_integer(const tn_matrix *m, const tn_rescale *rescale, const int8_t *x, int32_t *sums, int16_t *y)
{
    const tn_rescale r = *rescale; /* the compiler then knows that y does not change it */
    tn_sums(m, x, sums);
    for (int32_t i = 0; i < r.rows; i++)
        y[i] = within(&r, rescaled(&r, i, sums[i]) + r.zero_point);
}

void tn_integer_pair(const tn_matrix *m, const tn_rescale *rescale, const int8_t *x, int32_t *sums, const tn_matrix *more,
                     const tn_rescale *rescale_more, const int8_t *h, int32_t *sums_more, int16_t *y)
{
    const tn_rescale r = *rescale, s = *rescale_more;
    tn_sums(m, x, sums);
    tn_sums(more, h, sums_more);
    for (int32_t i = 0; i < r.rows; i++)
        y[i] = within(&r, rescaled(&r, i, sums[i]) + rescaled(&s, i, sums_more[i]));
}
